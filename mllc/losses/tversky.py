"""Tversky loss: the overlap of predicted and true labels, false alarms and misses weighted apart."""

import torch
from torch import Tensor

from mllc.losses.checks import check_number, check_word
from mllc.losses.precision import full_precision


@full_precision
def tversky(
    logits: Tensor, targets: Tensor, *, alpha: float = 0.5, beta: float = 0.5, average: str = "label"
) -> Tensor:
    """1 - TP / (TP + a FP + b FN), counts soft: TP = sum p y, FP = sum p (1-y), FN = sum (1-p) y, p = sigmoid(z).

    a = b = .5 is soft_f1 (Dice). b above a makes misses dearer than false alarms. A confidently wrong label gets almost
    no gradient, as p does not move there.

    logits, targets  (batch, labels); targets 0 or 1
    alpha            a >= 0, weight of false alarms; beta: b > 0, weight of misses
    average          label: counts over the batch for each label, so its value depends on the batch, and the loss is
                     the sum over the labels; sample: counts over the labels of each sample, and the loss is their mean
    returns          (), because the two averages have no other shape in common. A label (or sample) without positives
                     costs 1 and gets no gradient: nothing pushes its false alarms down
    raises           ValueError for a setting outside its domain
    source           Salehi, Erdogmus, Gholipour 2017, arXiv:1706.05721 (from memory: they recommend a .3, b .7).
                     Departures: labels where the paper has voxels; no constant added to both sides of the fraction
    """
    check_number("alpha", alpha, low=0)
    check_number("beta", beta, low=0, open_ends=True)
    return overlap_loss(torch.sigmoid(logits), targets, alpha=alpha, beta=beta, average=average)


def overlap_loss(p: Tensor, targets: Tensor, *, alpha: float, beta: float, average: str) -> Tensor:
    """1 - TP / (TP + alpha FP + beta FN): the sum over labels, or the mean over samples, see `tversky`."""
    check_word("average", average, ("label", "sample"))
    dim = 0 if average == "label" else -1
    hits = (p * targets).sum(dim)
    alarms = (p * (1 - targets)).sum(dim)
    misses = ((1 - p) * targets).sum(dim)
    # min(beta, 1) or more wherever there is a positive: the clamp acts on the others only, which cost 1 anyway
    total = (hits + alpha * alarms + beta * misses).clamp(min=min(beta, 1) / 2)
    losses = 1 - hits / total
    return losses.sum() if average == "label" else losses.mean()
