"""Categorical cross-entropy on a multi-hot row as it is: the common mistake, kept to be compared."""

from torch import Tensor

from mllc.losses.blocks import by_rows
from mllc.losses.precision import full_precision


@full_precision
@by_rows()
def categorical_ce(logits: Tensor, targets: Tensor) -> Tensor:
    """Softmax cross-entropy of an unnormalised row: -sum_P log softmax(z).

    What a softmax and "categorical cross-entropy" give where they were meant for one label. It is k times softmax_ce, k
    the number of a sample's true labels: rows with many labels count more, and the gradient is k softmax(z) - y. It
    compares labels within a row only and never says how many are true.

    logits, targets  (batch, labels); targets in [0, 1]
    returns          (batch,), in nats, >= 0; a row without labels costs 0; a constant added to all logits of a row
                     changes nothing, so z > 0 means nothing
    source           textbook; common practice, no paper

    >>> import torch
    >>> categorical_ce(torch.zeros(2, 4), torch.tensor([[1, 1, 0, 0], [0, 0, 0, 0]]))
    tensor([2.7726, 0.0000])
    """
    return (targets * -logits.log_softmax(-1)).sum(-1)
