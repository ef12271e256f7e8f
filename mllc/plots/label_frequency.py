"""How well each label is found, against how often training had it: head, medium and tail."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mllc.plots import style
from mllc.plots.style import styled

Values = NDArray[np.float64]

GROUPS = ("tail", "medium", "head")

NEVER = 0.5
"""Where labels that training never had stand on the logarithmic axis; it is marked 0."""

MOST_DOTS = 400
"""Labels drawn one by one where there is one row."""


def terciles(counts: Values) -> tuple[float, float]:
    """The two counts that part the labels into tail, medium and head; labels of equal counts are not parted.

    >>> terciles(np.array([1.0, 2.0, 4.0, 5.0, 8.0, 9.0]))
    (3.0, 6.5)
    """
    ordered = np.sort(counts)
    ends = (ordered[max(0, len(ordered) * part // 3 - 1) :][:2].mean() for part in (1, 2))
    low, high = (float(end) for end in ends)
    return low, high


def running_median(counts: Values, values: Values, points: int = 40) -> tuple[Values, Values]:
    """(counts, medians) at up to `points` of the distinct counts: of the labels of this count and their neighbours.

    The neighbours are a tenth of the labels on either side in the order of the counts, at least 2. Labels without a
    value are left out.

    >>> [found.tolist() for found in running_median(np.array([1.0, 1, 2, 3, 4]), np.array([0.0, 4, 8, 2, 9]))]
    [[1.0, 2.0, 3.0, 4.0], [3.0, 4.0, 6.0, 8.0]]
    """
    known = np.isfinite(values)
    order = np.argsort(counts[known], kind="stable")
    x, y = counts[known][order], values[known][order]
    at = np.unique(x)
    at = at[style.thinned(len(at), points)]
    beside = max(2, len(x) // 10)
    first = np.maximum(np.searchsorted(x, at, side="left") - beside, 0)
    last = np.searchsorted(x, at, side="right") + beside
    return at, np.array([np.median(y[start:end]) for start, end in zip(first, last, strict=True)])


def by_group(counts: Values, values: Values) -> list[float]:
    """Mean of the values known of the labels in tail, medium and head (see `terciles`); NaN for none."""
    low, high = terciles(counts)
    groups = (counts <= low, (counts > low) & (counts <= high), counts > high)
    found = [values[group & np.isfinite(values)] for group in groups]
    return [float(one.mean()) if len(one) else float("nan") for one in found]


@styled
def draw(
    rows: Mapping[str, Values],
    counts: Values,
    *,
    title: str,
    axis: str,
    baseline: str | None = None,
    chance: Values | None = None,
    counted: str = "training samples",
) -> Figure:
    """Left: running median over the labels of each row (of a single row its labels too). Right: mean in each third.

    rows     row -> a value a label, NaN where it has none
    counts   positives of each label in training
    chance   the value of each label in a random order
    counted  where the positives are counted
    """
    figure, [[curves, groups]] = style.panels(1, 2, (9.5, 4.3), title, width_ratios=[3, 2], sharey=True)
    shown = style.looks(list(rows), baseline)
    low, high = terciles(counts)
    places = np.maximum(counts, NEVER)
    for name, look in shown.items():
        values = rows[name]
        if len(rows) == 1:
            dots = style.thinned(len(counts), MOST_DOTS)
            curves.plot(places[dots], values[dots], linestyle="none", marker=".", color="0.6", zorder=1.5)
        x, y = running_median(places, values)
        curves.plot(x, y, **look.line(len(x)))
        groups.plot(range(3), by_group(counts, values), **look.line(1))
    if chance is not None:
        curves.plot(*running_median(places, chance), **style.CHANCE)
        groups.plot(range(3), by_group(counts, chance), **style.CHANCE)
    if places.max() > 3 * places.min():
        style.log_scale(curves)
        if places.min() < 1:
            curves.set_xticks([NEVER, *(tick for tick in curves.get_xticks() if tick >= 1)])
            curves.xaxis.set_major_formatter(lambda value, _: "0" if value == NEVER else style.plain(value))
    edges = max(low, NEVER), max(high, NEVER)
    for edge in set(edges):
        curves.axvline(edge, color="0.6", linewidth=0.8, linestyle=(0, (2, 2)), zorder=1)
    left, right = curves.get_xlim()
    for name, start, end in zip(GROUPS, (left, *edges), (*edges, right), strict=True):
        if end > start:
            middle = (start * end) ** 0.5 if curves.get_xscale() == "log" else (start + end) / 2
            style.note(
                curves, name, (middle, 1), ("data", "axes fraction"), (0, 2), ha="center", va="bottom", color="0.35"
            )
    curves.set_xlim(left, right)
    curves.set_ylim(-0.03, 1.03)
    curves.set_xlabel(f"{counted} with the label (count)")
    curves.set_ylabel(f"{axis}, running median (0 to 1)")
    groups.set_ylabel("mean of the third (0 to 1)")
    groups.tick_params(axis="y", labelleft=True)
    parts = ("up to", low), ("up to", high), ("over", high)
    names = [f"{name}\n{words} {style.plain(np.floor(end))}" for name, (words, end) in zip(GROUPS, parts, strict=True)]
    groups.set_xticks(range(3), names)
    groups.set_xlim(-0.35, 2.35)
    groups.set_xlabel(f"third of the labels ({counted} each)")
    style.legend(figure, shown, [] if chance is None else [style.key("random order", **style.CHANCE)])
    return figure
