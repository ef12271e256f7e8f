"""Asymmetric loss (ASL): focal weights of their own for positives and negatives, easy negatives dropped."""

import torch
import torch.nn.functional as F
from torch import Tensor

from mllc.losses.checks import check_flag, check_number
from mllc.losses.precision import full_precision


@full_precision
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
    log_p, log_not_p = F.logsigmoid(logits), F.logsigmoid(-logits)
    positive_weight = (gamma_pos * log_not_p).exp()
    if margin == 0:
        log_not_pm, negative_weight = log_not_p, (gamma_neg * log_p).exp()
    else:
        # 1 - pm = min(1 - p + m, 1), at least m: its logarithm is safe
        log_not_pm = (torch.sigmoid(-logits) + margin).clamp(max=1).log()
        # not down to 0, where x^gamma has an infinite slope for gamma < 1
        tiny = torch.finfo(logits.dtype).tiny
        negative_weight = (torch.sigmoid(logits) - margin).clamp(min=tiny) ** gamma_neg
    if detach_focal:
        positive_weight, negative_weight = positive_weight.detach(), negative_weight.detach()
    return targets * positive_weight * -log_p + (1 - targets) * negative_weight * -log_not_pm
