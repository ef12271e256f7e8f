"""Robust asymmetric loss (RAL): the asymmetric polynomial loss with Hill's weight on the negatives."""

import torch
from torch import Tensor

from mllc.losses.apl import apl
from mllc.losses.blocks import by_rows
from mllc.losses.checks import check_number
from mllc.losses.precision import full_precision


@full_precision
@by_rows()
def ral(
    logits: Tensor,
    targets: Tensor,
    *,
    gamma_neg: float = 4.0,
    gamma_pos: float = 0.0,
    margin: float = 0.05,
    e1: float = 1.0,
    e2: float = -2.5,
    lam: float = 1.5,
) -> Tensor:
    """RAL: apl, its negatives times (l - p) p^2 (l - 1 + pm), pm = max(p - m, 0).

    The factors make negatives of middling p cheaper still: at p = 1/2 one costs a quarter of what it does in apl.

    logits, targets  (batch, labels); targets 0 or 1
    gamma_neg        g- >= 0; gamma_pos: g+ >= 0
    margin           m in [0, 1]; negatives with p <= m cost nothing
    e1, e2           any numbers, see `apl`
    lam              l >= 1
    returns          (batch, labels)
    raises           ValueError for a setting outside its domain
    source           Park et al. 2023, arXiv:2308.05542. This is the form of the authors' code, with its values. The
                     paper's own factor of the negatives could not be established, and may be l - p alone. Departure:
                     no clamp of p before the logarithm
    """
    check_number("lam", lam, low=1)
    losses = apl(logits, targets, gamma_neg=gamma_neg, gamma_pos=gamma_pos, margin=margin, e1=e1, e2=e2)
    p = torch.sigmoid(logits)
    weight = (lam - p) * p**2 * (lam - 1 + (p - margin).clamp(min=0))
    return losses * (targets + (1 - targets) * weight)
