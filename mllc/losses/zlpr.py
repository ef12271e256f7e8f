"""ZLPR: positives ranked above zero, zero above negatives, jointly over a sample's labels."""

import torch
from torch import Tensor

from mllc.losses.blocks import by_rows
from mllc.losses.precision import full_precision


def _sides(logits: Tensor, targets: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor], Tensor]:
    """Each label's e^z, or e^-z of a positive, over e^top of its side; 1 + their sum, of both sides; the tops' sum.

    One exponential serves both sides, and the tops, at least 0, keep it from overflowing.
    """
    of_positives = logits * targets
    of_negatives = logits - of_positives
    with torch.no_grad():
        top_p = -of_positives.amin(-1, keepdim=True).clamp(max=0)
        top_n = of_negatives.amax(-1, keepdim=True).clamp(min=0)
        top = torch.addcmul(top_n, targets, top_p - top_n)
    terms = (of_negatives - of_positives - top).exp()
    of_positives = terms * targets
    negatives = (terms - of_positives).sum(-1, keepdim=True) + (-top_n).exp()
    positives = of_positives.sum(-1, keepdim=True) + (-top_p).exp()
    return terms, (negatives, positives), top_n + top_p


def _slope(logits: Tensor, targets: Tensor) -> Tensor:
    terms, (negatives, positives), _ = _sides(logits, targets)
    up, down = 1 / negatives, -1 / positives
    return terms.mul_(torch.addcmul(up, targets, down - up))


@full_precision
@by_rows(_slope)
def zlpr(logits: Tensor, targets: Tensor) -> Tensor:
    """Zero-bounded log-sum-exp and pairwise rank-based loss: log(1 + sum_N e^z) + log(1 + sum_P e^-z).

    logits, targets  (batch, labels); targets 0 or 1; N and P, a row's zeros and ones, may be empty
    returns          (batch,), in nats; the gradient of one side adds up to at most 1 whatever the number of labels
    source           Su et al. 2022, arXiv:2208.02955; decide by z > 0
    """
    _, (negatives, positives), tops = _sides(logits, targets)
    return (negatives.log() + positives.log() + tops).squeeze(-1)
