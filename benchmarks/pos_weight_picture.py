"""The picture of pos_weight_atlas.py: what the weight's power does to both figures and to the labels predicted."""

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("agg")
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from pos_weight_rule import WAYS, Cell, curve, in_order, predicted

TITLES = {
    "own": "micro-F1 on test,\npredicted where p > 1/2",
    "tuned": "micro-F1 on test,\nthreshold tuned on validation",
    "predicted": "labels predicted where p > 1/2\nfor each true label",
}
LINES = {"one": {"linestyle": "-"}, "each": {"linestyle": ":", "fillstyle": "none"}}
STYLES = (("#1b1b3a", "o"), ("#3f6fa8", "s"), ("#c26a3d", "D"), ("#d9a441", "^"))
"""Color and mark of each line of a panel: from dark to light, so that grey keeps them apart."""

RULE = {"color": "0.75", "linewidth": 6, "zorder": 0}


def draw(found: dict[str, Any], file: Path) -> None:
    """Writes the picture: a column a group of data sets, a line a set and form of the weight."""
    columns = by_column(found["cells"])
    size = 3.2 * len(columns) + 0.6, 10
    figure, panels = pyplot.subplots(3, len(columns), figsize=size, sharex=True, sharey="row", squeeze=False)
    for panel, label in zip(panels[:, 0], TITLES.values(), strict=True):
        panel.set_ylabel(label)
    for (title, cells), column in zip(columns.items(), panels.T, strict=True):
        column[0].set_title(title, fontsize=11)
        for kind, panel in zip(TITLES, column, strict=True):
            fill(panel, kind, cells)
            if kind in WAYS:
                panel.axvline(found["rule"][kind]["one"], **RULE)
        column[-1].set_xticks([0, 0.25, 0.5, 0.75, 1], ["0\nnone", "¼", "½\nroot", "¾", "1\nbalanced"])
        column[-1].legend(handles=column[0].get_lines()[: 2 * len(cells) : 2], fontsize=8, loc="upper left")
    grey = {"color": "0.2", "marker": "o", "markersize": 4}
    keys = [
        Line2D([], [], label="one number for all labels", **LINES["one"], **grey),
        Line2D([], [], label="each label its own number", **LINES["each"], **grey),
        Line2D([], [], label="rule of thumb, one number", **RULE),
        Line2D([], [], label="all ones", color="0.2", marker="x", linestyle=""),
    ]
    figure.legend(handles=keys, loc="upper center", ncols=4, frameon=False)
    figure.supxlabel("weight of the positives: power of negatives over positives", fontsize=11)
    figure.tight_layout(rect=(0, 0, 1, 0.97))
    figure.savefig(file, dpi=110)
    pyplot.close(figure)


def by_column(cells: list[Cell]) -> dict[str, dict[str, Cell]]:
    """Group -> name of the line -> data set."""
    columns: dict[str, dict[str, Cell]] = {}
    for cell in in_order(cells):
        name = f"{cell['mean_true']} true" if cell["group"].endswith("labels") else cell["name"]
        columns.setdefault(cell["group"], {})[name] = cell
    return columns


def fill(panel: Axes, kind: str, cells: dict[str, Cell]) -> None:
    """Two lines a data set; where labels are counted the axis is logarithmic, and shows what all ones would be."""
    for (name, cell), (color, mark) in zip(cells.items(), STYLES, strict=False):
        for form, line in LINES.items():
            values = predicted(cell, form) if kind == "predicted" else curve(cell, form, kind, WAYS[kind])
            panel.plot(*zip(*values.items(), strict=True), color=color, marker=mark, markersize=4, label=name, **line)
        if kind == "predicted":
            panel.plot([1], [cell["labels"] / cell["mean_true"]], "x", color=color)
    if kind == "predicted":
        panel.set_yscale("log")
        panel.axhline(1, color="0.4", linewidth=0.8)
    panel.grid(color="0.92", zorder=0)
