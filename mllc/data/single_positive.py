"""Single positives: a training split in which one true label of each sample is known, and no other."""

from dataclasses import replace

import torch

from mllc.types import Dataset


def single_positive(dataset: Dataset, generator: torch.Generator) -> Dataset:
    """The data set with one true label left in each training sample, drawn at random; validation and test stay whole.

    The other labels count as false, the true ones among them wrongly: the setting of Cole et al. 2021, arXiv:2106.09708
    (their "assume negative"), for which weak_negatives, hill, splc and large_loss were made. Samples without a true
    label stay as they are; unknown entries stay unknown.
    """
    split = dataset.train
    chance = torch.rand(split.targets.shape, generator=generator)
    positive = split.targets > 0 if split.mask is None else (split.targets > 0) & split.mask
    kept = torch.zeros_like(split.targets).scatter_(1, chance.masked_fill(~positive, -1).argmax(1, keepdim=True), 1)
    kept *= positive.any(1, keepdim=True)
    lost = int(positive.sum() - kept.sum())
    note = f"single positives: {lost} true labels of {len(split)} training samples count as false"
    return replace(dataset, train=replace(split, targets=kept), notes=(*dataset.notes, note))
