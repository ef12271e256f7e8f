"""Hamming loss with probabilities in place of decisions."""

import torch
from torch import Tensor

from mllc.losses.blocks import by_rows
from mllc.losses.precision import full_precision


@full_precision
@by_rows()
def soft_hamming(logits: Tensor, targets: Tensor) -> Tensor:
    """Absolute error of probabilities: abs(p - y).

    With y of 0 or 1 it is the expected Hamming loss of decisions drawn with probability p. Its best answer is not the
    true probability but the likelier side: on sparse labels "nothing", with certainty. The gradient, p (1 - p) in size,
    vanishes at both ends, where the model is confidently wrong too.

    logits, targets  (batch, labels); targets in [0, 1], where it is the distance of p to y
    returns          (batch, labels), in [0, 1]
    source           practitioners
    """
    return (torch.sigmoid(logits) - targets).abs()
