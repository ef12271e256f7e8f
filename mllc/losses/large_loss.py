"""Large-loss modification (LL-R, LL-Ct): the negatives with the largest losses are taken for missing labels."""

import math

import torch
from torch import Tensor

from mllc.losses.bce import bce
from mllc.losses.checks import check_number, check_word
from mllc.losses.precision import full_precision


@full_precision
def large_loss(
    logits: Tensor,
    targets: Tensor,
    *,
    epoch: int,
    mask: Tensor | None = None,
    variant: str = "reject",
    rate: float = 0.2,
) -> Tensor:
    """bce without the negatives of the batch's K largest losses, K = ceil(rate/100 * epoch * batch * labels).

    For training data in which true labels are missing: a network learns the correct labels first, so that late in
    training a large loss of a negative says that the label is wrong. In epoch 0 it is bce.

    logits, targets  (batch, labels); targets 0 or 1
    epoch            of training, counted from 0
    mask             bool (batch, labels), False where a target is unknown and takes no part; None: all known
    variant          reject (LL-R): these negatives cost 0; correct (LL-Ct): they cost softplus(-z), as positives do
    rate             percent of all entries of the batch, unknown ones included, more with each epoch; in [0, 100];
                     0: bce
    returns          (batch, labels), in nats
    raises           ValueError for a setting outside its domain
    source           Kim et al. 2022, arXiv:2206.03740, and the authors' code; rates .1 to .5 are theirs, .2 among them
                     is our choice. As there K is a share of all entries, not of the negatives, and negatives whose
                     loss equals the K-th are changed too. Departures: a loss of 0 is never changed; the variant that
                     edits the targets for good (LL-Cp) is left out
    """
    check_word("variant", variant, ("reject", "correct"))
    check_number("rate", rate, low=0, high=100)
    losses = bce(logits, targets)
    number = min(math.ceil(rate / 100 * epoch * losses.numel()), losses.numel())
    if number == 0:
        return losses
    changeable = targets < 0.5 if mask is None else (targets < 0.5) & mask
    ranked = losses.detach().masked_fill(~changeable, 0)
    large = (ranked >= ranked.flatten().topk(number).values[-1]) & (ranked > 0)
    other = torch.zeros_like(losses) if variant == "reject" else bce(logits, torch.ones_like(targets))
    return torch.where(large, other, losses)
