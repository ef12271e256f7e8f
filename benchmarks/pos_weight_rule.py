"""The rule of thumb of pos_weight_atlas.py: made from some data sets, tried on the others.

Between the measured powers of a data set its figures are interpolated, smoothly and without overshoot, and beyond them
they are those of the nearest. What a weight loses there is its own figure, taken from that of the best weight measured
there, of either form.
"""

import math
from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Any

from scipy.interpolate import PchipInterpolator

WAYS = {"own": "micro_f1", "tuned": "micro_f1_tuned"}
"""How labels are predicted, p > 1/2 or by the threshold that is best on validation -> the figure that counts."""

LOST = {"own": ("own", "micro_f1"), "tuned": ("tuned", "micro_f1_tuned"), "mAP": ("tuned", "map")}
"""Columns of the comparison of strategies -> way and figure."""

POWERS = tuple(step / 20 for step in range(21))
NUMBERS = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100)

Cell = dict[str, Any]
Power = Callable[[Cell], float]


def in_order(cells: Sequence[Cell]) -> list[Cell]:
    """The generated grid, then the others."""
    return sorted(cells, key=lambda cell: (not cell["group"].endswith("labels"), cell["labels"], cell["mean_true"]))


def curve(cell: Cell, form: str, way: str, figure: str) -> dict[float, float]:
    """Power -> figure, of a form of the weight."""
    return {row["power"]: row[way][figure] for row in cell["rows"] if row["form"] == form}


def predicted(cell: Cell, form: str) -> dict[float, float]:
    """Power -> labels predicted where p > 1/2, for each true one."""
    labels = curve(cell, form, "own", "labels_per_sample")
    return {power: number / cell["true_labels_per_sample"] for power, number in labels.items()}


def lost(cell: Cell, form: str, power: float, way: str, figure: str) -> float:
    """What a weight loses against the best."""
    best = max(row[way][figure] for row in cell["rows"])
    known = curve(cell, form, way, figure)
    return best - float(PchipInterpolator(list(known), list(known.values()))(min(max(power, 0.0), max(known))))


def power_of(cell: Cell, weight: float) -> float:
    """The power of negatives over positives, all labels together, that is this weight."""
    return math.log(weight) / math.log(cell["labels"] / cell["mean_true"] - 1)


def calibrated(cell: Cell) -> float:
    """The power that a model with right probabilities needs for the best F1.

    F1 is largest at the threshold F1/2 (Lipton, Elkan and Narayanaswamy 2014, arXiv:1402.1892), and with a weight w
    p > 1/2 says what p > 1 / (1 + w) says without: w = (2 - F1) / F1. F1 is what the model without a weight reaches on
    validation with its best threshold.
    """
    f1 = curve(cell, "one", "tuned", "val")[0]
    return power_of(cell, (2 - f1) / f1) if f1 else 1.0


def fit(cells: Sequence[Cell]) -> dict[str, Any]:
    """For either way the power of each form, and the number, that lose least in the mean of the cells not held out."""
    given = [cell for cell in cells if not cell["held_out"]]

    def mean_lost(way: str, form: str, power: Power) -> float:
        return fmean(lost(cell, form, power(cell), way, WAYS[way]) for cell in given)

    return {
        way: {
            **{form: min(POWERS, key=lambda p: mean_lost(way, form, lambda _: p)) for form in ("one", "each")},
            "number": min(NUMBERS, key=lambda n: mean_lost(way, "one", lambda cell: power_of(cell, n))),
        }
        for way in WAYS
    }


def strategies(rule: dict[str, Any]) -> dict[str, tuple[str, Power]]:
    """Name -> form and power that it takes; `rule` is that of one way."""
    return {
        "no weight": ("one", lambda _: 0.0),
        "balanced, a number a label": ("each", lambda _: 1.0),
        "balanced, one number": ("one", lambda _: 1.0),
        "square root, a number a label": ("each", lambda _: 0.5),
        "square root, one number": ("one", lambda _: 0.5),
        "the same number for all data": ("one", lambda cell: power_of(cell, rule["number"])),
        "(2-F1)/F1": ("one", calibrated),
        "rule, a number a label": ("each", lambda _: rule["each"]),
        "rule, one number": ("one", lambda _: rule["one"]),
    }


def tried(found: dict[str, Any]) -> dict[str, dict[str, tuple[float, float, str]]]:
    """Strategy -> column of LOST -> mean and largest loss over the cells held out, and where it is largest."""
    cells = [cell for cell in found["cells"] if cell["held_out"]]
    table: dict[str, dict[str, tuple[float, float, str]]] = {}
    for column, (way, figure) in LOST.items():
        for name, (form, power) in strategies(found["rule"][way]).items():
            losses = {cell["name"]: lost(cell, form, power(cell), way, figure) for cell in cells}
            worst = max(losses, key=losses.__getitem__)
            table.setdefault(name, {})[column] = fmean(losses.values()), losses[worst], worst
    return table
