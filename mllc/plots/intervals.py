"""The comparison: each row's mean with its interval, and its paired difference to the baseline."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from mllc.plots import style
from mllc.plots.style import COLORS, styled

VERDICTS = {"better": COLORS[0], "worse": COLORS[1], "equivalent": "0.35", "inconclusive": "0.35"}
SEED: dict[str, Any] = {"linestyle": "none", "marker": "|", "color": "0.55", "markersize": 6}
BASELINE: dict[str, Any] = {"color": "0.3", "linestyle": (0, (5, 2)), "linewidth": 1}
REGION = "0.88"
HOLLOW: dict[str, Any] = {"linestyle": "none", "marker": "o", "color": COLORS[0], "markerfacecolor": "white"}
MARKS = {"†": "† on validation: not scored on test", "!": "! seeds diverged or failed"}


@dataclass(frozen=True)
class Estimate:
    """One row of the picture.

    mean        None: it has no figures
    interval    (low, high), or None where there is none, as with one seed
    values      one a seed
    difference  (mean, low, high) of the paired differences to the baseline, or None; low and high may be None
    verdict     better, worse, equivalent, inconclusive, or empty
    mark        keys of MARKS, written beside its name; such a row is drawn hollow
    """

    name: str
    mean: float | None
    interval: tuple[float, float] | None = None
    values: tuple[float, ...] = ()
    difference: tuple[float, float | None, float | None] | None = None
    verdict: str = ""
    mark: str = ""


@styled
def draw(
    rows: Sequence[Estimate],
    *,
    title: str,
    axis: str,
    baseline: str | None = None,
    region: float | None = None,
    bounds: tuple[float, float] = (-math.inf, math.inf),
    repeat: str = "seed",
) -> Figure:
    """The rows from top to bottom; with a second panel if any of them has a difference.

    axis    what the values are, with their unit
    region  half the width of the region of practical equivalence around the baseline, shaded
    bounds  least and largest value that there can be: an interval may pass them, the axis does not
    repeat  what the values of a row differ in: seed or fold
    """
    paired = any(row.difference for row in rows)
    size = (9.5 if paired else 6.5, 0.27 * len(rows) + 1.75)
    widths = [3, 2] if paired else [1]
    figure, [[values, *rest]] = style.panels(1, len(widths), size, title, sharey=True, width_ratios=widths)
    reference = next((row.mean for row in rows if row.name == baseline), None)
    if reference is not None:
        _reference(values, reference, region)
    for place, row in enumerate(rows):
        if row.mean is None:
            style.note(values, "no figures", (0.5, place), ("axes fraction", "data"), ha="center", va="center")
        else:
            values.plot(row.values, [place] * len(row.values), **SEED)
            _bar(values, place, row.mean, row.interval, COLORS[0], hollow=bool(row.mark))
    values.set_yticks(range(len(rows)), [f"{style.shorten(row.name)} {row.mark}".rstrip() for row in rows])
    values.set_ylim(len(rows) - 0.4, -0.6)
    values.set_xlabel(axis)
    values.grid(axis="y", visible=False)
    _limit(values, bounds[0] - 0.02, bounds[1] + 0.02)
    for axes in rest:
        _differences(axes, rows, region)
        _limit(axes, bounds[0] - bounds[1], bounds[1] - bounds[0])
        axes.set_xlabel(f"difference to {style.shorten(str(baseline))}, paired by {repeat}")
    several = any(row.interval for row in rows)
    spread = f"mean and 95 % interval over {repeat}s" if several else f"one {repeat}: no interval"
    handles: list[Artist] = [
        style.key(spread, color=COLORS[0], marker="o", markersize=6),
        style.key(f"one {repeat}", **SEED),
    ]
    if reference is not None:
        handles.append(style.key(f"baseline {style.shorten(str(baseline))}", **BASELINE))
        handles += [Patch(facecolor=REGION, label=f"± {region:g}: equivalent in practice")] if region else []
    marks = {mark for row in rows for mark in row.mark}
    handles += [style.key(words, **HOLLOW) for mark, words in MARKS.items() if mark in marks]
    figure.legend(handles=handles, loc="outside lower center", ncols=4 if paired else 2)
    return figure


def _differences(axes: Axes, rows: Sequence[Estimate], region: float | None) -> None:
    _reference(axes, 0.0, region)
    for place, row in enumerate(rows):
        if row.difference is not None:
            mean, low, high = row.difference
            interval = None if low is None or high is None else (low, high)
            color = VERDICTS.get(row.verdict, COLORS[0])
            _bar(axes, place, mean, interval, color, hollow=bool(row.mark))
            style.note(axes, row.verdict, (1, place), ("axes fraction", "data"), (4, 0), va="center", color=color)
    axes.tick_params(axis="y", length=0)
    axes.locator_params(axis="x", nbins=5)
    axes.grid(axis="y", visible=False)


def _reference(axes: Axes, at: float, region: float | None) -> None:
    axes.axvline(at, zorder=1, **BASELINE)
    if region:
        axes.axvspan(at - region, at + region, color=REGION, linewidth=0, zorder=0.5)


def _bar(axes: Axes, place: int, mean: float, interval: tuple[float, float] | None, color: str, hollow: bool) -> None:
    if interval is not None:
        axes.plot(interval, [place, place], color=color, linewidth=2, solid_capstyle="butt", marker="|", markersize=7)
    face = "white" if hollow else color
    axes.plot([mean], [place], marker="o", markersize=6, color=color, markerfacecolor=face, linestyle="none")


def _limit(axes: Axes, least: float, most: float) -> None:
    low, high = axes.get_xlim()
    axes.set_xlim(max(low, least), min(high, most))
