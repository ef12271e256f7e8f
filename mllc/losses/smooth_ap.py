"""Smooth-AP: one minus the average precision of each label over a batch, its ranks made smooth."""

import torch
from torch import Tensor

from mllc.losses.checks import check_number
from mllc.losses.precision import full_precision

AT_ONCE = 2**22
"""Comparisons held in memory at once: samples x samples x labels would be too many for a whole split."""


@full_precision
def smooth_ap(logits: Tensor, targets: Tensor, *, temperature: float = 1.0) -> Tensor:
    """1 - mean_P R_P / R of each label: R = 1 + sum_{j != i} sigmoid((z_j - z_i) / T), the smooth rank of positive i
    among the samples of the batch, and R_P the same among the label's positives.

    Aims at mAP itself. It orders the samples of a label and never compares two labels: which of a sample's labels come
    first rests on how the model sets their levels, so tune a threshold per label.

    logits, targets  (batch, labels); targets 0 or 1
    temperature      T > 0, in logits; pairs much further apart get no gradient
    returns          (labels,), in [0, 1]; 0 for labels without a positive in the batch; a constant added to all logits
                     of a label changes nothing. Differentiable once. Takes time batch^2 x labels, as a list of the
                     positives alone would need their number on the host
    raises           ValueError for a temperature outside its domain
    source           Brown et al. 2020, arXiv:2007.12163; formula as in the authors' code. Departures: a label's samples
                     for retrieved images; logits, not cosines, so T 1 for .01, with which most pairs of logits get no
                     gradient; one value a label, where the mean there is over labels with a positive
    """
    check_number("temperature", temperature, low=0, open_ends=True)
    z, counts = logits.detach(), targets.sum(0).clamp(min=1)
    losses, slopes, own_slopes = torch.zeros_like(counts), torch.zeros_like(z), []
    size = max(1, AT_ONCE // max(1, z.numel()))
    for own, true in zip(z.split(size), targets.split(size), strict=True):
        # [i, j, c]: how much sample j stands above sample i; the 1/2 of j = i is made 1
        above = ((z - own.unsqueeze(1)) / temperature).sigmoid()
        rank = above.sum(1) + 0.5
        precision = ((above * targets).sum(1) + 0.5) / rank
        losses = losses + (true / counts * (1 - precision)).sum(0)
        # the derivative by z_j - z_i, taken here so that no comparison has to be kept for it
        weight = true / (counts * rank * temperature)
        slope = weight.unsqueeze(1) * (precision.unsqueeze(1) - targets) * above * (1 - above)
        slopes = slopes + slope.sum(0)
        own_slopes.append(slope.sum(1))
    slopes = slopes - torch.cat(own_slopes)
    return losses + (slopes * (logits - z)).sum(0)
