"""A tuned sweep: the same number of trials for every row, a study each; the best settings are repeated and scored.

The trials of all rows go through one cohort round by round, so that they share batches as any others do. What a study
leaves behind lies in OUT/studies/NAME-ID: Optuna's journal, by which a search that was cut off goes on, and study.json,
which is what reports read.
"""

import re
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from mllc.build import Config, Shared, file_fingerprints, objective_of
from mllc.config.compose import flat, identity
from mllc.config.search import Search, Tune
from mllc.errors import ConfigError
from mllc.folder import Folder
from mllc.monitors import MONITORS
from mllc.pack import Crew
from mllc.plan import TRIAL_KEYS, cohorts, config_key, row_name, shared_part
from mllc.preflight import validate
from mllc.proposals import JOURNAL, Proposals, Proposed
from mllc.result import RunResult
from mllc.screen import Screen
from mllc.store import RunFolder, run_id
from mllc.study import Study, typed
from mllc.sweep import score_selected
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

    fixed    trials that are not searched
    returns  the results of the trials, the repeats and the fixed trials; the studies
    """
    validate([*(search.start for search in searches), *fixed], allow)
    trials = sum(search.trials + len(search.seeds) for search in searches) + len(fixed)
    with ExitStack() as held, Crew(screen, trials=trials, allow=allow) as crew:
        rows = _searched(searches, tune, crew, force, held)
        screen.stage = "repeats"
        configs = [*(conf for row in rows for conf in row.repeats()), *fixed]
        done: dict[str, RunResult] = {}
        for group in cohorts(configs):
            trained = crew.train(group, score_test=False, force=force)
            done |= {config_key(conf): result for conf, result in zip(group, trained, strict=True)}
            for row in rows:
                row.save(final=[done[key].run_id for key in map(config_key, row.repeats()) if key in done])
        results = [done[config_key(conf)] for conf in configs]
        results = score_selected(crew, configs, results, by=by)
        tried = [result for row in rows for result in row.trials()]
    return [*tried, *results], [row.study for row in rows]


@dataclass(eq=False)
class _Row:
    """A row whose settings are searched, and its folder, which is held."""

    search: Search
    folder: Folder
    proposals: Proposals
    study: Study

    def trials(self) -> list[RunResult]:
        """What came of its trials; of those whose folders are there."""
        ran = [one for one in self.study.tries if one.run_id]
        folders = [RunFolder.of(self.search.at(one.values), one.run_id) for one in ran]
        return [result for folder in folders if (result := folder.result()) is not None]

    def repeats(self) -> list[Config]:
        """The configs of the best settings with the sweep's seeds; none where no trial is done."""
        best = self.study.chosen
        return [] if best is None else [self.search.at(best, seed) for seed in self.search.seeds]

    def save(self, final: Sequence[str] = ()) -> None:
        """Writes study.json as the search stands; repeats of the settings that are still the best stay in it."""
        tries, best = self.proposals.tries(), self.proposals.best()
        kept = self.study.final if best == self.study.chosen else ()
        final = tuple(dict.fromkeys([*kept, *final]))
        self.study = replace(self.study, tries=tries, chosen=best, final=final)
        self.folder.write("study.json", self.study.to_json().encode())


def _searched(searches: Sequence[Search], tune: Tune, crew: Crew, force: bool, held: ExitStack) -> list[_Row]:
    """The rows, each with its search done; those that share batches are searched together."""
    groups: dict[str, list[Search]] = {}
    for search in searches:
        groups.setdefault(config_key(shared_part(search.start)), []).append(search)
    rows: list[_Row] = []
    for group in groups.values():
        started = [_start(search, crew, tune, force, held) for search in group]
        _search(started, tune, crew, force)
        rows += started
    return rows


def _start(search: Search, crew: Crew, tune: Tune, force: bool, held: ExitStack) -> _Row:
    """Opens the study of a row, on from where it was cut off; with `force`, anew."""
    shared, _ = crew.sharing.of(search.start)
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
    proposals = Proposals(folder.path / JOURNAL, search, tune, maximize=MONITORS[start["monitor"]] == "max")
    study = Study(
        study_id=identifier,
        name=name,
        fixed=fixed,
        monitor=start["monitor"],
        seed=tune.seed,
        test_split=shared.test_fingerprint,
        sampler=tune.sampler,
        wanted=search.trials,
        space=dict(search.space),
    )
    return _Row(search, folder, proposals, _with_repeats(study, folder))


def _with_repeats(study: Study, folder: Folder) -> Study:
    """The study with what an earlier sweep chose and repeated; all else of study.json is also in the journal."""
    try:
        before = Study.from_json((folder.path / "study.json").read_text())
    except (OSError, ValueError):
        return study
    return replace(study, chosen=before.chosen, final=before.final)


def _search(rows: Sequence[_Row], tune: Tune, crew: Crew, force: bool) -> None:
    """Trains what the rows propose, a round of each row at once, until each has enough."""
    while asked := [(row, proposed) for row in rows for proposed in row.proposals.ask()]:
        crew.screen.stage = f"search, trial {min(proposed.number for _, proposed in asked) + 1}"
        _train(asked, tune, crew, force)
    for row in rows:
        row.save()
        crew.screen.note(_told(row.study))


def _train(asked: Sequence[tuple[_Row, Proposed]], tune: Tune, crew: Crew, force: bool) -> None:
    """Trains one round, and keeps the answers."""
    shared, _ = crew.sharing.of(asked[0][0].search.start)
    configs = [_possible(row, proposed, shared, crew.screen) for row, proposed in asked]
    row_of = {config_key(conf): row for conf, (row, _) in zip(configs, asked, strict=True) if conf is not None}

    def prune(conf: Config, values: Sequence[float]) -> bool:
        return row_of[config_key(conf)].proposals.prune(values)

    pruning = tune.pruning == "median"
    possible = [conf for conf in configs if conf is not None]
    results = iter(crew.train(possible, score_test=False, force=force, prune=prune if pruning else None))
    for (row, proposed), conf in zip(asked, configs, strict=True):
        if conf is None:
            row.proposals.tell(proposed, "", "failed", None)
            continue
        result = next(results)
        history = RunFolder.of(conf, result.run_id).history() if pruning else []
        values = [epoch[conf["monitor"]] for epoch in history if conf["monitor"] in epoch]
        row.proposals.tell(proposed, result.run_id, result.status, result.monitor_value, values)
    for row, _ in asked:
        row.save()


def _possible(row: _Row, proposed: Proposed, shared: Shared, screen: Screen) -> Config | None:
    """The config of a trial; None where its settings do not go together, or the loss refuses them: it has failed.

    ConfigError where that is so of a first trial whose settings are the YAMLs' own: that is the user's to mend.
    """
    try:
        conf = row.search.at(proposed.values)
        objective_of(conf, shared)
    except ConfigError as error:
        if proposed.values == row.search.first:
            raise
        screen.note(f"{row.study.name} failed: {error}")
        return None
    return conf


def _told(study: Study) -> str:
    done = f"{study.name}: {counted(study.completed(), 'trial')}"
    best = next((one for one in study.tries if one.values == study.chosen), None)
    if best is None or best.value is None:
        return f"{done}, none of them sound: nothing to repeat"
    settings = " ".join(f"{key}={typed(value)}" for key, value in best.values.items())
    return f"{done}, best {study.monitor} {best.value:.4f} with {settings}"
