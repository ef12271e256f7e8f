"""Rebalanced focal loss: labels weighted by their share of the chances to see a sample."""

import torch
from torch import Tensor

from mllc.losses.blocks import by_rows
from mllc.losses.checks import check_number
from mllc.losses.focal import focal
from mllc.losses.precision import full_precision


@full_precision
@by_rows()
def rebalanced_focal(
    logits: Tensor,
    targets: Tensor,
    *,
    label_counts: Tensor,
    mask: Tensor | None = None,
    gamma: float = 2.0,
    alpha: float = 0.1,
    beta: float = 10.0,
    mu: float = 0.2,
) -> Tensor:
    """Rebalanced focal loss: w (1-p_t)^gamma (-log p_t), w = alpha + sigmoid(beta (r - mu)), r as in `rebalancing`.

    Where every label were sampled equally often, a sample would be seen once for each of its labels, mostly for the
    rare ones; r is one label's share in that. It weighs a frequent label down in samples that also have a rare one.

    logits, targets  (batch, labels); targets 0 or 1
    label_counts     (labels,), positives n of each label in training
    mask             bool (batch, labels), False where a target is unknown; None: all known
    gamma            >= 0; 0: the weighted bce
    alpha            >= 0, the least weight
    beta             > 0, how suddenly the weight rises
    mu               any number, the share at which it rises; .2 is for COCO, .3 for VOC: fit it to the data
    returns          (batch, labels)
    raises           ValueError for a setting outside its domain
    source           Wu et al. 2020, arXiv:2007.09654, and the authors' code. Departures: a constant factor is left out
                     (2 there, 1/2 in Huang et al. 2021, arXiv:2109.04712); a label never true counts as once true
    """
    weight = rebalancing(targets, label_counts, mask, alpha, beta, mu)
    return weight * focal(logits, targets, gamma=gamma)


def rebalancing(
    targets: Tensor, label_counts: Tensor, mask: Tensor | None, alpha: float, beta: float, mu: float
) -> Tensor:
    """Weights alpha + sigmoid(beta (r - mu)), r = (1/n) / sum_P (1/n) of a label, true or not, in a sample.

    A label rarer than a sample's own ones has r > 1; in a sample without labels r is infinite, the weight alpha + 1.
    """
    check_number("alpha", alpha, low=0)
    check_number("beta", beta, low=0, open_ends=True)
    check_number("mu", mu)
    rarity = 1 / label_counts.clamp(min=1)
    total = ((targets if mask is None else targets * mask) * rarity).sum(-1, keepdim=True)
    empty = total == 0
    share = rarity / total.masked_fill(empty, 1)
    return torch.where(empty, alpha + 1, alpha + torch.sigmoid(beta * (share - mu)))
