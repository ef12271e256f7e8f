"""Focal loss: cross-entropy that counts easy elements less."""

import torch.nn.functional as F
from torch import Tensor

from mllc.losses.blocks import by_rows
from mllc.losses.checks import check_number
from mllc.losses.precision import full_precision


@full_precision
@by_rows()
def focal(logits: Tensor, targets: Tensor, *, gamma: float = 2.0, alpha: float | None = None) -> Tensor:
    """Focal loss: alpha_t (1 - p_t)^gamma (-log p_t), p_t the probability given to the true side.

    logits, targets  (batch, labels); targets 0 or 1
    gamma            >= 0; 0 is bce
    alpha            weight of the positives in [0, 1], 1 - alpha that of the negatives; None: both 1. The paper's
                     .25 fits detectors, where gamma has made the many easy negatives cheap already; with sparse labels
                     it weighs the rare positives three times less
    returns          (batch, labels), in nats
    raises           ValueError for a setting outside its domain
    source           Lin et al. 2017, arXiv:1708.02002, eq. 4 and 5; alpha is null here
    """
    check_number("gamma", gamma, low=0)
    signed = logits * (2 * targets - 1)
    # exp(gamma log(1 - p_t)) instead of a power: no underflow of p_t, no infinite slope of x^gamma at 0
    values = (gamma * F.logsigmoid(-signed)).exp() * -F.logsigmoid(signed)
    if alpha is None:
        return values
    check_number("alpha", alpha, low=0, high=1)
    return values * (alpha * targets + (1 - alpha) * (1 - targets))
