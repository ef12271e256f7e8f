"""RunResults -> the rows of a comparison: one a group with its chosen settings, and the baselines beside them."""

import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from statistics import fmean, stdev
from typing import Any

from mllc.errors import ConfigError
from mllc.report.selection import Selected, select
from mllc.result import BASELINES, Metrics, RunResult
from mllc.statistics import Difference
from mllc.study import Study
from mllc.suggest import did_you_mean
from mllc.wording import counted

DESCRIPTIVE = ("labels_", "true_labels_", "map_chance")
"""How figures begin that order nothing: neither their large nor their small values are better."""


@dataclass(frozen=True)
class Row:
    """One row: the chosen settings of a group, averaged over seeds, or a baseline.

    block        what the rows of one comparison have in common, see `mllc.report.selection.Selected`
    group        the keys of `by` and this row's values; a baseline has its name in the first of them
    name, loss   the row's name in the config, and its loss; of a baseline, the baseline's name
    status       done, diverged or failed (if any of its runs did), or baseline; `statuses` has one a seed
    split        what the figures are of: test; val where the chosen runs were not scored on test; None: no figures
    metrics      mean over the seeds that are done; `std` is their sample standard deviation, None for one seed
    collapsed    the commonest verdict of the runs that collapsed; None: none did
    collapses    verdict -> number of runs, the commonest first
    ranks        whether all that collapsed rank well, so that only their threshold is wrong
    settings     all settings of the chosen runs; `chosen` has those of which some group had a choice
    trials       number of runs the row was chosen from; `trials_failed` of them diverged or failed
    tried        number of settings that these runs had; `too_few` of them did not compete, for others have more seeds
    seconds      training time of all these runs
    runs         the runs that the figures are of, by seed
    folds        the fold that each of these runs was tested on, where they are a cross-validation
    studies      the searches that chose the settings; none where every combination was tried
    apart        number of runs that did not compete because they are no part of these searches
    rank, interval, difference   what `mllc.report.verdicts.judged` adds: the place by the metric, from 1; the 95 % t
                 interval of its mean over seeds; the difference from the baseline
    """

    dataset: str
    backbone: str | None
    name: str
    loss: str
    optimizer: str | None
    seeds: tuple[int, ...]
    status: str
    split: str | None
    metrics: Metrics
    std: Metrics
    block: dict[str, Any]
    group: dict[str, Any]
    statuses: tuple[str, ...] = ()
    collapsed: str | None = None
    collapses: dict[str, int] = field(default_factory=dict)
    ranks: bool | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    chosen: dict[str, Any] = field(default_factory=dict)
    trials: int = 0
    trials_failed: int = 0
    tried: int = 0
    too_few: int = 0
    seconds: float = 0.0
    runs: tuple[RunResult, ...] = ()
    folds: tuple[int, ...] = ()
    studies: tuple[Study, ...] = ()
    apart: int = 0
    rank: int | None = None
    interval: tuple[float, float] | None = None
    difference: Difference | None = None


def rows(
    results: Iterable[RunResult], by: str = "loss", metric: str = "map", studies: Iterable[Study] = ()
) -> list[Row]:
    """The rows of each comparable block, the best `metric` first, its baselines last.

    Rows that cannot be compared on test follow those that can: first those with a seed that diverged or failed, then
    those not scored on test, then those without figures. ConfigError for a `metric` that no row has, or DESCRIPTIVE.
    """
    made: list[Row] = []
    for _, group in groupby(select(results, by, studies), key=lambda selected: selected.block):
        block = list(group)
        varying = set[tuple[str, str]]().union(*(_varying(selected.trials) for selected in block))
        trained = [_row(selected, varying) for selected in block]
        made += [*sorted(trained, key=lambda row: _order(row, metric)), *_baselines(block, trained)]
    known = sorted({name for row in made for name in row.metrics if not name.startswith(DESCRIPTIVE)})
    if known and metric not in known:
        wrong = (
            "has no better and worse." if metric.startswith(DESCRIPTIVE) else f"is unknown{did_you_mean(metric, known)}"
        )
        raise ConfigError(f"--metric {metric!r} {wrong} Known: {', '.join(known)}")
    return made


def label(row: Row) -> str:
    """What a row is called: its values of `by`, with a dash for a key that it lacks but for the last ones."""
    values = list(row.group.values())
    while len(values) > 1 and values[-1] is None:
        values.pop()
    return " ".join("-" if value is None else str(value) for value in values)


def repeats(number: int, rows: Sequence[Row]) -> str:
    """So many repeats of `rows`, as they are called: seeds, or the folds of a cross-validation."""
    return counted(number, repeat_word(rows))


