"""Precision against recall: of all labels in one list, and of single labels."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mllc.plots import style
from mllc.plots.score_curves import Curve, ScoredRun
from mllc.plots.style import Look, styled

OWN: dict[str, Any] = {"linestyle": "none", "markersize": 9, "markeredgecolor": "black"}


def examples(training: NDArray[np.float64], test: NDArray[np.float64]) -> dict[str, int]:
    """Which label to draw as head, medium and tail, by positives in training; empty where not three have any on test.

    >>> examples(np.array([9.0, 50.0, 1.0, 20.0]), np.array([3.0, 5.0, 0.0, 4.0]))
    {'head': 1, 'medium': 3, 'tail': 0}
    """
    for least in (3, 1):  # on test, for a curve worth the name
        able = np.flatnonzero((test >= least) & (training > 0))
        if len(able) >= 3:
            ordered = able[np.argsort(-training[able], kind="stable")].tolist()
            return {"head": ordered[0], "medium": ordered[len(ordered) // 2], "tail": ordered[-1]}
    return {}


@styled
def draw(
    rows: Mapping[str, Sequence[ScoredRun]],
    *,
    title: str,
    labels: Mapping[int, str] | None = None,
    baseline: str | None = None,
    rule: str = "own rule",
) -> Figure:
    """One panel of all labels (micro), and one for each of `labels` (index -> what its panel is called).

    Of several runs the first carries the row's look; the others are thin, and only in the first panel. Curves are
    steps, the area under which is the average precision. A large marker stands where the own rule decides,
    which the legend calls `rule`.
    """
    labels = labels or {}
    shown = style.looks(list(rows), baseline)
    lines, columns = style.grid(1 + len(labels), 2 if len(labels) == 3 else 3)
    size = (4.6 * columns + 0.4, 3.4 * lines + 0.9)
    figure, axes = style.panels(lines, columns, size, title, sharex=True, sharey=True)
    micro, *single = style.flat(axes, 1 + len(labels))
    for row, look in shown.items():
        for number, run in enumerate(rows[row]):
            _curve(micro, run.precision_recall, look, thin=number > 0)
        for panel, label in zip(single, labels, strict=True):
            _curve(panel, rows[row][0].labels.get(label), look)
        if look is not style.OTHER:
            micro.plot(*rows[row][0].own_point, zorder=5, marker=look.marker, color=look.color, **OWN)
    for panel, name in zip([micro, *single], ["all labels (micro)", *labels.values()], strict=True):
        panel.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel="recall (0 to 1)", ylabel="precision (0 to 1)")
        panel.set_title(style.shorten(name, 56))
        panel.label_outer()
    micro.axhline(next(iter(rows.values()))[0].chance, **style.CHANCE)
    extra = [style.key(rule, marker="o", color="white", **OWN), style.key("random order", **style.CHANCE)]
    style.legend(figure, shown, extra)
    return figure


def _curve(panel: Axes, curve: Curve | None, look: Look, thin: bool = False) -> None:
    if curve is None or not len(curve[0]):
        return
    recall, precision = np.r_[0.0, curve[0]], np.r_[curve[1][0], curve[1]]
    changes: dict[str, Any] = {"linewidth": 0.5, "alpha": 0.6} if thin else {}
    panel.plot(recall, precision, drawstyle="steps-pre", **look.line(len(recall), markers=not thin, **changes))
