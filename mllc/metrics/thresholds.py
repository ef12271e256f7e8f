"""Thresholds tuned on validation: one for all labels, and one a label, shrunk towards it."""

from dataclasses import dataclass

import torch
from torch import Tensor

from mllc.errors import ConfigError
from mllc.metrics.cuts import Cuts, cuts, pooled_cuts


@dataclass(frozen=True, eq=False)
class Thresholds:
    """Cuts on the scale of the scores; a label is predicted where its score is greater.

    global_        the one threshold that maximises micro-F1
    per_label      (labels,), the labels' own best cuts shrunk towards `global_`; the ones to use
    per_label_raw  (labels,), before shrinking; NaN for a label without positives
    """

    global_: float
    per_label: Tensor
    per_label_raw: Tensor


def decide(scores: Tensor, threshold: float | Tensor) -> Tensor:
    """`scores` (samples, labels) > threshold (a number, or one a label), bool."""
    return scores.to(torch.promote_types(scores.dtype, torch.float32)) > threshold  # halves would round the threshold


def tune_thresholds(
    scores: Tensor, targets: Tensor, mask: Tensor | None = None, *, shrinkage: float = 10.0
) -> Thresholds:
    """The thresholds that maximise F1 on these scores (of the validation split), exactly.

    Global: the cut with the largest micro-F1. Per label: the cut t^_c with the label's largest F1, then, because a few
    positives are too few to trust,

        t_c = (n_c t^_c + m t) / (n_c + m)

    with n_c the label's positives here, t the global threshold and m the `shrinkage` (how many positives the global
    threshold counts for; 0: no shrinking). A label without positives gets t.

    Of all distinct cuts only those just below a positive can be best: to move a cut down past further negatives lowers
    precision for nothing. The threshold lies midway to the next lower score, of cuts equally good the highest is
    taken. Where there is no lower score it lies one below; without any positives at the largest score (predict none).

    >>> tune_thresholds(torch.tensor([[3.0], [1.0], [0.0]]), torch.tensor([[1], [1], [0]])).global_
    0.5
    """
    if not shrinkage >= 0:
        raise ConfigError(f"shrinkage is {shrinkage}, but it counts positives: give 0 (no shrinking) or more, say 10")
    best = float(_best(pooled_cuts(scores, targets, mask)))
    if best != best:
        best = float(scores.max() if mask is None else scores.masked_fill(~mask, scores.min()).max())

    lists = cuts(scores.T, targets.T, None if mask is None else mask.T)
    pairs = [(_best(found), found.positives) for found in lists]
    raw, positives = (torch.cat(parts) for parts in zip(*pairs, strict=True))
    shrunk = (positives * raw.double() + shrinkage * best) / (positives + shrinkage)
    return Thresholds(best, shrunk.to(raw.dtype).where(positives > 0, best), raw)


def best_f1(scores: Tensor, targets: Tensor, mask: Tensor | None = None) -> Tensor:
    """The largest micro-F1 that one threshold reaches on these scores, float64 scalar; 0 without positives."""
    return pooled_cuts(scores, targets, mask).f1.max()


def _best(found: Cuts) -> Tensor:
    """The threshold of largest F1 of each list, (lists,); NaN for a list without positives."""
    last = found.f1.shape[1] - 1 - found.f1.flip(1).argmax(1, keepdim=True)  # argmax gives the first of equals
    upper, lower = (values.gather(1, last)[:, 0] for values in (found.scores, found.lower))
    middle = ((upper.double() + lower.double()) / 2).to(upper.dtype)
    middle = middle.where(middle < upper, lower)  # neighbours in floating point: rounding must not reach the upper
    # Large scores absorb a step of 1: the next number below is the least that still separates.
    alone = torch.minimum(upper - 1, torch.nextafter(upper, upper.new_tensor(-torch.inf)))
    return middle.where(lower > -torch.inf, alone).where(found.positives > 0, torch.nan)
