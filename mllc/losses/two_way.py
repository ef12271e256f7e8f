"""Two-way multi-label loss: true above false among a sample's labels, and among a label's samples."""

import torch.nn.functional as F
from torch import Tensor

from mllc.losses.checks import check_number
from mllc.losses.lsep import log_sum_of_pairs
from mllc.losses.precision import full_precision


@full_precision
def two_way(logits: Tensor, targets: Tensor, *, temperature_pos: float = 4.0, temperature_neg: float = 1.0) -> Tensor:
    """softplus(Tn LSE_N(z/Tn) + Tp LSE_P(-z/Tp)), mean over rows with a positive, plus mean over such columns.

    A row compares the labels of a sample, a column the samples of a label; with both, all logits of a batch share one
    level. Tp above 1 makes the positives act together rather than the worst alone.

    logits, targets  (batch, labels); targets 0 or 1
    temperature_pos  Tp > 0; temperature_neg: Tn > 0
    returns          (), >= 0; a row or column without zeros costs 0, a batch without positives too; a constant added to
                     the logits of the whole batch changes nothing, so z > 0 means nothing
    raises           ValueError for a temperature outside its domain
    source           Kobayashi 2023, CVPR, 7476-7485; formula and defaults as in the author's code. Departures: empty
                     sides are left out exactly, where the code adds -100 to masked logits, and the loss of a batch
                     without positives is 0, not NaN
    """
    check_number("temperature_pos", temperature_pos, low=0, open_ends=True)
    check_number("temperature_neg", temperature_neg, low=0, open_ends=True)

    def one_way(dim: int) -> Tensor:
        pairs = log_sum_of_pairs(
            logits, targets, dim=dim, temperature_pos=temperature_pos, temperature_neg=temperature_neg
        )
        with_positives = (targets > 0.5).any(dim).sum()
        return F.softplus(pairs).sum() / with_positives.clamp(min=1)

    return one_way(-1) + one_way(0)
