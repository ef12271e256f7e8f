"""Binary cross-entropy as it is often typed: sigmoid, then log. It exists to show how that fails."""

import torch
from torch import Tensor

from mllc.losses.precision import full_precision


@full_precision
def bce_naive(logits: Tensor, targets: Tensor) -> Tensor:
    """Sigmoid cross-entropy computed literally: -(y log p + (1 - y) log(1 - p)), with no clamp.

    In float32 p is exactly 1 from z = 17 on, and exactly 0 from z = -89 on (-104 where the sigmoid keeps the tiniest
    numbers): the wrong side then costs inf, the right side 0 * inf = NaN, and no gradient is a number. `bce` is the
    same function computed well. torch's BCELoss clamps each logarithm at -100 instead, which hides the failure: the
    value stays finite, the gradient is lost.

    logits   (batch, labels)
    targets  (batch, labels), in [0, 1]
    returns  (batch, labels), in nats; inf or NaN for large logits of either sign
    source   seen in many a forum question
    """
    p = torch.sigmoid(logits)
    return -(targets * p.log() + (1 - targets) * (1 - p).log())
