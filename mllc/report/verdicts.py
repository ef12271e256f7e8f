"""Which rows of a comparison differ, and by how much: each against the baseline, over the seeds that pair."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mllc.report.comparison import Row, label, lower_is_better
from mllc.result import RunResult
from mllc.statistics import Difference, compare, interval, pairwise


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


Seed = tuple[int, str | None]
"""A repeat and the split it was made on: what two runs must share to be a pair."""


def judged(rows: Sequence[Row], asked: Question = Question()) -> list[Row]:
    """The rows of one block with their rank, the interval of their mean, and their difference from the baseline.

    Only figures on test are ranked and compared. A seed that diverged or failed enters with the worst value that the
    metric has. Seeds pair if all compared rows have them, on the same split.
    """
    trained = [row for row in rows if row.runs]
    found = differences(trained, asked)
    places = {label(row): place for place, row in enumerate([row for row in trained if row.split == "test"], 1)}

    def judge(row: Row) -> Row:
        name = label(row)
        spread = interval(seed_values(row, asked.metric))
        return replace(row, rank=places.get(name), interval=spread, difference=found.get(name))

    return [judge(row) if row.runs else row for row in rows]


def differences(trained: Sequence[Row], asked: Question) -> dict[str, Difference]:
    """Label -> difference from the baseline, of the rows that have seeds in common with it."""
    values = paired_values(trained, asked.metric, asked.baseline)
    lower = lower_is_better(asked.metric)
    return compare(values, asked.baseline, region=asked.region, lower_is_better=lower) if values else {}


def every_pair(trained: Sequence[Row], asked: Question) -> dict[tuple[str, str], Difference]:
    """(label, label) -> difference of the first from the second, of all rows that pair with the first of all."""
    values = paired_values(trained, asked.metric, label(trained[0])) if trained else {}
    lower = lower_is_better(asked.metric)
    return pairwise(values, region=asked.region, lower_is_better=lower) if values else {}


def paired_values(trained: Sequence[Row], metric: str, anchor: str) -> dict[str, list[float]]:
    """Label -> its value for each seed that all rows share; of rows that share none with the row `anchor`, nothing.

    Empty where the anchor has no figures on test, or where nothing pairs.
    """
    values = {label(row): _values(row, metric) for row in trained if row.split == "test"}
    wanted = values.get(anchor, {}).keys()
    values = {name: found for name, found in values.items() if found.keys() & wanted}
    common = set(wanted).intersection(*(found.keys() for found in values.values()))
    if not common or len(values) < 2:
        return {}
    return {name: [found[seed] for seed in sorted(common, key=str)] for name, found in values.items()}


def seed_values(row: Row, metric: str) -> list[float]:
    """The values whose mean the row shows, one a seed that is done; none where one of them lacks it."""
    figures = [run.test if row.split == "test" else run.val for run in row.runs if run.status == "done"]
    values = [value for one in figures if (value := (one or {}).get(metric)) is not None]
    return values if len(values) == len(figures) else []


def worst(metric: str) -> float:
    """The value that a run without any counts for."""
    return 1.0 if lower_is_better(metric) else 0.0


def _values(row: Row, metric: str) -> dict[Seed, float]:
    found = {(run.seed, run.data.get("split")): _value(run, metric) for run in row.runs}
    return {seed: value for seed, value in found.items() if value is not None}


def _value(run: RunResult, metric: str) -> float | None:
    """On test; None where it is undefined."""
    return (run.test or {}).get(metric) if run.status == "done" else worst(metric)
