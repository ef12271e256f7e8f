"""Binary cross-entropy with smoothed targets."""

from torch import Tensor

from mllc.losses.bce import bce
from mllc.losses.blocks import by_rows
from mllc.losses.checks import check_number
from mllc.losses.precision import full_precision


@full_precision
@by_rows()
def bce_label_smoothing(logits: Tensor, targets: Tensor, *, smoothing: float = 0.1) -> Tensor:
    """Sigmoid cross-entropy with targets moved towards each other: y becomes y (1 - a) + (1 - y) a.

    Best answers stay within [a, 1 - a]. With k of C labels true keep a well below k / C: each absent label is said to
    be true with probability a, so the probabilities of a model that fits add up to about a C more than k.

    logits, targets  (batch, labels); targets in [0, 1]
    smoothing        a in [0, 0.5]; 0 is bce, at 0.5 the targets say nothing
    returns          (batch, labels), in nats; at least the entropy of a for targets 0 and 1
    raises           ValueError for a smoothing outside its domain
    source           Cole et al. 2021, arXiv:2106.09708, with the formula and the default of the authors' code, where a
                     is the share moved on each side (eps / 2 in some texts); log p is exact here, log(p + 1e-5) there
    """
    check_number("smoothing", smoothing, low=0, high=0.5)
    targets = targets * (1 - smoothing) + (1 - targets) * smoothing
    return bce(logits, targets)
