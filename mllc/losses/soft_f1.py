"""Soft F1: one minus the F1 that probabilities score when they are taken as fractions of decisions."""

import torch
from torch import Tensor

from mllc.losses.precision import full_precision
from mllc.losses.tversky import overlap_loss


@full_precision
def soft_f1(logits: Tensor, targets: Tensor, *, average: str = "label") -> Tensor:
    """1 - 2 sum p y / (sum p + sum y), p = sigmoid(z): of each label over the batch, or of each sample.

    Aims at F1 itself, which all zeros cannot win. But a label has a value only in batches that hold a positive of it,
    and a confidently wrong label gets almost no gradient.

    logits, targets  (batch, labels); targets 0 or 1
    average          label (macro F1): over the batch for each label, so its value depends on the batch, and the loss is
                     the sum over the labels; sample: over the labels of each sample, and the loss is their mean
    returns          (), because the two averages have no other shape in common. A label (or sample) without positives
                     costs 1 and gets no gradient: nothing pushes its false alarms down
    raises           ValueError for another average
    source           public practice, no paper. Departure: no eps in the denominator
    """
    return overlap_loss(torch.sigmoid(logits), targets, alpha=0.5, beta=0.5, average=average)
