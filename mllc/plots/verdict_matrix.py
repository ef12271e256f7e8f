"""Every pair of rows at a glance: is the row better than the column, worse, equivalent, or is it not known?"""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.textpath import TextPath

from mllc.plots import style
from mllc.plots.style import COLORS, styled


def _letter(letter: str) -> Path:
    """A letter as a marker, about its middle."""
    path = TextPath((0, 0), letter, size=10)
    center = path.get_extents().get_points().mean(0)
    return Path(path.vertices - center, path.codes)


SIGNS: dict[str, dict[str, Any]] = {
    "better": {"marker": "^", "color": COLORS[0]},
    "worse": {"marker": "v", "color": COLORS[1], "markerfacecolor": "white"},
    "equivalent": {"marker": _letter("="), "color": "black", "markeredgewidth": 0},
    "inconclusive": {"marker": _letter("?"), "color": "0.35", "markeredgewidth": 0},
}
CELLS = {"better": "#d3e6f3", "worse": "#fbe6d8", "equivalent": "0.9", "inconclusive": "white"}

MOST_NUMBERS = 12
"""Rows up to which the cells show the differences as well."""


@styled
def draw(
    names: Sequence[str],
    verdicts: Mapping[tuple[str, str], str],
    *,
    title: str,
    differences: Mapping[tuple[str, str], float] | None = None,
    unit: str = "",
) -> Figure:
    """A cell a pair: the row against the column. Pairs that `verdicts` does not have stay empty.

    differences  mean of row minus column, written into the cells of up to MOST_NUMBERS rows, in hundredths
    unit         of what is compared, such as mAP
    """
    number = len(names)
    numbers = (differences or {}) if number <= MOST_NUMBERS else {}
    cell = 0.52 if numbers else 0.24
    figure, [[axes]] = style.panels(1, 1, (max(4.6, cell * number + 2.6), cell * number + 2.5), title)
    axes.set_aspect("equal")
    places = {name: place for place, name in enumerate(names)}
    handles = []
    for verdict, look in SIGNS.items():
        pairs = [(places[column], places[row]) for (row, column), word in verdicts.items() if word == verdict]
        if pairs:
            cells = Path.make_compound_path(*(_square(x, y) for x, y in pairs))
            axes.add_patch(PathPatch(cells, facecolor=CELLS[verdict], linewidth=0, zorder=1))
        up = 0.18 if numbers else 0.0
        sign = {"linestyle": "none", "markersize": 6.5, "markeredgewidth": 0.8} | look
        axes.plot([x for x, _ in pairs], [y - up for _, y in pairs], **sign)
        handles.append(style.key(verdict, **sign))
    for (row, column), difference in numbers.items():
        if (row, column) in verdicts:
            text = f"{100 * difference:+.1f}".replace("-", style.MINUS)
            axes.text(places[column], places[row] + 0.2, text, ha="center", va="center", size=8)
    axes.plot([-0.5, number - 0.5], [-0.5, number - 0.5], color="0.85", linewidth=1)
    short = [style.shorten(name, 24) for name in names]
    axes.set_xticks(range(number), short, rotation=90)
    axes.set_yticks(range(number), short)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.set(xlim=(-0.5, number - 0.5), ylim=(number - 0.5, -0.5))
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    words = f"\nnumbers: mean difference, row minus column, in hundredths of {unit}" if numbers and unit else ""
    axes.set_xlabel("the row is … than the column" + words, fontsize=8)
    figure.legend(handles=handles, loc="outside lower center", ncols=4 if cell * number > 3 else 2, handlelength=1.5)
    return figure


def _square(x: int, y: int) -> Path:
    left, right, top, bottom = x - 0.5, x + 0.5, y - 0.5, y + 0.5
    return Path([(left, top), (right, top), (right, bottom), (left, bottom), (left, top)], closed=True)
