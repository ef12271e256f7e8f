"""The rows of a comparison -> what the statistics say of them, for the pictures that show verdicts."""

from collections.abc import Mapping, Sequence

from mllc import statistics
from mllc.plots.intervals import Estimate
from mllc.report.comparison import Row, lower_is_better
from mllc.report.verdicts import worst
from mllc.result import RunResult
from mllc.statistics import Across, Difference

Values = dict[str, list[float]]


def paired_values(rows: Mapping[str, Row], metric: str) -> Values:
    """Row -> its figure for each of the seeds that all rows have; a run that diverged has the metric's worst.

    Rows that are not scored on the split that the best row is scored on, or lack the figure, are left out.
    """
    split = next((row.split for row in rows.values()), None)
    found = {name: values for name, row in rows.items() if row.split == split and (values := _by_seed(row, metric))}
    seeds = set.intersection(*map(set, found.values())) if found else set()
    return {name: [values[seed] for seed in sorted(seeds)] for name, values in found.items()} if seeds else {}


def estimates(rows: Mapping[str, Row], metric: str, baseline: str, region: float) -> list[Estimate]:
    """Every row with its mean and interval over seeds, and its difference to the baseline where that is a row."""
    values = paired_values(rows, metric)
    differences: dict[str, Difference] = {}
    if baseline in values:
        differences = statistics.compare(values, baseline, region=region, lower_is_better=lower_is_better(metric))
    found = []
    for name, row in rows.items():
        own = list(_by_seed(row, metric, done=True).values())
        one = differences.get(name)
        found.append(
            Estimate(
                name=name,
                mean=row.metrics.get(metric),
                interval=statistics.interval(own) if own else None,
                values=tuple(own),
                difference=(one.mean, one.low, one.high) if one else None,
                verdict=(one.verdict or "") if one else "",
                mark=("†" if row.split == "val" else "") + ("!" if row.split and row.status != "done" else ""),
            )
        )
    return found


def pairs(rows: Mapping[str, Row], metric: str, region: float) -> dict[tuple[str, str], Difference]:
    """Every pair of rows once; empty for fewer than two rows or two seeds in common."""
    values = paired_values(rows, metric)
    if len(values) < 2 or len(next(iter(values.values()))) < 2:
        return {}
    return statistics.pairwise(values, region=region, lower_is_better=lower_is_better(metric))


def over_data_sets(blocks: Sequence[Mapping[str, Row]], metric: str) -> Across | None:
    """The rows that every block has a figure of, over the data sets; None for fewer than two of either."""
    of_data: dict[str, Mapping[str, Row]] = {}
    for rows in filter(None, blocks):
        of_data.setdefault(str(next(iter(rows.values())).block.get("fingerprint")), rows)
    kept = list(of_data.values())
    common = [name for name in (kept[0] if kept else ()) if all(_mean(rows, name, metric) is not None for rows in kept)]
    if len(kept) < 2 or len(common) < 2:
        return None
    table = {name: [mean for rows in kept if (mean := _mean(rows, name, metric)) is not None] for name in common}
    return statistics.across(table, lower_is_better=lower_is_better(metric))


def _mean(rows: Mapping[str, Row], name: str, metric: str) -> float | None:
    return rows[name].metrics.get(metric) if name in rows and rows[name].split == "test" else None


def _by_seed(row: Row, metric: str, done: bool = False) -> dict[int, float]:
    """Seed -> figure; without `done`, the metric's worst for runs that diverged or failed. Empty if one lacks it."""
    found: dict[int, float] = {}
    for run in row.runs:
        value = _figure(run, row.split, metric) if run.status == "done" else worst(metric)
        if value is None:
            return {}
        if run.status == "done" or not done:
            found[run.seed] = value
    return found


def _figure(run: RunResult, split: str | None, metric: str) -> float | None:
    return ((run.test if split == "test" else run.val) or {}).get(metric)
