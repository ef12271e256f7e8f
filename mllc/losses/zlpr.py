"""ZLPR: positives ranked above zero, zero above negatives, jointly over a sample's labels."""

import torch.nn.functional as F
from torch import Tensor

from mllc.losses.precision import full_precision


@full_precision
def zlpr(logits: Tensor, targets: Tensor) -> Tensor:
    """Zero-bounded log-sum-exp and pairwise rank-based loss: log(1 + sum_N e^z) + log(1 + sum_P e^-z).

    logits, targets  (batch, labels); targets 0 or 1; N and P, a row's zeros and ones, may be empty
    returns          (batch,), in nats; the gradient of one side adds up to at most 1 whatever the number of labels
    source           Su et al. 2022, arXiv:2208.02955; decide by z > 0
    """
    positive = targets > 0.5
    lowest = float("-inf")
    # the zero that bounds the ranking is one more column
    negatives = F.pad(logits.masked_fill(positive, lowest), (1, 0)).logsumexp(-1)
    positives = F.pad((-logits).masked_fill(~positive, lowest), (1, 0)).logsumexp(-1)
    return negatives + positives
