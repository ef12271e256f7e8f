"""Binary cross-entropy whose whole element is weighted where the label is true."""

from torch import Tensor

from mllc.losses.bce import bce
from mllc.losses.blocks import by_rows
from mllc.losses.checks import check_number
from mllc.losses.precision import full_precision


@full_precision
@by_rows()
def bce_element_weight(logits: Tensor, targets: Tensor, *, weight: float = 10.0) -> Tensor:
    """Sigmoid cross-entropy times w where y = 1: (w y + 1 - y) (y softplus(-z) + (1 - y) softplus(z)).

    For targets of 0 and 1 this is weighted_bce: where y = 1 the other term is 0 anyway. It is a loss of its own because
    people write it this way, often as `loss[targets] *= w`, which picks rows instead of elements if the targets are
    numbers and not bool.

    logits, targets  (batch, labels); targets 0 or 1 (in between, the two are different functions)
    weight           w > 0; moves the best answer by log w on the logit scale
    returns          (batch, labels), in nats
    raises           ValueError for a weight outside its domain
    source           textbook
    """
    check_number("weight", weight, low=0, open_ends=True)
    return bce(logits, targets) * (weight * targets + (1 - targets))
