"""PolyLoss: binary cross-entropy with another first coefficient in its series."""

import torch
from torch import Tensor

from mllc.losses.bce import bce
from mllc.losses.blocks import by_rows
from mllc.losses.checks import check_number
from mllc.losses.precision import full_precision


@full_precision
@by_rows()
def poly_bce(logits: Tensor, targets: Tensor, *, epsilon: float = 1.0) -> Tensor:
    """Poly-1 cross-entropy: -log p_t + epsilon (1 - p_t), p_t the probability given to the true side.

    -log p_t is the series of (1 - p_t)^j / j; epsilon is added to its first coefficient, which rules where the model is
    nearly right. Above 0 easy elements count more, below 0 less; at -1 the linear term is gone, as in a focal loss with
    exponent 1.

    logits, targets  (batch, labels); targets in [0, 1]
    epsilon          >= -1, below which being right would cost; 0 is bce
    returns          (batch, labels), in nats
    raises           ValueError for an epsilon outside its domain
    source           Leng et al. 2022, arXiv:2204.12511, for a softmax; the sigmoid form and the first value to try, 1,
                     after re-implementations (the paper tunes it for each task; not checked against the paper)
    """
    check_number("epsilon", epsilon, low=-1)
    missed = targets * torch.sigmoid(-logits) + (1 - targets) * torch.sigmoid(logits)
    return bce(logits, targets) + epsilon * missed
