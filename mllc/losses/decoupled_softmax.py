"""Decoupled softmax: each true label against the false ones, and not against the other true ones."""

import torch.nn.functional as F
from torch import Tensor

from mllc.losses.blocks import by_rows
from mllc.losses.precision import full_precision


@full_precision
@by_rows()
def decoupled_softmax(logits: Tensor, targets: Tensor) -> Tensor:
    """Softmax cross-entropy of each positive against the negatives: (1/k) sum_P log(1 + sum_N e^(zn - zp)).

    Unlike softmax_ce, whose true labels compete and which stops at log k, it can reach 0. With one label both are the
    same, and lsep too.

    logits, targets  (batch, labels); targets 0 or 1; k is the number of a row's ones
    returns          (batch,), in nats, >= 0; a row without ones or without zeros costs 0; a constant added to all
                     logits of a row changes nothing, so z > 0 means nothing
    source           after LSEP (Li, Song, Luo 2017, arXiv:1704.03135); where this form was published first was not
                     found
    """
    positive = targets > 0.5
    full = positive.all(-1, keepdim=True)
    # a full row is not masked: the gradient of a log-sum-exp of nothing would be NaN
    negatives = logits.masked_fill(positive & ~full, float("-inf")).logsumexp(-1, keepdim=True)
    losses = F.softplus(negatives - logits).masked_fill(~positive | full, 0)
    return losses.sum(-1) / targets.sum(-1).clamp(min=1)
