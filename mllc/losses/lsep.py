"""LSEP: a smooth hinge over all pairs of a true and a false label of a sample."""

import torch.nn.functional as F
from torch import Tensor

from mllc.losses.blocks import by_rows
from mllc.losses.precision import full_precision


@full_precision
@by_rows()
def lsep(logits: Tensor, targets: Tensor) -> Tensor:
    """Log-sum-exp pairwise loss: log(1 + sum_P sum_N e^(zn - zp)).

    The worst pairs of a row dominate. It ranks labels and leaves the level of a row free.

    logits, targets  (batch, labels); targets 0 or 1
    returns          (batch,), in nats, >= 0; a row without ones or without zeros costs 0; a constant added to all
                     logits of a row changes nothing, so z > 0 means nothing
    source           Li, Song, Luo 2017, arXiv:1704.03135 (formula not checked against the paper). Departure: all pairs,
                     by two log-sum-exps, where the published training is said to sample at most 1000 of them
    """
    return F.softplus(log_sum_of_pairs(logits, targets))


def log_sum_of_pairs(
    logits: Tensor, targets: Tensor, *, dim: int = -1, temperature_pos: float = 1.0, temperature_neg: float = 1.0
) -> Tensor:
    """Tn LSE_N(z / Tn) + Tp LSE_P(-z / Tp) along `dim`, -inf (with gradient 0) where there are no ones or no zeros.

    With both temperatures 1 it is log sum_P sum_N e^(zn - zp), without ever building the pairs.
    """
    positive = targets > 0.5
    both = positive.any(dim, keepdim=True) & ~positive.all(dim, keepdim=True)
    lowest = float("-inf")
    # where one side is empty, nothing is masked: the gradient of a log-sum-exp of nothing would be NaN
    negatives = (logits / temperature_neg).masked_fill(positive & both, lowest).logsumexp(dim)
    positives = (-logits / temperature_pos).masked_fill(~positive & both, lowest).logsumexp(dim)
    total = temperature_neg * negatives + temperature_pos * positives
    return total.masked_fill(~both.squeeze(dim), lowest)
