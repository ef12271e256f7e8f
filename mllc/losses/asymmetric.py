"""Asymmetric loss (ASL): focal weights of their own for positives and negatives, easy negatives dropped."""

import torch
import torch.nn.functional as F
from torch import Tensor

from mllc.losses.blocks import by_rows
from mllc.losses.checks import check_flag, check_number
from mllc.losses.numbers import is_zero, power
from mllc.losses.precision import full_precision


def _slope(
    logits: Tensor, targets: Tensor, *, gamma_neg: float, gamma_pos: float, margin: float, detach_focal: bool
) -> Tensor:
    p, not_p = torch.sigmoid(logits), torch.sigmoid(-logits)
    focal_neg, focal_pos = (0.0, 0.0) if detach_focal else (gamma_neg, gamma_pos)
    negative = _negative_slope(logits, p, not_p, gamma_neg, focal_neg, margin)
    # positives: -(1-p)^g+ ((1-p) - g+ p log p)
    positive = (p * F.logsigmoid(logits)).mul_(-focal_pos).add_(not_p).mul_(power(not_p, gamma_pos)).neg_()
    return torch.lerp(negative, positive, targets)


def _negative_slope(logits: Tensor, p: Tensor, not_p: Tensor, gamma: float, focal: float, margin: float) -> Tensor:
    """p (1-p) pm^g- (1 / (1-pm) - g- log(1-pm) / pm) where p > m, else 0; `focal` is 0 or g-."""
    not_pm, pm, log_not_pm = _shifted(logits, not_p, margin)
    slope = power(pm, gamma) * (1 if is_zero(margin) else not_p / not_pm)
    if not is_zero(focal):
        slope -= log_not_pm.mul_(focal).mul_(not_p).mul_(power(pm, gamma - 1))
    if not is_zero(margin):
        slope.masked_fill_(pm == 0, 0)
    return slope.mul_(p)


def _shifted(logits: Tensor, not_p: Tensor, margin: float) -> tuple[Tensor, Tensor, Tensor]:
    """1 - pm, pm and log(1 - pm). 1 - pm = min(1 - p + m, 1) is at least m, and its logarithm safe."""
    if is_zero(margin):
        return not_p, torch.sigmoid(logits), F.logsigmoid(-logits)
    not_pm = (not_p + margin).clamp(max=1)
    return not_pm, 1 - not_pm, not_pm.log()


@full_precision
@by_rows(_slope)
def asymmetric(
    logits: Tensor,
    targets: Tensor,
    *,
    gamma_neg: float = 4.0,
    gamma_pos: float = 1.0,
    margin: float = 0.05,
    detach_focal: bool = False,
) -> Tensor:
    """Asymmetric loss: y (1-p)^g+ (-log p) + (1-y) pm^g- (-log(1 - pm)), pm = max(p - m, 0).

    logits, targets  (batch, labels); targets in [0, 1]
    gamma_neg        g- >= 0; gamma_pos: g+ >= 0
    margin           m in [0, 1]; negatives with p <= m cost nothing
    detach_focal     True: the focal weights are constants for the gradient
    returns          (batch, labels), in nats
    raises           ValueError for a setting outside its domain
    source           Ben-Baruch et al. 2021, arXiv:2009.14119. Implementations that clamp p before the
                     logarithm give a confidently wrong positive no gradient; here -log p is softplus(-z), slope -1
    """
    check_number("gamma_neg", gamma_neg, low=0)
    check_number("gamma_pos", gamma_pos, low=0)
    check_number("margin", margin, low=0, high=1)
    check_flag("detach_focal", detach_focal)
    not_p = torch.sigmoid(-logits)
    _, pm, log_not_pm = _shifted(logits, not_p, margin)
    positive_weight, negative_weight = power(not_p, gamma_pos), power(pm, gamma_neg)
    if detach_focal:
        positive_weight, negative_weight = positive_weight.detach(), negative_weight.detach()
    return -torch.lerp(negative_weight * log_not_pm, positive_weight * F.logsigmoid(logits), targets)
