"""Hill loss: negatives that look like positives are taken for missing labels and hardly pushed down."""

import torch
from torch import Tensor

from mllc.losses.blocks import by_rows
from mllc.losses.checks import check_number
from mllc.losses.focal import focal
from mllc.losses.precision import full_precision


@full_precision
@by_rows()
def hill(logits: Tensor, targets: Tensor, *, lam: float = 1.5, margin: float = 1.0, gamma: float = 2.0) -> Tensor:
    """Hill loss: y (1-p')^gamma (-log p') + (1-y) (l - p) p^2, p' = sigmoid(z - margin).

    The slope of a negative in z, 3 p^2 (1-p)^2 for l = 1.5, is a hill with its top at p = 1/2: a surely wrong negative
    has no gradient, by design. Positives, those of focal_margin, always have one.

    logits, targets  (batch, labels); targets in [0, 1]
    lam              l >= 1; below 1.5 the loss of a negative falls again for p > l/1.5
    margin           >= 0, in logits
    gamma            >= 0; of positives only
    returns          (batch, labels)
    raises           ValueError for a setting outside its domain
    source           Zhang et al. 2021, arXiv:2112.07368, and the authors' code; there log(sigmoid) overflows, here not
    """
    check_number("lam", lam, low=1)
    check_number("margin", margin, low=0)
    p = torch.sigmoid(logits)
    positives = focal(logits - margin, torch.ones_like(targets), gamma=gamma)
    return targets * positives + (1 - targets) * (lam - p) * p**2
