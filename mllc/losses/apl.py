"""Asymmetric polynomial loss (APL): the asymmetric loss with other coefficients in the series of a positive's loss."""

import torch
from torch import Tensor

from mllc.losses.asymmetric import asymmetric
from mllc.losses.blocks import by_rows
from mllc.losses.checks import check_number
from mllc.losses.numbers import power
from mllc.losses.precision import full_precision


@full_precision
@by_rows()
def apl(
    logits: Tensor,
    targets: Tensor,
    *,
    gamma_neg: float = 4.0,
    gamma_pos: float = 0.0,
    margin: float = 0.05,
    e1: float = 1.0,
    e2: float = -2.5,
    detach_focal: bool = False,
) -> Tensor:
    """APL: y (1-p)^g+ [-log p - e1 (1-p) - e2/2 (1-p)^2] + (1-y) pm^g- (-log(1 - pm)), pm = max(p - m, 0).

    -log p is the series of (1-p)^j / j: e1 = 1 takes the linear term out, e2 = -2.5 makes the quadratic one 1.75. A
    positive that is nearly found then costs almost nothing more, one that is missed the usual slope -1.

    logits, targets  (batch, labels); targets in [0, 1]
    gamma_neg        g- >= 0; gamma_pos: g+ >= 0
    margin           m in [0, 1]; negatives with p <= m cost nothing
    e1, e2           any numbers; both 0: the asymmetric loss. The loss of positives falls as p rises for e1 <= 1 and
                     e2 <= 1
    detach_focal     True: the focal weights are constants for the gradient
    returns          (batch, labels)
    raises           ValueError for a setting outside its domain
    source           Huang et al. 2023, arXiv:2304.05361, from the authors' code; not compared with the paper's text.
                     Departures: the code detaches the focal weights unless told otherwise, here `detach_focal` is
                     false as in `asymmetric`; its clamp of p before the logarithm, and its coefficient of negatives
                     (0 as published), are left out
    """
    check_number("e1", e1)
    check_number("e2", e2)
    losses = asymmetric(
        logits, targets, gamma_neg=gamma_neg, gamma_pos=gamma_pos, margin=margin, detach_focal=detach_focal
    )
    not_p = torch.sigmoid(-logits)
    weight = power(not_p, gamma_pos)
    if detach_focal:
        weight = weight.detach()
    return losses - targets * weight * not_p * (e1 + e2 / 2 * not_p)
