"""Binary cross-entropy in which all negatives of a row together weigh about as much as one positive."""

import torch.nn.functional as F
from torch import Tensor

from mllc.losses.blocks import by_rows
from mllc.losses.precision import full_precision


@full_precision
@by_rows()
def weak_negatives(logits: Tensor, targets: Tensor) -> Tensor:
    """Weak assumed negatives (WAN): y softplus(-z) + (1 - y) softplus(z) / (C - 1), C the number of labels.

    Made for data where one positive a sample is known and every other label is assumed to be negative. With two true
    labels of 1000 the best constant answer is p = .67: the threshold has to be tuned.

    logits, targets  (batch, labels); targets in [0, 1]
    returns          (batch, labels), in nats; with one label in all it is bce
    source           Cole et al. 2021, arXiv:2106.09708, and the authors' code; log p is exact here, log(p + 1e-5) there
    """
    others = max(logits.shape[-1] - 1, 1)
    return targets * -F.logsigmoid(logits) + (1 - targets) * -F.logsigmoid(-logits) / others
