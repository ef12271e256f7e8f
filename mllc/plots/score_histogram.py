"""Scores of true labels beside those of false ones, against the thresholds: collapse and overlap at a glance."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from mllc.plots import style
from mllc.plots.score_curves import Ranking
from mllc.plots.style import OWN, TUNED, styled

BARS = 60

TAIL = 0.001
"""Share of the scores that may lie beyond the outermost edges at either end."""

AXES = {"logits": "score (logit)", "probabilities": "score (probability, on the logit scale)"}

KINDS: dict[str, dict[str, Any]] = {
    "false": {"facecolor": "0.85", "edgecolor": "0.5", "linewidth": 0.8},
    "true": {"facecolor": "none", "edgecolor": "0.1", "linewidth": 1.3, "hatch": "////"},
}
CUTS: dict[str, dict[str, Any]] = {
    "own": {"color": OWN, "linestyle": (0, (5, 2)), "linewidth": 1.8},
    "tuned": {"color": TUNED, "linestyle": "-", "linewidth": 1.8},
}


def edges(ranking: Ranking, cuts: Sequence[float]) -> NDArray[np.floating]:
    """Edges of about BARS bars of one width, over all cuts and scores but TAIL; one stands where the first cut does."""
    ends = [*cuts]
    for scores in (ranking.scores, ranking.positives):
        beyond = int(TAIL * len(scores))
        ends += [float(scores[beyond]), float(scores[-1 - beyond])]
    low, high = min(ends), max(ends)
    if low == high:
        low, high = low - 0.5, high + 0.5
    width = (high - low) / BARS
    first = math.ceil((low - cuts[0]) / width) - 1  # a bar has its right edge, and not its left one
    last = math.ceil((high - cuts[0]) / width)
    return cuts[0] + width * np.arange(first, last + 1)


@styled
def draw(
    edges: NDArray[np.floating],
    counts: Mapping[str, NDArray[np.int64]],
    cuts: Mapping[str, float],
    *,
    title: str,
    unit: str,
    names: Mapping[str, str],
) -> Figure:
    """Two histograms, each in shares of its own kind, over log-odds.

    counts  true | false -> number of scores in each bar between the edges
    cuts    own | tuned -> threshold
    unit    of the scores; the axis shows probabilities as such
    names   of the cuts
    """
    figure, [[axes]] = style.panels(1, 1, (7.6, 3.9), title)
    for kind, look in KINDS.items():
        axes.stairs(100 * counts[kind] / counts[kind].sum(), edges, fill=True, **look)
    for kind, cut in cuts.items():
        axes.axvline(cut, **CUTS[kind])
    axes.margins(x=0.02)
    axes.set_xlabel(AXES[unit])
    axes.set_ylabel("share of its kind (% a bar)")
    axes.grid(visible=False, axis="x")
    if unit == "probabilities":
        style.probability_scale(axes)
    keys = [Patch(label=f"{kind} labels", **KINDS[kind]) for kind in ("true", "false")]
    style.legend(figure, {}, [*keys, *(style.key(names[kind], **CUTS[kind]) for kind in cuts)])
    return figure
