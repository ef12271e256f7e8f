"""Binary cross-entropy, every label for itself."""

import torch.nn.functional as F
from torch import Tensor

from mllc.losses.precision import full_precision


@full_precision
def bce(logits: Tensor, targets: Tensor) -> Tensor:
    """Sigmoid cross-entropy: y softplus(-z) + (1 - y) softplus(z).

    logits   (batch, labels)
    targets  (batch, labels), in [0, 1]
    returns  (batch, labels), in nats, >= 0; its gradient is sigmoid(z) - y
    source   textbook: minus the log-likelihood of independent Bernoulli labels; torch's BCEWithLogitsLoss

    >>> import torch
    >>> bce(torch.tensor([[0.0, 4.0]]), torch.tensor([[1, 0]]))
    tensor([[0.6931, 4.0181]])
    """
    return F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
