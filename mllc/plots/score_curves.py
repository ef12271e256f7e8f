"""What every cut through a list of scores predicts: F1 against the threshold, precision against recall. Exact."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mllc.plots.folders import Scores
from mllc.plots.style import thinned

Curve = tuple[NDArray[np.float64], NDArray[np.float64]]
"""x and y of the points of a curve, x ascending."""

WIDEST = 20
"""A curve of F1 reaches from the cut that predicts so many times the true number to the one that predicts one
WIDEST-th of it: F1 is below 0.1 beyond both."""

ROUNDING = 1e-3
"""A decision may differ from that of a cut for a score so near to it."""


class Ranking:
    """One list of scores, sorted, beside those of its true items.

    What a cut predicts, and how much of it is right, are then two look-ups; that is exact for any cut.
    """

    def __init__(self, scores: NDArray, true: NDArray[np.bool_], mask: NDArray[np.bool_] | None = None) -> None:
        """`scores` and `true` of one shape, taken as one list; what `mask` is False for takes part in nothing."""
        if mask is not None:
            scores, true = scores[mask], true[mask]
        self.scores = np.sort(scores, axis=None)
        self.positives = np.sort(scores[true])

    def f1(self, thresholds: NDArray[np.floating] | float) -> NDArray[np.float64]:
        """Micro-F1 of predicting what scores above each threshold; 0 where nothing is predicted and nothing is true."""
        cuts = np.asarray(thresholds).astype(self.scores.dtype)  # as the scores are compared where decisions are made
        hits = len(self.positives) - np.searchsorted(self.positives, cuts, side="right")
        predicted = len(self.scores) - np.searchsorted(self.scores, cuts, side="right")
        return 2 * hits / np.maximum(predicted + len(self.positives), 1)

    def f1_curve(self, points: int, include: Sequence[float] = ()) -> Curve:
        """(thresholds, F1) at `points` thresholds: those of `include`, the others evenly spaced, see WIDEST."""
        true = max(1, len(self.positives))
        ends = [float(self.scores[-min(len(self.scores), number)]) for number in (WIDEST * true, 1 + true // WIDEST)]
        low, high = min(*ends, *include), max(*ends, *include)
        margin = (high - low) * 0.03 or 1.0
        thresholds = np.sort([*np.linspace(low - margin, high + margin, points - len(include)), *include])
        return thresholds, self.f1(thresholds)

    def counts(self, edges: NDArray[np.floating]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """How many true and how many false items score in each bar: above its left edge, up to its right one.

        The outermost bars hold what lies beyond the first and the last edge as well.
        """
        found = []
        for scores in (self.positives, self.scores):
            up_to = np.searchsorted(scores, edges[1:-1], side="right")
            found.append(np.diff(up_to, prepend=0, append=len(scores)))
        true, all_ = found
        return true, all_ - true

    def precision_recall(self) -> Curve:
        """(recall, precision) of each cut just below a true item, recall ascending; empty without true items.

        As steps that lead up to each point from the left, the area under the curve is the average precision.
        """
        cuts = np.unique(self.positives)[::-1]
        hits = len(self.positives) - np.searchsorted(self.positives, cuts, side="left")
        predicted = len(self.scores) - np.searchsorted(self.scores, cuts, side="left")
        return hits / max(1, len(self.positives)), hits / predicted


@dataclass(frozen=True, eq=False)
class ScoredRun:
    """The curves of one run on test.

    f1                micro-F1 against the threshold
    own               (cut, F1) of the own rule; the cut is None where the rule is not one threshold for all
    tuned             (threshold, F1) of the one tuned on validation; None if there is none
    precision_recall  micro: all labels of all samples in one list
    own_point         (recall, precision) of the own rule's decisions
    chance            share of all targets that are true: the precision of a random order
    labels            label -> (recall, precision), of the chosen labels that have true samples
    """

    f1: Curve
    own: tuple[float | None, float]
    tuned: tuple[float, float] | None
    precision_recall: Curve
    own_point: tuple[float, float]
    chance: float
    labels: dict[int, Curve]


def scored_run(
    found: Scores,
    *,
    tuned: float | None,
    own_cut: float | None,
    labels: Sequence[int] = (),
    points: int = 160,
    ranking: Ranking | None = None,
    reach_own: bool = False,
) -> ScoredRun:
    """The curves of a run's predictions, each of at most `points` points.

    own_cut  where the own rule cuts, if it is a cut; believed only if the decisions agree
    labels   of which precision and recall are wanted
    ranking  of all these scores, where it is made already
    reach_own  whether the curve of F1 goes as far as the own cut, however low it is there
    """
    scores, targets, decisions, mask = found
    ranking = ranking or Ranking(scores, targets, mask)
    known = decisions if mask is None else decisions & mask
    hits, predicted, true = np.count_nonzero(known & targets), np.count_nonzero(known), len(ranking.positives)
    if own_cut is not None and np.any(np.abs(scores[decisions != (scores > own_cut)] - own_cut) > ROUNDING):
        own_cut = None
    single = {
        label: Ranking(scores[:, label], targets[:, label], None if mask is None else mask[:, label])
        for label in labels
    }
    return ScoredRun(
        f1=ranking.f1_curve(points, [cut for cut in (tuned, own_cut if reach_own else None) if cut is not None]),
        own=(own_cut, 2 * hits / max(1, predicted + true)),
        tuned=None if tuned is None else (tuned, float(ranking.f1(tuned))),
        precision_recall=_thin(ranking.precision_recall(), points),
        own_point=(hits / max(1, true), hits / max(1, predicted)),
        chance=true / len(ranking.scores),
        labels={label: _thin(one.precision_recall(), points) for label, one in single.items() if len(one.positives)},
    )


def _thin(curve: Curve, points: int) -> Curve:
    at = thinned(len(curve[0]), points)
    return curve[0][at], curve[1][at]
