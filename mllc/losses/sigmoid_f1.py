"""sigmoidF1: soft F1 with a sigmoid of adjustable slope and offset."""

import torch
from torch import Tensor

from mllc.losses.checks import check_number
from mllc.losses.precision import full_precision
from mllc.losses.tversky import overlap_loss


@full_precision
def sigmoid_f1(
    logits: Tensor, targets: Tensor, *, slope: float = 1.0, offset: float = 0.0, average: str = "label"
) -> Tensor:
    """Soft F1 with s = sigmoid(b (z + eta)) for p: 1 - 2 TP / (2 TP + FP + FN).

    TP = sum s y, FP = sum s (1-y), FN = sum (1-s) y. The steeper, the nearer to the F1 of decisions, and the fewer
    labels that still get a gradient. b 1, eta 0 is soft_f1.

    logits, targets  (batch, labels); targets 0 or 1
    slope            b > 0; offset: eta, any number; s > 1/2 where z > -eta
    average          label, the published one: over the batch for each label, so its value depends on the batch, and the
                     loss is the sum over the labels; sample: over the labels of each sample, and the loss is their mean
    returns          (), because the two averages have no other shape in common. A label (or sample) without positives
                     costs 1 and gets no gradient: nothing pushes its false alarms down
    raises           ValueError for a setting outside its domain
    source           Benedict et al. 2022, arXiv:2108.10566, after the formula in the authors' README. Departures: one
                     sigmoid, where their code takes it twice; defaults and ranges are not theirs: the paper's values
                     were not found; no eps in the denominator
    """
    check_number("slope", slope, low=0, open_ends=True)
    check_number("offset", offset)
    return overlap_loss(torch.sigmoid(slope * (logits + offset)), targets, alpha=0.5, beta=0.5, average=average)
