"""BP-MLL: the exponential ranking loss over pairs of a true and a false label, on a logarithmic scale."""

import torch.nn.functional as F
from torch import Tensor

from mllc.losses.blocks import by_rows
from mllc.losses.lsep import log_sum_of_pairs
from mllc.losses.precision import full_precision


@full_precision
@by_rows()
def bp_mll(logits: Tensor, targets: Tensor) -> Tensor:
    """log(1 + E), E = sum_P sum_N e^(zn - zp) / (|P| |N|), the published loss of a row.

    E was made for outputs in [-1, 1]; of logits that differ by 89 it overflows float32. log(1 + E) rises with E, equals
    it where it is small, and grows by at most one per logit. (log E would have no lower bound: rows ranked well long
    since would pull as hard as the others.) It is lsep with the mean over pairs instead of the sum.

    logits, targets  (batch, labels); targets 0 or 1
    returns          (batch,), >= 0; expm1 of it is E; a row without ones or without zeros costs 0; a constant added to
                     all logits of a row changes nothing, so z > 0 means nothing
    source           Zhang, Zhou 2006, IEEE TKDE 18(10), 1338-1351 (formula not checked against the paper). Departures:
                     log(1 + E) for E, logits for tanh units
    """
    number = targets.sum(-1)
    pairs = (number * (targets.shape[-1] - number)).clamp(min=1)
    return F.softplus(log_sum_of_pairs(logits, targets) - pairs.log())
