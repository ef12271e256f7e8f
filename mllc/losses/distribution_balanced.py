"""Distribution-balanced loss (DB): rebalanced, and tolerant of negatives."""

from torch import Tensor

from mllc.losses.blocks import by_rows
from mllc.losses.checks import check_number
from mllc.losses.focal import focal
from mllc.losses.precision import full_precision
from mllc.losses.rebalanced_focal import rebalancing


@full_precision
@by_rows()
def distribution_balanced(
    logits: Tensor,
    targets: Tensor,
    *,
    label_counts: Tensor,
    num_samples: int,
    mask: Tensor | None = None,
    gamma: float = 2.0,
    alpha: float = 0.1,
    beta: float = 10.0,
    mu: float = 0.2,
    neg_scale: float = 2.0,
    kappa: float = 0.05,
) -> Tensor:
    """DB loss: w [y (1-q)^gamma (-log q) + (1-y)/l s^gamma (-log(1-s))], q = sigmoid(z-v), s = sigmoid(l (z-v)).

    w is the weight of rebalanced_focal, v = kappa log(1/pi - 1), pi a label's prior in training. The scale l takes the
    force from negatives that are already below v, which rare labels have by the thousand; v > 0 makes the positives of
    a rare label push on. Predict from z, not from z - v.

    logits, targets  (batch, labels); targets 0 or 1
    label_counts     (labels,), positives of each label in training; num_samples: samples
    mask             bool (batch, labels), False where a target is unknown; None: all known
    gamma            >= 0; 0: without the focal part, DB-0FL
    alpha, beta, mu  of the weight, see `rebalanced_focal`
    neg_scale        l > 0; 2 is for COCO, 5 for VOC
    kappa            >= 0
    returns          (batch, labels)
    raises           ValueError for a setting outside its domain
    source           Wu et al. 2020, arXiv:2007.09654, and the authors' code, in which v is divided by l; without that
                     as corrected in the code of Huang et al. 2021, arXiv:2109.04712. Departures: a constant factor is
                     left out (2 and 1/2); positives and negatives of a label are at least 1 in pi; that the raw z is
                     read for predictions was not checked
    """
    check_number("neg_scale", neg_scale, low=0, open_ends=True)
    check_number("kappa", kappa, low=0)
    bias = kappa * ((num_samples - label_counts).clamp(min=1) / label_counts.clamp(min=1)).log()
    scale = targets + (1 - targets) * neg_scale
    weight = rebalancing(targets, label_counts, mask, alpha, beta, mu)
    return weight * focal(scale * (logits - bias), targets, gamma=gamma) / scale
