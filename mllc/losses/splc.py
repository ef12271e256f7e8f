"""Self-paced loss correction (SPLC): from some epoch on, negatives that the model is sure of count as positives."""

from torch import Tensor

from mllc.losses.blocks import by_rows
from mllc.losses.checks import check_number
from mllc.losses.focal import focal
from mllc.losses.numbers import log
from mllc.losses.precision import full_precision


@full_precision
@by_rows()
def splc(
    logits: Tensor,
    targets: Tensor,
    *,
    epoch: int,
    tau: float = 0.6,
    change_epoch: int = 1,
    margin: float = 1.0,
    gamma: float = 2.0,
) -> Tensor:
    """SPLC: focal_margin; from epoch `change_epoch` on every negative with p > tau costs (1-p)^gamma (-log p).

    For training data in which true labels are missing: what the model has learned to see is no longer unlearned.

    logits, targets  (batch, labels); targets 0 or 1
    epoch            of training, counted from 0
    tau              in (0, 1)
    change_epoch     >= 0; 1: the first epoch only is trained on the labels as they are
    margin           >= 0, in logits
    gamma            >= 0
    returns          (batch, labels), in nats; as a function of z it jumps at p = tau
    raises           ValueError for a setting outside its domain
    source           Zhang et al. 2021, arXiv:2112.07368, and the authors' code. Departure of the code from the paper,
                     followed here: the margin is for labels given as positive only, not for negatives turned over
    """
    check_number("tau", tau, low=0, high=1, open_ends=True)
    check_number("change_epoch", change_epoch, low=0)
    check_number("margin", margin, low=0)
    shifted = logits - margin * targets
    if epoch >= change_epoch:
        targets = targets.masked_fill(logits > log(tau / (1 - tau)), 1)
    return focal(shifted, targets, gamma=gamma)
