"""Dirichlet-multinomial likelihood of a sample's labels, with a Poisson number of them."""

import torch
import torch.nn.functional as F
from torch import Tensor

from mllc.losses.counts import log_count
from mllc.losses.precision import full_precision


@full_precision
def dirichlet_multinomial(logits: Tensor, targets: Tensor, *, count: Tensor) -> Tensor:
    """-log DirMult(y; alpha) - log Poisson(k; Z): which labels, given their number k, and how many.

    With alpha = softplus(z), A = sum alpha, and y of zeros and ones, the two add up to
    sum_{i<k} log(A + i) - sum_P log alpha + Z - k log Z; both hold a log k!, which cancels. A softmax_count whose
    distribution is itself uncertain: the larger A, the nearer to a multinomial with probabilities alpha / A. With one
    label it is a cross-entropy, log A - log alpha, with softplus where a softmax has exp.

    logits, targets  (batch, labels); targets 0 or 1
    count            (batch,), the raw linear unit u of log Z = asinh(u / 2) (see mllc.losses.counts)
    returns          (batch,), in nats; a row without labels costs Z. Never 0 on several labels: the distribution also
                     allows a label twice
    source           textbook likelihood (Mosimann 1962). Its use as a multi-label loss: no publication was found.
                     Labels are ranked by z, whose level across samples is loose; no score exists for alpha / A
    """
    # log softplus(z) is z - e^z / 2 for very negative z, where softplus itself underflows
    log_alpha = torch.where(logits < -30, logits, F.softplus(logits.clamp(min=-30)).log())
    number = targets.sum(-1)
    drawn = torch.arange(logits.shape[-1], dtype=logits.dtype, device=logits.device)
    # lgamma(A + k) - lgamma(A) as a sum of logarithms: the difference would cancel for large A
    log_rising = torch.logaddexp(log_alpha.logsumexp(-1, keepdim=True), drawn.log())
    log_rising = log_rising.masked_fill(drawn >= number.unsqueeze(-1), 0).sum(-1)
    log_expected = log_count(count, penalty="poisson")
    return log_rising - (targets * log_alpha).sum(-1) + log_expected.exp() - number * log_expected