def repeat_word(rows: Sequence[Row]) -> str:
    return "fold" if any(row.folds for row in rows) else "seed"


def lower_is_better(metric: str) -> bool:
    """Whether the best row has the smallest value."""
    return metric.startswith(("hamming_loss", "never_predicted"))


def _order(row: Row, metric: str) -> tuple[int, float, str]:
    value = row.metrics.get(metric)
    if value is None:
        tier = 3
    elif row.split != "test":
        tier = 2
    else:
        tier = int(row.status != "done")
    return tier, (value or 0.0) * (1 if lower_is_better(metric) else -1), str(row.group)


def _row(selected: Selected, varying: set[tuple[str, str]]) -> Row:
    runs = selected.runs
    if any(run.test for run in runs):  # a trial whose study.json is gone looks like one more seed, but was not scored
        runs = tuple(run for run in runs if run.test or run.status != "done")
    first = runs[0]
    done = [run for run in runs if run.status == "done"]
    split = "test" if done and all(run.test for run in done) else "val" if any(run.val for run in done) else None
    figures = [(run.test if split == "test" else run.val) or {} for run in done] if split else []
    collapses = [run.collapse for run in done if run.collapse.get("verdict")]
    verdicts = dict(Counter(c["verdict"] for c in collapses).most_common())
    bad = [run.status for run in runs if run.status != "done"]
    return Row(
        dataset=first.dataset,
        backbone=first.backbone,
        name=first.name,
        loss=first.loss,
        optimizer=first.optimizer,
        seeds=tuple(run.seed for run in runs),
        status="diverged" if "diverged" in bad else "failed" if bad else "done",
        split=split,
        metrics=_over_seeds(figures, _mean),
        std=_over_seeds(figures, _std),
        block=selected.block,
        group=selected.group,
        statuses=tuple(run.status for run in runs),
        collapsed=next(iter(verdicts), None),
        collapses=verdicts,
        ranks=all(c.get("ranks") for c in collapses) if collapses else None,
        settings=selected.settings,
        chosen={
            key: value
            for key, value in selected.settings.items()
            if (_scope(key, first.loss), key) in varying and selected.group.get(key) != value
        },
        trials=len(selected.trials),
        trials_failed=sum(run.status in ("diverged", "failed") for run in selected.trials),
        tried=selected.tried,
        too_few=selected.too_few,
        seconds=sum(run.seconds for run in selected.trials),
        runs=runs,
        folds=tuple(run.fold for run in runs if run.fold is not None),
        studies=selected.studies,
        apart=selected.apart,
    )


def _baselines(block: Sequence[Selected], trained: Sequence[Row]) -> list[Row]:
    """The baselines on the split that the rows are scored on, averaged over seeds (whose splits may differ)."""
    split = "test" if any(row.split == "test" for row in trained) else "val"
    by_repeat = {run.repeat: run for selected in block for run in selected.trials if run.baselines.get(split)}
    runs = [by_repeat[repeat] for repeat in sorted(by_repeat)]
    return [
        Row(
            dataset=runs[0].dataset,
            backbone=block[0].block.get("backbone"),
            name=name,
            loss=name,
            optimizer=None,
            seeds=tuple(run.seed for run in runs),
            status="baseline",
            split=split,
            metrics=_over_seeds(figures, _mean),
            std=_over_seeds(figures, _std),
            block=block[0].block,
            group=dict.fromkeys(block[0].group) | {next(iter(block[0].group)): name},
        )
        for name in BASELINES
        if (figures := [run.baselines[split][name] for run in runs if name in run.baselines[split]])
    ]


def _varying(runs: Iterable[RunResult]) -> set[tuple[str, str]]:
    """(scope, key) of the settings of which the trials have several values."""
    values: dict[tuple[str, str], set[str]] = {}
    for run in runs:
        for key, value in {"loss": run.loss, "optimizer": run.optimizer, **run.shared, **run.settings}.items():
            values.setdefault((_scope(key, run.loss), key), set()).add(json.dumps(value, sort_keys=True))
    return {pair for pair, found in values.items() if len(found) > 1}


def _scope(key: str, loss: str) -> str:
    """A loss's own settings differ from those of other losses by nature: they are compared within one loss."""
    return loss if key.startswith("loss.") else ""


def _over_seeds(figures: Sequence[Metrics], summary: Any) -> Metrics:
    names = dict.fromkeys(name for one in figures for name in one)
    return {name: summary([one.get(name) for one in figures]) for name in names}


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None and math.isfinite(value)]
    return fmean(known) if known and len(known) == len(values) else None


def _std(values: Sequence[float | None]) -> float | None:
    return stdev(v for v in values if v is not None) if len(values) > 1 and _mean(values) is not None else None
