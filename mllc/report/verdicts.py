"""Which rows of a comparison differ, and by how much: each against the baseline, over the seeds that pair."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from statistics import fmean
from typing import TypeVar

from mllc.report.comparison import Row, label, lower_is_better
from mllc.result import RunResult
from mllc.statistics import Difference, interval, paired


@dataclass(frozen=True)
class Question:
    """What a comparison is asked, before anyone looks.

    metric    the one figure that ranks the rows and that verdicts speak of; the others describe
    baseline  the row that the others are held against; without such a row there are no verdicts
    region    of practical equivalence: a difference below it, half a point of the metric, matters to nobody
    """

    metric: str = "map"
    baseline: str = "bce"
    region: float = 0.005


Key = TypeVar("Key", bound=Hashable)

Seed = tuple[int, str | None]
"""A repeat and the split it was made on: what two runs must share to be a pair."""


def judged(rows: Sequence[Row], asked: Question = Question()) -> list[Row]:
    """The rows of one block with their rank, the interval of their mean, and their difference from the baseline.

    Only figures on test are ranked and compared. A seed that diverged or failed enters with the worst value that the
    metric has, and so do all seeds of a row that has no other; a search without a sound trial, which has no seeds to
    repeat, enters with it on those of the other row. Two rows pair over the seeds that both have, on the
    same split.
    """
    trained = [row for row in rows if row.runs]
    found = differences(trained, asked)
    places = {label(row): place for place, row in enumerate([row for row in trained if row.split == "test"], 1)}

    def judge(row: Row) -> Row:
        name = label(row)
        spread = interval(seed_values(row, asked.metric), overlap=overlap(row))
        return replace(row, rank=places.get(name), interval=spread, difference=found.get(name))

    return [judge(row) if row.runs else row for row in rows]


def differences(trained: Sequence[Row], asked: Question) -> dict[str, Difference]:
    """Label -> difference from the baseline, of the rows that have seeds in common with it."""
    base = next((row for row in trained if label(row) == asked.baseline and row.split == "test"), None)
    if base is None:
        return {}
    return _compared({label(row): (row, base) for row in trained if row is not base}, asked)


def every_pair(trained: Sequence[Row], asked: Question) -> dict[tuple[str, str], Difference]:
    """(label, label) -> difference of the first from the second, of all rows that have seeds in common."""
    return _compared({(label(one), label(other)): (one, other) for one, other in combinations(trained, 2)}, asked)


def mean_of_all_seeds(row: Row, metric: str) -> float | None:
    """The mean on test over the row's seeds, those that diverged or failed among them; None where a seed has none."""
    values = _values(row, metric)
    return fmean(values.values()) if values and len(values) == len(row.runs) else None


def seed_values(row: Row, metric: str) -> list[float]:
    """The values whose mean the row shows, one a seed that is done; none where one of them lacks it."""
    figures = [run.test if row.split == "test" else run.val for run in row.runs if run.status == "done"]
    values = [value for one in figures if (value := (one or {}).get(metric)) is not None]
    return values if len(values) == len(figures) else []


def seed_of(run: RunResult) -> Seed:
    return run.seed, run.data.get("split")


def overlap(row: Row) -> float:
    """Test samples over training samples, where a row's repeats share training samples by design: of folds."""
    folds = row.block.get("split.folds")
    return 1 / (folds - 1) if isinstance(folds, int) and folds > 1 else 0.0


def worst(metric: str) -> float:
    """The value that a run without any counts for."""
    return 1.0 if lower_is_better(metric) else 0.0


def _compared(pairs: Mapping[Key, tuple[Row, Row]], asked: Question) -> dict[Key, Difference]:
    """The pairs that have seeds in common, unless neither row has a figure."""
    shared: dict[Key, tuple[list[float], list[float]]] = {}
    for key, rows in pairs.items():
        one, other = (_values(row, asked.metric) for row in rows)
        if _hopeless(rows[0]):
            one = dict.fromkeys(other, worst(asked.metric))
        elif _hopeless(rows[1]):
            other = dict.fromkeys(one, worst(asked.metric))
        seeds = sorted(one.keys() & other.keys(), key=str)
        if seeds and "test" in (row.split for row in rows):
            shared[key] = [one[seed] for seed in seeds], [other[seed] for seed in seeds]
    shares = max((overlap(row) for rows in pairs.values() for row in rows), default=0.0)
    return paired(shared, region=asked.region, lower_is_better=lower_is_better(asked.metric), overlap=shares)


def _hopeless(row: Row) -> bool:
    """Whether a search found nothing that trains."""
    return bool(row.studies) and "done" not in row.statuses and not any(study.final for study in row.studies)


def _values(row: Row, metric: str) -> dict[Seed, float]:
    """On test, without the seeds on which the figure is undefined; nothing for a row that was scored on validation."""
    if row.split == "val":
        return {}
    found = {seed_of(run): _value(run, metric) for run in row.runs}
    return {seed: value for seed, value in found.items() if value is not None}


def _value(run: RunResult, metric: str) -> float | None:
    return (run.test or {}).get(metric) if run.status == "done" else worst(metric)
