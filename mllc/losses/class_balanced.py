"""Class-balanced loss: each label weighted by the inverse of its effective number of samples."""

import math

import torch
from torch import Tensor

from mllc.losses.blocks import by_rows
from mllc.losses.checks import check_flag, check_number
from mllc.losses.focal import focal
from mllc.losses.numbers import is_zero, log
from mllc.losses.precision import full_precision


@full_precision
@by_rows()
def class_balanced(
    logits: Tensor,
    targets: Tensor,
    *,
    beta: float = 0.9,
    gamma: float = 0.0,
    normalize: bool = True,
    label_counts: Tensor,
) -> Tensor:
    """Class-balanced cross-entropy or focal loss: r (1 - p_t)^gamma (-log p_t), r = (1 - beta) / (1 - beta^n).

    r weighs a label's positives and negatives alike: it sets how much labels count against each other and leaves each
    label's best answer where it is. It reaches from 1 at n = 1 down to 1 - beta: with beta .9 all labels with more than
    about 50 positives weigh the same.

    logits, targets  (batch, labels); targets 0 or 1
    beta             in [0, 1]; 0: all weights 1; towards 1, and at 1, the weights are 1 / n
    gamma            focal exponent, >= 0; 0: cross-entropy
    normalize        True: r rescaled to a mean of 1 over the labels, so that beta does not change the learning rate
    label_counts     (labels,), positives n of each label in training, taken as at least 1: a label that is never true
                     has the largest weight
    returns          (batch, labels), in nats
    raises           ValueError for a setting outside its domain
    source           Cui et al. 2019, arXiv:1901.05555, for single labels and with the rescaling (not checked against
                     their code); one weight per label, beta .9 and gamma 2 without rescaling in Huang et al. 2021,
                     arXiv:2109.04712. gamma is 0 here, to show what the weights alone do
    """
    check_number("beta", beta, low=0, high=1)
    check_flag("normalize", normalize)
    counts = label_counts.clamp(min=1)
    if is_zero(1 - beta):
        weight = 1 / counts
    else:
        log_beta = -math.inf if is_zero(beta) else log(beta)
        weight = (1 - beta) / -torch.expm1(counts * log_beta)
    if normalize:
        weight = weight / weight.mean()
    return weight * focal(logits, targets, gamma=gamma)
