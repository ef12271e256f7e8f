"""Micro-F1 against the threshold, a panel a row, on the scale of its own scores: what is the threshold worth?"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mllc.plots import style
from mllc.plots.score_curves import ScoredRun
from mllc.plots.style import HALF, OWN, TUNED, styled

SCALES = {
    "logits": "threshold (logit)",
    "softmax": "threshold (log-odds of softmax)",
    "product": "threshold (log of expected count)",
    "probabilities": "threshold (probability, on the logit scale)",
}

MARKS: dict[str, dict[str, Any]] = {
    "own": {"color": OWN, "linestyle": (0, (5, 2)), "linewidth": 1.2},
    "tuned": {"color": TUNED, "marker": "o", "linestyle": "none", "markersize": 6, "markeredgecolor": "white"},
    "half": {"color": HALF, "linestyle": "-", "linewidth": 4.0, "zorder": 1.2},
}

NAMES = {"own": "own rule", "tuned": "tuned on validation", "half": "probability 0.5 (score 0)"}
"""What is marked, and what the legend calls it."""


def own_cut(settings: Mapping[str, Any], mean_cardinality: float | None) -> float | None:
    """Where a rule cuts the scores, if it does (mllc.losses.rules): None for the k largest, whatever their scores.

    mean_cardinality  mean number of true labels of a training sample, where known

    >>> own_cut({"loss.rule": "above", "loss.threshold": 0.5}, None), own_cut({"loss.rule": "top_k"}, 2.0)
    (0.0, None)
    """
    rule = settings.get("loss.rule")
    if rule == "product_above":
        return -math.log(2)
    if rule == "above":
        share = settings.get("loss.threshold", 0.5)
    else:
        share = 1 / (2 * mean_cardinality) if rule == "softmax_above" and mean_cardinality else None
    return math.log(share / (1 - share)) if share is not None and 0 < share < 1 else None


@styled
def draw(
    rows: Mapping[str, Sequence[ScoredRun]],
    *,
    title: str,
    scales: Mapping[str, str],
    rules: Mapping[str, str],
    names: Mapping[str, str] = NAMES,
) -> Figure:
    """A panel a row, a curve a run.

    scales  row -> what its scores are, a key of SCALES; those of probabilities are log-odds
    rules   row -> the name of its own rule, written where it is not a threshold
    names   of the marks; what has none is not marked
    """
    lines, columns = style.grid(len(rows), 5 if len(rows) > 12 else 4)
    figure, axes = style.panels(lines, columns, (max(5.0, 2.6 * columns), 2.15 * lines + 1.0), title, sharey=True)
    top = max((max(run.f1[1].max(), run.own[1]) for runs in rows.values() for run in runs), default=1.0)
    for number, (panel, (name, runs)) in enumerate(zip(style.flat(axes, len(rows)), rows.items(), strict=True)):
        _panel(panel, runs, scales.get(name, ""), rules.get(name, ""), "half" in names)
        panel.set_ylim(-0.02 * top, 1.08 * top)
        panel.set_title(style.shorten(name, 30))
        panel.set_xlabel(SCALES.get(scales.get(name, ""), "threshold (score)"), fontsize=8)
        if scales.get(name) == "probabilities":
            style.probability_scale(panel)
        else:
            panel.locator_params(axis="x", nbins=5)
        if number % columns == 0:
            panel.set_ylabel("micro-F1 (0 to 1)")
    handles = [style.key(text, **MARKS[kind]) for kind, text in names.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def _panel(panel: Axes, runs: Sequence[ScoredRun], scale: str, rule: str, with_half: bool) -> None:
    for run in runs:
        panel.plot(*run.f1, color="0.15", linewidth=1.0, zorder=2)
        if run.tuned is not None:
            panel.plot(*run.tuned, **MARKS["tuned"], zorder=4)
    half = [] if scale == "product" or not with_half else [0.0]
    cuts = sorted({run.own[0] for run in runs if run.own[0] is not None})
    low, high = min(run.f1[0][0] for run in runs), max(run.f1[0][-1] for run in runs)
    near = [cut for cut in cuts + half if abs(cut - (low + high) / 2) <= 1.5 * (high - low)]
    low, high = min([low, *near]), max([high, *near])
    panel.set_xlim(low - 0.04 * (high - low), high + 0.04 * (high - low))
    for kind, places in (("half", half), ("own", cuts)):
        for cut in places:
            _cut(panel, cut, kind, 1 / (1 + math.exp(-cut)) if scale == "probabilities" else cut)
    levels = [run.own[1] for run in runs if run.own[0] is None]
    for level in levels:
        panel.axhline(level, **MARKS["own"])
    if levels:
        style.note(panel, rule, (0.02, max(levels)), ("axes fraction", "data"), (0, 2), color=OWN, va="bottom")


def _cut(panel: Axes, cut: float, kind: str, told: float) -> None:
    """A vertical line, or, where it lies beyond the panel, an arrow at its edge with the number that is told."""
    low, high = panel.get_xlim()
    if low <= cut <= high:
        panel.axvline(cut, **MARKS[kind])
        return
    text = f"{'own' if kind == 'own' else '0.5'} at {style.plain(float(f'{told:.3g}'))}"
    place = (float(cut > high), 0.97 if kind == "own" else 0.86)
    color = OWN if kind == "own" else "0.4"
    if cut > high:
        style.note(panel, f"{text} →", place, "axes fraction", ha="right", va="top", color=color)
    else:
        style.note(panel, f"← {text}", place, "axes fraction", ha="left", va="top", color=color)
