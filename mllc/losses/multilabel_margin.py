"""Multi-label margin loss: a hinge over all pairs of a true and a false label of a sample."""

import torch
import torch.nn.functional as F
from torch import Tensor

from mllc.losses.precision import full_precision


@full_precision
def multilabel_margin(logits: Tensor, targets: Tensor) -> Tensor:
    """Pairwise hinge: (1/labels) sum_P sum_N max(0, 1 - zp + zn).

    Each true label should stand 1 above each false one; pairs that do cost nothing. With many labels the sum is ruled
    by the many negatives of a bad positive, all alike.

    logits, targets  (batch, labels); targets 0 or 1
    returns          (batch,), >= 0; a row without ones or without zeros costs 0; a constant added to all logits of a
                     row changes nothing, so z > 0 means nothing
    source           torch.nn.MultiLabelMarginLoss, whose targets are lists of label numbers
    """
    _, hinges = violations(logits, targets)
    return (targets * hinges).sum(-1) / logits.shape[-1]


def violations(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """For each label, how many of its row's negatives have 1 - z + zn > 0, and the sum of these hinges.

    By sorting: time labels x log(labels) and memory labels a row, whatever the number of positives, where all pairs
    would take labels x positives.

    returns  int64 and float (batch, labels); the number is a constant for the gradient; at negatives both mean nothing
    """
    # -zn ascending: the worst negatives first, and all positives last
    ordered = (-logits).masked_fill(targets > 0.5, float("inf")).sort(-1).values
    room = 1 - logits
    number = torch.searchsorted(ordered.detach(), room.detach())
    sums = F.pad(ordered.masked_fill(ordered.isinf(), 0).cumsum(-1), (1, 0))
    return number, number * room - sums.gather(-1, number)
