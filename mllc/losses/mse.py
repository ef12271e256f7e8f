"""Squared error of the probabilities."""

import torch
from torch import Tensor

from mllc.losses.blocks import by_rows
from mllc.losses.precision import full_precision


@full_precision
@by_rows()
def mse(logits: Tensor, targets: Tensor) -> Tensor:
    """Squared error of probabilities, the Brier score: (p - y)^2.

    Its best answer is the true probability, as that of bce. But the gradient, 2 (p - y) p (1 - p), vanishes where the
    model is confidently wrong: a positive at z = -80 is never learned.

    logits, targets  (batch, labels); targets in [0, 1]
    returns          (batch, labels), in [0, 1]
    source           textbook
    """
    return (torch.sigmoid(logits) - targets) ** 2
