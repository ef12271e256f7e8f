"""A tuned sweep: the same number of trials for every row, a study each; the best settings are repeated and scored.

The trials of all rows go through one cohort round by round, so that they share batches as any others do. What a study
leaves behind lies in OUT/studies/NAME-ID: Optuna's journal, by which a search that was cut off goes on, and study.json,
which is what reports read.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from mllc import run
from mllc.build import Config, Shared, file_fingerprints
from mllc.config import catalogue
from mllc.config.compose import flat, identity
from mllc.config.search import Search, Tune
from mllc.folder import Folder
from mllc.monitors import MONITORS
from mllc.plan import TRIAL_KEYS, row_name, shared_part
from mllc.preflight import validate
from mllc.proposals import JOURNAL, Proposals, Proposed
from mllc.result import RunResult
from mllc.screen import Screen
from mllc.store import run_id
from mllc.study import Study
from mllc.wording import counted


def sweep(
    searches: Sequence[Search],
    fixed: Sequence[Config],
    tune: Tune,
    *,
    by: str,
    screen: Screen,
    force: bool = False,
    allow: Sequence[str] = (),
) -> tuple[list[RunResult], list[Study]]:
    """Searches each row's settings on validation, repeats the best over the sweep's seeds, scores what was selected.

    fixed    trials of named rows, which are not searched
    returns  the results of the trials, the repeats and the fixed trials; the studies
    """
    validate([*(search.start for search in searches), *fixed], allow)
    groups: dict[str, list[Search]] = {}
    for search in searches:
        groups.setdefault(str(flat(shared_part(search.start))), []).append(search)
    tried: list[RunResult] = []
    rows: list[_Row] = []
    with ExitStack() as held:
        for group in groups.values():
            sharing = run.Sharing(allow)
            shared, _ = sharing.of(group[0].start)
            started = [_start(search, shared, tune, force, held) for search in group]
            tried += _search(started, tune, screen, force, sharing)
            rows += started
        screen.stage = "repeats"
        configs = [*(conf for row in rows for conf in row.repeats()), *fixed]
        results = run.train(configs, score_test=False, screen=screen, force=force, allow=allow)
        results = run.score_selected(configs, results, by=by, screen=screen, allow=allow)
        ids = {str(flat(conf)): result.run_id for conf, result in zip(configs, results, strict=True)}
        for row in rows:
            row.save(final=tuple(ids[str(flat(conf))] for conf in row.repeats()))
    return [*tried, *results], [row.study for row in rows]


@dataclass(eq=False)
class _Row:
    """A row whose settings are searched, and its folder, which is held."""

    search: Search
    folder: Folder
    proposals: Proposals
    study: Study

    def repeats(self) -> list[Config]:
        """The configs of the best settings with the sweep's seeds; none where no trial completed soundly."""
        best = self.study.chosen
        return [] if best is None else [self.search.at(best, seed) for seed in self.search.seeds]

    def save(self, final: tuple[str, ...] = ()) -> None:
        """Writes study.json as the search stands."""
        self.study = replace(self.study, tries=self.proposals.tries(), chosen=self.proposals.best(), final=final)
        self.folder.write("study.json", self.study.to_json().encode())


def _start(search: Search, shared: Shared, tune: Tune, force: bool, held: ExitStack) -> _Row:
    """Opens the study of a row, on from where it was cut off; with `force`, anew."""
    start, name = search.start, row_name(search.start)
    fixed = {key: value for key, value in flat(identity(start)).items() if key.split(".")[0] in TRIAL_KEYS}
    fixed = {key: value for key, value in fixed.items() if key not in search.space}
    about = {"study": identity(start), "space": repr(search.space), "sampler": tune.sampler, "pruning": tune.pruning}
    identifier = run_id(about, shared.fingerprints | file_fingerprints(start, shared.allow))
    words = re.sub(r"[^A-Za-z0-9._]+", "_", name)
    folder = Folder(Path(start["out"]) / "studies" / f"{words}-{identifier}")
    held.enter_context(folder.locked())
    if force:
        folder.clear()
    maximize = MONITORS[start["monitor"]] == "max"
    first = {key: catalogue.lookup(start, key) for key in search.space}
    proposals = Proposals(folder.path / JOURNAL, search.space, tune, first=first, maximize=maximize)
    study = Study(
        identifier, name, fixed, start["monitor"], tune.seed, tune.sampler, proposals.wanted, dict(search.space)
    )
    return _Row(search, folder, proposals, study)


def _search(rows: Sequence[_Row], tune: Tune, screen: Screen, force: bool, sharing: run.Sharing) -> list[RunResult]:
    """Trains what the rows propose, a trial of each (`tune.at_once` of each) a round, until each has enough."""
    found: dict[str, RunResult] = {}
    while asked := [(row, proposed) for row in rows for proposed in row.proposals.ask()]:
        number = min(proposed.number for _, proposed in asked)
        screen.stage = f"search, trial {number + 1} of {tune.trials}"
        configs = [row.search.at(proposed.values) for row, proposed in asked]
        waiting = {str(flat(conf)): pair for conf, pair in zip(configs, asked, strict=True)}

        def prune(
            conf: Config, epoch: int, value: float, waiting: Mapping[str, tuple[_Row, Proposed]] = waiting
        ) -> bool:
            row, proposed = waiting[str(flat(conf))]
            return row.proposals.prune(proposed, epoch, value)

        results = run.train(
            configs,
            score_test=False,
            screen=screen,
            force=force,
            allow=sharing.allow,
            sharing=sharing,
            prune=prune if tune.pruning != "none" else None,
        )
        for (row, proposed), result in zip(asked, results, strict=True):
            row.proposals.tell(proposed, result.run_id, result.status, result.monitor_value)
            row.save()
            found[result.run_id] = result
    for row in rows:
        row.save()
        screen.note(_told(row.study))
    return list(found.values())


def _told(study: Study) -> str:
    done = f"{study.name}: {counted(study.completed(), 'trial')}"
    if study.chosen is None:
        return f"{done}, none of them sound: nothing to repeat"
    values = [one.value for one in study.tries if one.values == study.chosen and one.value is not None]
    settings = " ".join(f"{key}={value}" for key, value in study.chosen.items())
    return f"{done}, best {study.monitor} {values[0]:.4f} with {settings or 'its only settings'}"
