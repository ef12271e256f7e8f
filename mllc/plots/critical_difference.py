"""Critical-difference diagram: mean ranks over several data sets; a bar joins rows that the tests do not tell apart."""

from collections.abc import Iterable, Mapping

from matplotlib.figure import Figure

from mllc.plots import style
from mllc.plots.style import styled

LINE, BAR = 0.55, 0.28
"""Heights of a row's line and of a bar, in units of the vertical axis."""


@styled
def draw(ranks: Mapping[str, float], cliques: Iterable[Iterable[str]] = (), *, title: str, note: str = "") -> Figure:
    """Rows by mean rank, 1 the best, with their names on the two sides.

    ranks    row -> mean rank over the data sets
    cliques  groups of rows of which no pair differs; drawn as bars from the first to the last of each
    note     written under the diagram: the test, or why there is none
    """
    names = sorted(ranks, key=lambda name: (ranks[name], name))
    half = (len(names) + 1) // 2
    groups = [[ranks[name] for name in clique] for clique in cliques]
    bars = sorted((min(group), max(group)) for group in groups if len(group) > 1)
    above = LINE + BAR * len(bars)
    depth = above + LINE * half
    figure, [[axes]] = style.panels(1, 1, (8.5, 0.47 * depth + 1.3), title)
    width = max(1, len(names) - 1)
    axes.set(xlim=(1 - 0.04 * width, 1 + 1.04 * width), ylim=(-depth, 0))
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    style.whole_numbers(axes)
    axes.set_xlabel("mean rank over the data sets (1 is the best)")
    axes.spines[:].set_visible(False)
    axes.spines["top"].set_visible(True)
    axes.set_yticks([])
    axes.grid(visible=False)
    ends = axes.get_xlim()
    for place, name in enumerate(names):
        rank, short, right = ranks[name], style.shorten(name, 26), place >= half
        level = -(above + LINE * (len(names) - 1 - place if right else place))
        axes.plot([rank, rank, ends[right]], [0, level, level], color="0.25", linewidth=1, clip_on=False)
        text, side = (f"{rank:.2f} {short}", "left") if right else (f"{short} {rank:.2f}", "right")
        style.note(axes, text, (ends[right], level), offset=(4 if right else -4, 0), ha=side, va="center", size=8.5)
    for number, (first, last) in enumerate(bars):
        level, margin = -(0.35 + BAR * number), 0.006 * width
        axes.plot([first - margin, last + margin], [level, level], color="black", linewidth=4, solid_capstyle="butt")
    if note:
        figure.supxlabel(note, fontsize=8, color="0.3")
    return figure
