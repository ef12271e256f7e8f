"""Distribution times number: a softmax says which labels, one extra output says how many."""

import torch
from torch import Tensor

from mllc.losses.abs_kl import divergence
from mllc.losses.checks import check_word
from mllc.losses.counts import log_count
from mllc.losses.precision import full_precision
from mllc.losses.softmax_ce import softmax_ce


@full_precision
def softmax_count(logits: Tensor, targets: Tensor, *, count: Tensor, penalty: str = "mse", eps: float = 1e-7) -> Tensor:
    """Softmax distribution q and expected number of labels Z, learned together; k is a sample's true number.

    mse      KL(y/k, q) + (u - k)^2, u the raw unit, Z = max(u, .01). The published penalty is (Z - k)^2, whose
             gradient the clip takes away below .01; here the unit is clipped where it is read, never in the penalty
    poisson  KL(y/k, q) - log Poisson(k; Z), log Z = asinh(u / 2)
    product  sum abs((y - Zq) log(y / Zq)), both at least eps: abs_kl of the expected counts Zq

    logits, targets  (batch, labels); targets 0 or 1; the KL of a row without labels is 0
    count            (batch,), the raw linear unit u (see mllc.losses.counts)
    penalty          mse, poisson or product
    eps              in (0, 1); for product only
    returns          (batch,), >= 0
    raises           ValueError for another penalty or eps
    source           as described by practitioners (Cross Validated, question 207794), with the count as a linear unit
                     clipped at .01, a Poisson unit proposed, and trained by Adadelta
    """
    check_word("penalty", penalty, ("mse", "poisson", "product"))
    number = targets.sum(-1)
    if penalty == "product":
        log_expected = log_count(count, penalty=penalty).unsqueeze(-1) + logits.log_softmax(-1)
        return divergence(targets, log_expected, eps).sum(-1)
    kl = softmax_ce(logits, targets) - number.clamp(min=1).log()
    if penalty == "mse":
        return kl + (count - number) ** 2
    log_expected = log_count(count, penalty=penalty)
    return kl + log_expected.exp() - number * log_expected + torch.lgamma(number + 1)
