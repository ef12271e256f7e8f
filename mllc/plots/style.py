"""The look that every picture shares: readable in greyscale and by the colour-blind, on a light background.

A drawing function is `@styled`, so that matplotlib's settings hold while it draws and are put back afterwards, and
makes its figure by `panels`; neither pyplot nor any other state of the program is touched.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.style import context
from matplotlib.text import Annotation
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

SETTINGS: dict[str, Any] = {
    "font.family": ["sans-serif"],
    "font.sans-serif": ["DejaVu Sans", "Verdana", "sans-serif"],
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.labelsize": 9,
    "figure.titlesize": 11,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "legend.handlelength": 3.2,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "0.9",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.5,
    "lines.markersize": 4.5,
    "hatch.linewidth": 0.5,
    "text.parse_math": False,  # a $ in a name is a dollar
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.fonttype": "none",
    "path.simplify": True,
}
"""Text stays text in SVG: small and searchable. Verdana is as wide as DejaVu Sans; other fonts are narrower."""

styled = context(["default", SETTINGS])
"""Decorator of a function that draws: matplotlib's own defaults, whatever the machine's are, and SETTINGS."""

COLORS = ("#0072b2", "#d55e00", "#009e73", "#aa4499", "#000000", "#56b4e9", "#b8860b", "#882255")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1, 1.2)), (0, (6, 1.5, 1, 1.5)))

MINUS = "\N{MINUS SIGN}"

OWN, TUNED, HALF = "#d55e00", "#0072b2", "0.8"
"""Colours of the own rule, the tuned threshold, and probability 1/2."""

CHANCE: dict[str, Any] = {"color": "0.35", "linestyle": (0, (1, 1.5)), "linewidth": 1.0}
"""The line of a random order."""

MOST = len(COLORS)
"""Rows told apart in one panel; the others are drawn in grey behind them."""

MOST_POINTS = 200
"""Points of one curve; a picture of many curves gives each of them fewer."""

MOST_POINTS_A_PICTURE = 12_000


@dataclass(frozen=True)
class Look:
    """How a row is drawn: by a colour, and by marker and dashes, which no two of MOST share."""

    color: str
    marker: str
    dashes: Any
    order: float

    def line(self, points: int, *, markers: bool = True, **changes: Any) -> dict[str, Any]:
        """Arguments of Axes.plot for a curve of `points` points, of which about six carry the marker."""
        found = {"color": self.color, "linestyle": self.dashes, "zorder": self.order}
        if markers and self.marker:
            found |= {"marker": self.marker, "markevery": max(1, points // 6)}
        return found | ({} if self.marker else {"linewidth": 0.8}) | changes


OTHER = Look("0.75", "", "-", 1.5)


def looks(names: Sequence[str], keep: str | None = None) -> dict[str, Look]:
    """A look for each row: the first MOST (`keep` among them, wherever it stands) have their own, the others OTHER.

    >>> [look.marker for look in looks(["a", "b"]).values()]
    ['o', 's']
    """
    shown = list(names[:MOST])
    if keep is not None and keep in names and keep not in shown:
        shown[-1] = keep
    own = {name: Look(COLORS[i], MARKERS[i], DASHES[i % len(DASHES)], 3 - i / 100) for i, name in enumerate(shown)}
    return {name: own.get(name, OTHER) for name in names}


def panels(
    rows: int, columns: int, size: tuple[float, float], title: str, **options: Any
) -> tuple[Figure, list[list[Axes]]]:
    """A figure of `size` inches with rows x columns axes and its title; a second line of the title is small."""
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, **options)
    first, line, second = title.partition("\n")
    head = figure.suptitle(first + line, x=0.01, ha="left", fontweight="bold")
    figure.add_artist(
        Annotation(shorten(second, int(16 * size[0])), (0, 0), xycoords=head, size=7.5, color="0.35", in_layout=False)
    )
    return figure, [list(row) for row in axes]


def grid(number: int, most_columns: int) -> tuple[int, int]:
    """Rows and columns for `number` small panels.

    >>> grid(7, 4), grid(2, 4)
    ((2, 4), (1, 2))
    """
    columns = min(number, most_columns)
    return math.ceil(number / columns), columns


def legend(figure: Figure, shown: Mapping[str, Look], extra: Sequence[Artist] = ()) -> None:
    """One legend under the panels: the rows that have a look of their own, how many others there are, and `extra`."""
    own = {name: look for name, look in shown.items() if look is not OTHER}
    handles: list[Artist] = [key(shorten(name), **look.line(1)) for name, look in own.items()]
    if len(own) < len(shown):
        handles.append(key(f"{len(shown) - len(own)} more", **OTHER.line(1)))
    handles += extra
    widest = max((len(str(handle.get_label())) for handle in handles), default=1)
    columns = max(1, min(len(handles), int(figure.get_figwidth() * 13 // (widest + 7))))
    if handles:
        figure.legend(handles=handles, loc="outside lower center", ncols=columns)


def key(label: str, **look: Any) -> Line2D:
    """An entry of a legend."""
    return Line2D([], [], label=label, **look)


def note(
    axes: Axes,
    text: str,
    at: tuple[float, float],
    within: str | tuple[str, str] = "data",
    offset: tuple[float, float] = (0, 0),
    **look: Any,
) -> None:
    """Writes `text` at a place, in the coordinates that `within` names for x and y, moved by `offset` points."""
    look.setdefault("size", 8)
    axes.annotate(text, at, xycoords=within, xytext=offset, textcoords="offset points", annotation_clip=False, **look)


def shorten(name: str, most: int = 32) -> str:
    """
    >>> shorten("a_rather_long_name", 8)
    'a_rathe…'
    """
    return name if len(name) <= most else name[: most - 1] + "…"


def thinned(number: int, most: int = MOST_POINTS) -> np.ndarray:
    """Indices of at most `most` of `number` points, evenly spread, both ends among them.

    >>> thinned(10, 4).tolist(), thinned(0).tolist()
    ([0, 3, 6, 9], [])
    """
    return np.linspace(0, max(0, number - 1), min(number, most)).round().astype(int)


def points_each(curves: int) -> int:
    """Points that each of so many curves of a picture may have."""
    return int(min(MOST_POINTS, max(30, MOST_POINTS_A_PICTURE // max(1, curves))))


def plain(value: float) -> str:
    """A number as a tick shows it.

    >>> plain(0.001), plain(1e-05), plain(20000.0), plain(-0.5)
    ('0.001', '1e−5', '20000', '−0.5')
    """
    return re.sub(r"e([+-])0*", lambda found: "e" + found[1].strip("+"), f"{value:g}").replace("-", MINUS)


def log_scale(axes: Axes, axis: str = "x") -> None:
    """Makes an axis, whose limits are known by now, logarithmic: round numbers, as few as tell the scale."""
    getattr(axes, f"set_{axis}scale")("log")
    low, high = getattr(axes, f"get_{axis}lim")()
    decades = 10.0 ** np.arange(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1,), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 8), (*np.arange(10, 100) / 10,)):
        ticks = [step * decade for decade in decades for step in steps if low <= step * decade <= high]
        if len(ticks) >= 3:
            break
    getattr(axes, f"set_{axis}ticks")(ticks[:: max(1, len(ticks) // 6)])
    plain_ticks(axes, axis)


def plain_ticks(axes: Axes, axis: str) -> None:
    """Writes numbers plainly where a scale would use mathematical notation."""
    of = getattr(axes, f"{axis}axis")
    of.set_major_formatter(FuncFormatter(lambda value, _: plain(value)))
    of.set_minor_formatter(NullFormatter())


def probability_scale(axes: Axes) -> None:
    """Writes probabilities on a horizontal axis of log-odds, whose limits are known by now: round ones, a few.

    >>> _, [[axes]] = panels(1, 1, (4, 3), "")
    >>> _ = axes.set_xlim(-7, 3)
    >>> probability_scale(axes)
    >>> [label.get_text() for label in axes.get_xticklabels()]
    ['0.001', '0.01', '0.1', '0.5', '0.9']
    """
    low, high = axes.get_xlim()
    decades = [10.0**k for k in range(-12, 0)]
    found: dict[float, str] = {}
    for steps in ((1,), (1, 2, 5)):
        small = [step * decade for decade in decades for step in steps if step * decade < 0.5]
        ticks = {math.log(p / (1 - p)): plain(p) for p in small} | {0.0: "0.5"}
        ticks |= {math.log((1 - p) / p): plain(1 - p) if p > 1e-5 else f"1 {MINUS} {plain(p)}" for p in small[::-1]}
        found = {place: text for place, text in ticks.items() if low <= place <= high}
        if len(found) >= 3:
            break
    else:
        ends = [1 / (1 + math.exp(min(-place, 700.0))) for place in (low, high)]
        shares = [
            p for p in MaxNLocator(5, steps=[1, 2, 5, 10]).tick_values(*ends) if ends[0] <= p <= ends[1] and 0 < p < 1
        ]
        found = {math.log(p / (1 - p)): f"{p:.8g}" for p in shares}
    step = math.ceil(len(found) / 8) or 1
    axes.set_xticks(list(found)[::step], list(found.values())[::step])


def whole_numbers(axes: Axes, axis: str = "x") -> None:
    """Ticks at whole numbers only."""
    getattr(axes, f"{axis}axis").set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def flat(axes: Sequence[Sequence[Axes]], number: int) -> Iterator[Axes]:
    """The first `number` panels, row by row; the others are taken away."""
    every = [one for row in axes for one in row]
    for spare in every[number:]:
        spare.remove()
    yield from every[:number]
