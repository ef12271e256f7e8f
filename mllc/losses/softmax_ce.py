"""Softmax cross-entropy against a sample's labels as a distribution."""

from torch import Tensor

from mllc.losses.blocks import by_rows
from mllc.losses.precision import full_precision


@full_precision
@by_rows()
def softmax_ce(logits: Tensor, targets: Tensor) -> Tensor:
    """Softmax cross-entropy: -(1/k) sum_P log softmax(z), k the number of a sample's true labels.

    A row's targets count 1/k each, so that they add up to 1 as a softmax does; a row without labels costs 0.

    logits, targets  (batch, labels); targets 0 or 1
    returns          (batch,), in nats; a constant added to all logits of a row changes nothing, so z > 0 means nothing
    source           Gong et al. 2014, arXiv:1312.4894, section 2.2.1; Mahajan et al. 2018, arXiv:1805.00932

    >>> import torch
    >>> softmax_ce(torch.zeros(2, 4), torch.tensor([[1, 1, 0, 0], [0, 0, 0, 0]]))
    tensor([1.3863, 0.0000])
    """
    losses = (targets * -logits.log_softmax(-1)).sum(-1)
    return losses / targets.sum(-1).clamp(min=1)
