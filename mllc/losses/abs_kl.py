"""The absolute KL divergence of pseudo-distributions that add up to the number of labels, not to 1."""

import torch
import torch.nn.functional as F
from torch import Tensor

from mllc.losses.blocks import by_rows
from mllc.losses.checks import check_number
from mllc.losses.numbers import log
from mllc.losses.precision import full_precision


@full_precision
@by_rows()
def abs_kl(logits: Tensor, targets: Tensor, *, eps: float = 1e-7) -> Tensor:
    """Absolute KL divergence: abs((y - p) log(y / p)), y and p both at least eps.

    logits, targets  (batch, labels); targets in [0, 1]
    eps              in (0, 1); the smaller, the more a negative at a given p costs
    returns          (batch, labels), >= 0
    raises           ValueError for eps outside its domain
    source           as described by practitioners (Cross Validated, question 207794). Departure: see `divergence`
    """
    return divergence(targets, F.logsigmoid(logits), eps)


def divergence(targets: Tensor, log_expected: Tensor, eps: float) -> Tensor:
    """abs((y - p) log(y / p)) of targets y and expectations p = exp(log_expected), element by element.

    The two factors have the same sign, so abs() changes nothing: it is KL(y, p) + KL(p, y) without normalisation.
    Where y > eps, p is not clipped: the clip would take the gradient from positives with p < eps, the worst ones.
    """
    check_number("eps", eps, low=0, high=1, open_ends=True)
    log_expected = torch.where(targets > eps, log_expected, log_expected.clamp(min=log(eps)))
    targets = targets.clamp(min=eps)
    return (targets - log_expected.exp()) * (targets.log() - log_expected)
