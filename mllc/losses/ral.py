"""Robust asymmetric loss (RAL): the asymmetric polynomial loss, its negatives weighted as in the Hill loss."""

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
    """RAL: apl, its negatives times l - p.

    The factor falls from l to l - 1 as p rises: negatives that the model takes for positives, which may be missing
    labels, weigh less against the others than in apl.

    logits, targets  (batch, labels); targets 0 or 1
    gamma_neg        g- >= 0; gamma_pos: g+ >= 0
    margin           m in [0, 1]; negatives with p <= m cost nothing
    e1, e2           any numbers, see `apl`
    lam              l >= 1
    returns          (batch, labels)
    raises           ValueError for a setting outside its domain
    source           Park et al. 2023, arXiv:2308.05542 (formula not checked against its text; l from the code of its
                     authors). That code has two factors more on the negatives, p^2 and l - 1 + pm, where pm =
                     max(p - m, 0), and clamps p before the logarithm; both are left out
    """
    check_number("lam", lam, low=1)
    losses = apl(logits, targets, gamma_neg=gamma_neg, gamma_pos=gamma_pos, margin=margin, e1=e1, e2=e2)
    return losses * torch.lerp(lam - torch.sigmoid(logits), torch.ones_like(losses), targets)
