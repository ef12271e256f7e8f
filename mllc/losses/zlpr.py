"""ZLPR: positives ranked above zero, zero above negatives, jointly over a sample's labels."""

import torch
from torch import Tensor

from mllc.losses.blocks import by_rows
from mllc.losses.precision import full_precision


def _with_slope(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """The loss and its derivative by each logit: one exponential a label, and the few positives by themselves.

    With the largest logit of each side taken out, at least 0, nothing overflows.
    """
    row, column = targets.nonzero(as_tuple=True)
    of_negatives = logits.clone()
    of_negatives[row, column] = -torch.inf
    top = of_negatives.amax(-1, keepdim=True).clamp(min=0)
    terms = of_negatives.sub_(top).exp_()
    negatives = terms.sum(-1, keepdim=True) + (-top).exp()
    mine = -logits[row, column]
    top_mine = mine.new_zeros(len(logits)).scatter_reduce(0, row, mine, "amax")
    terms_mine = (mine - top_mine[row]).exp()
    positives = (-top_mine).exp().index_add(0, row, terms_mine)
    slope = terms.div_(negatives)
    slope[row, column] = -terms_mine / positives[row]
    return (negatives.log() + top)[:, 0] + positives.log() + top_mine, slope


@full_precision
@by_rows(with_slope=_with_slope)
def zlpr(logits: Tensor, targets: Tensor) -> Tensor:
    """Zero-bounded log-sum-exp and pairwise rank-based loss: log(1 + sum_N e^z) + log(1 + sum_P e^-z).

    logits, targets  (batch, labels); targets 0 or 1; N and P, a row's zeros and ones, may be empty
    returns          (batch,), in nats; the gradient of one side adds up to at most 1 whatever the number of labels
    source           Su et al. 2022, arXiv:2208.02955; decide by z > 0
    """
    true = targets.bool()
    zero = torch.zeros_like(logits[..., :1])
    sides = (logits.masked_fill(true, -torch.inf), (-logits).masked_fill(~true, -torch.inf))
    negatives, positives = (torch.cat([side, zero], -1).logsumexp(-1) for side in sides)
    return negatives + positives
