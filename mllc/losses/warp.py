"""WARP: pairwise hinges of true and false labels, weighted by how deep the true label is ranked."""

import torch
from torch import Tensor

from mllc.losses.multilabel_margin import violations
from mllc.losses.precision import full_precision


@full_precision
def warp(logits: Tensor, targets: Tensor) -> Tensor:
    """Weighted approximate-rank pairwise loss: sum_P H(r_p) mean of the hinges 1 + zn - zp above 0.

    r_p is the number of negatives with a hinge above 0, H(r) = 1 + 1/2 + ... + 1/r, H(0) = 0: one rank too low costs
    more near the top than far down, so the top of the ranking comes first.

    logits, targets  (batch, labels); targets 0 or 1
    returns          (batch,), >= 0; a row without ones or without zeros costs 0; H is a constant for the gradient; a
                     constant added to all logits of a row changes nothing, so z > 0 means nothing
    source           Weston, Bengio, Usunier 2011, IJCAI (WSABIE); for several labels Gong et al. 2014, arXiv:1312.4894
                     (formula not checked against the papers). Departure: ranks are counted and the mean is over all
                     violating negatives, which is what the published sampling of one of them estimates
    """
    rank, hinges = violations(logits, targets)
    weights = 1 / torch.arange(1, logits.shape[-1] + 1, dtype=logits.dtype, device=logits.device)
    harmonic = torch.cat([weights.new_zeros(1), weights.cumsum(0)])
    return (targets * harmonic[rank] * hinges / rank.clamp(min=1)).sum(-1)
