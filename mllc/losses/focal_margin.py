"""Focal margin loss: the focal loss, with positives judged by a lower logit."""

from torch import Tensor

from mllc.losses.blocks import by_rows
from mllc.losses.checks import check_number
from mllc.losses.focal import focal
from mllc.losses.precision import full_precision


@full_precision
@by_rows()
def focal_margin(logits: Tensor, targets: Tensor, *, gamma: float = 2.0, margin: float = 1.0) -> Tensor:
    """Focal margin loss: y (1-p')^gamma (-log p') + (1-y) p^gamma (-log(1-p)), p' = sigmoid(z - margin).

    Positives of middling p weigh more than in the focal loss, whose weight leaves them behind.

    logits, targets  (batch, labels); targets 0 or 1
    gamma            >= 0
    margin           >= 0, in logits; 0: focal
    returns          (batch, labels), in nats
    raises           ValueError for a setting outside its domain
    source           Zhang et al. 2021, arXiv:2112.07368, and the authors' code
    """
    check_number("margin", margin, low=0)
    return focal(logits - margin * targets, targets, gamma=gamma)
