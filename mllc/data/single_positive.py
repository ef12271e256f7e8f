"""Single positives: a training split in which one true label of each sample is known, and no other."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from mllc.data.rows import Sparse, dense, positive_pairs, target_rows
from mllc.types import Dataset
from mllc.wording import counted


def single_positive(dataset: Dataset, generator: torch.Generator) -> Dataset:
    """The data set with one true label left in each training sample, drawn at random; validation and test stay whole.

    The other labels count as false, the true ones among them wrongly: the setting of Cole et al. 2021, arXiv:2106.09708
    (their "assume negative"), for which weak_negatives, hill, splc and large_loss were made. Samples without a true
    label stay as they are; unknown entries stay unknown.
    """
    split = dataset.train
    if isinstance(split.targets, Sparse):
        kept, lost = _one_of_sparse(split.targets, generator)
    else:
        kept, lost = _one_of_dense(dense(split.targets), split.mask, generator)
    note = f"single positives: {counted(lost, 'true label')} of {counted(len(split), 'training sample')} set to false"
    return replace(dataset, train=replace(split, targets=kept), notes=(*dataset.notes, note))


def _one_of_dense(targets: Tensor, mask: Tensor | None, generator: torch.Generator) -> tuple[Tensor, int]:
    chance = torch.rand(targets.shape, generator=generator)
    positive = targets > 0 if mask is None else (targets > 0) & mask
    kept = torch.zeros_like(targets).scatter_(1, chance.masked_fill(~positive, -1).argmax(1, keepdim=True), 1)
    kept *= positive.any(1, keepdim=True)
    return kept, int(positive.sum() - kept.sum())


def _one_of_sparse(targets: Sparse, generator: torch.Generator) -> tuple[Sparse, int]:
    """A draw for each true label rather than for each entry; the largest of a sample stays."""
    samples, labels = positive_pairs(targets)
    chance = torch.rand(len(labels), generator=generator).numpy()
    order = np.lexsort((chance, samples))
    last = np.flatnonzero(np.diff(samples, append=-1))  # samples rise, so that each one's last is where the next begins
    counts = np.diff(targets.matrix.indptr) > 0
    return target_rows(np.append(0, np.cumsum(counts)), labels[order[last]], targets.shape[1]), len(labels) - len(last)
