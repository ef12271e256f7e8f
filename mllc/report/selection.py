"""Which settings a row of a comparison stands for: runs -> blocks -> groups -> the settings that validation chose."""

import json
import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from mllc.errors import ConfigError
from mllc.monitors import MONITORS
from mllc.result import RunResult
from mllc.study import Study
from mllc.suggest import did_you_mean

FIELDS = ("name", "loss", "optimizer", "backbone", "dataset", "monitor", "seed", "run_id")
"""Fields of a RunResult that `by` may name, beside the keys of its `settings` and `shared`."""


@dataclass(frozen=True)
class Selected:
    """The settings chosen for one group.

    block     what the compared groups have in common: data, backbone, monitor and the shared settings
    group     the keys of `by` with this group's values
    settings  what was chosen: loss, optimizer and every setting that is neither in `block` nor in `group`
    runs      the runs of the chosen settings, one a repeat (a seed, or a seed and a fold), by seed
    trials    every run of the group, the chosen ones among them
    tried     how many settings the group's trials had; of searches, how many trials they completed
    too_few   how many of them did not compete, because others have more seeds
    studies   the searches that the settings come from
    apart     how many runs did not compete because they are no part of these searches
    """

    block: dict[str, Any]
    group: dict[str, Any]
    settings: dict[str, Any]
    runs: tuple[RunResult, ...]
    trials: tuple[RunResult, ...]
    tried: int
    too_few: int
    studies: tuple[Study, ...] = ()
    apart: int = 0


def select(results: Iterable[RunResult], by: str = "loss", studies: Iterable[Study] = ()) -> list[Selected]:
    """For each group, the settings with the best mean of the monitor on validation over their seeds.

    by       keys separated by commas: a field (loss, optimizer, backbone, ...) or a setting (`loss.gamma`,
             `batch_size`). `loss` is the row's name, which is the loss unless the config named the row.
    studies  searches. Where one has chosen settings and repeated them, only these repeats compete for the group: its
             trials served to find them, and other runs had no search. Before that, runs that are no trials do (those
             of the row with the seed of the search are taken for trials); if there are none, the trials

    Groups are compared within a block (same data, backbone, monitor and shared settings, those in `by` apart).
    Only the settings with the most seeds compete: a mean of one lucky seed would beat a mean of three. A run that
    diverged or failed counts as the worst value there is, so settings with fewer of them come first. Ties go to the
    settings that come first in alphabetical order. Raises ConfigError for a key that no run has.
    """
    results = list(results)
    keys = group_keys(by, results)
    blocks: dict[str, dict[str, list[RunResult]]] = {}
    for result in results:
        groups = blocks.setdefault(_canonical(block_of(result, keys)), {})
        groups.setdefault(_canonical(_group_of(result, keys)), []).append(result)
    searches = _Searches(studies)
    return [_choose(trials, keys, searches) for groups in blocks.values() for trials in groups.values()]


def group_keys(by: str, results: Iterable[RunResult]) -> tuple[str, ...]:
    """The keys in `by`, checked against what the runs have.

    >>> group_keys("loss, optimizer", [])
    ('loss', 'optimizer')
    """
    keys = tuple(dict.fromkeys(key.strip() for key in by.split(",") if key.strip()))
    known = set(FIELDS).union(*(result.settings.keys() | result.shared.keys() for result in results))
    for key in keys or (by,):
        if key not in known:
            raise ConfigError(
                f"--by {key!r}: no run has it{did_you_mean(key, sorted(known))} Known: {', '.join(sorted(known))}"
            )
    return keys


def block_of(result: RunResult, keys: Collection[str]) -> dict[str, Any]:
    """What a run must share with another to be compared with it under `keys`."""
    fixed = {"dataset": result.dataset, "fingerprint": result.data.get("fingerprint"), "monitor": result.monitor}
    return fixed | {key: value for key, value in _shared(result).items() if not _freed(key, keys)}


def _group_of(result: RunResult, keys: Collection[str]) -> dict[str, Any]:
    return {key: _value(result, key) for key in keys}


def _settings_of(result: RunResult, keys: Collection[str]) -> dict[str, Any]:
    freed = {key: value for key, value in _shared(result).items() if _freed(key, keys)}
    settings = {"optimizer": result.optimizer, **result.settings, **freed}
    return {"loss": result.loss} | {key: value for key, value in settings.items() if key not in keys}


def _shared(result: RunResult) -> dict[str, Any]:
    return {"backbone": result.backbone, **result.shared}


def _freed(key: str, keys: Collection[str]) -> bool:
    """Whether a shared key may differ within a block: it is compared, or belongs to the backbones that are."""
    return key in keys or ("backbone" in keys and key.startswith("backbone."))


def _value(result: RunResult, key: str) -> Any:
    if key in FIELDS:
        return getattr(result, "name" if key == "loss" else key)
    return result.settings.get(key, result.shared.get(key))


class _Searches:
    """Which runs are the trials of a search, and which the repeats of what it chose."""

    def __init__(self, studies: Iterable[Study]) -> None:
        studies = list(studies)
        self.trials = {one.run_id: study for study in studies for one in study.tries}
        self.repeats = {run_id: study for study in studies for run_id in study.final}
        self.seeds = {(study.name, study.seed) for study in studies}

    def competing(self, runs: list[RunResult]) -> tuple[list[RunResult], list[Study], int]:
        """The runs of a group that compete, the searches behind them, and how many runs are no part of these."""
        repeats = [run for run in runs if run.run_id in self.repeats]
        # a search that is under way has not listed its last trials yet
        others = [run for run in runs if run.run_id not in self.trials and (run.name, run.seed) not in self.seeds]
        behind = self.repeats if repeats else {} if others else self.trials
        studies = {behind[run.run_id].study_id: behind[run.run_id] for run in runs if run.run_id in behind}
        return repeats or others or runs, list(studies.values()), len(others) - len(repeats) if repeats else 0


def _choose(trials: list[RunResult], keys: Collection[str], searches: _Searches) -> Selected:
    candidates: dict[str, dict[tuple[int, int], RunResult]] = {}
    competitors, studies, apart = searches.competing(trials)
    for run in sorted(competitors, key=lambda run: (run.repeat, run.test is None, run.run_id)):
        candidates.setdefault(_canonical(_settings_of(run, keys)), {}).setdefault(run.repeat, run)
    most = max(len(runs) for runs in candidates.values())
    competing = {text: list(runs.values()) for text, runs in candidates.items() if len(runs) == most}
    runs = competing[min(competing, key=lambda text: (*_rank(competing[text]), text))]
    return Selected(
        block=block_of(runs[0], keys),
        group=_group_of(runs[0], keys),
        settings=_settings_of(runs[0], keys),
        runs=tuple(runs),
        trials=tuple(trials),
        tried=sum(study.completed() for study in studies) if studies else len(candidates),
        too_few=0 if studies else len(candidates) - len(competing),
        studies=tuple(studies),
        apart=apart,
    )


def _rank(runs: list[RunResult]) -> tuple[int, float]:
    """Sort key of a candidate, the best first: runs without a value, then the mean of the others."""
    sign = -1.0 if MONITORS.get(runs[0].monitor, "max") == "max" else 1.0
    values = [run.monitor_value for run in runs if run.status == "done" and run.monitor_value is not None]
    values = [value for value in values if math.isfinite(value)]
    return len(runs) - len(values), sign * fmean(values) if values else 0.0


def _canonical(values: dict[str, Any]) -> str:
    return json.dumps(values, sort_keys=True, default=str)
