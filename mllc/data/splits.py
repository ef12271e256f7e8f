"""Splits: iterative stratification, and carving validation (and a test) from the training split where there is none."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from mllc.data.rows import positive_pairs, select, select_targets
from mllc.errors import DataError
from mllc.types import Dataset, Split, Targets


def iterative_stratification(targets: Targets, fractions: Sequence[float], generator: torch.Generator) -> list[Tensor]:
    """Divides samples so that every part has its share of every label, the rarest labels first.

    Again and again the label with the fewest samples left is taken, and each of these samples goes to the part that
    still wants this label most (then: that wants most samples; then: at random). Samples without labels fill up.
    A label's only positive goes to the largest part, unless a still rarer label of that sample has decided.

    targets    0/1 (samples, labels), dense or sparse
    fractions  share of each part, summing to 1; sizes meet them nearly, not exactly
    Returns the sorted indices of each part, int64; every sample is in one of them.

    Sechidis, Tsoumakas, Vlahavas: On the Stratification of Multi-label Data, ECML PKDD 2011, algorithm 1. Departures:
    samples are visited in random order, and of labels equally rare the first in a random order is taken.
    """
    num_samples, num_labels = targets.shape
    parts = range(len(fractions))
    # Visiting in a random order makes every further choice deterministic, ties between parts apart.
    order = torch.randperm(num_samples, generator=generator)
    label_order = torch.randperm(num_labels, generator=generator)
    coin = torch.rand(num_samples, len(fractions), generator=generator).tolist()
    samples, labels = positive_pairs(targets)
    samples, labels = order.argsort().numpy()[samples], label_order.argsort().numpy()[labels]
    visited = np.lexsort((labels, samples))

    labels_of: list[list[int]] = [[] for _ in range(num_samples)]
    samples_of: list[list[int]] = [[] for _ in range(num_labels)]
    for sample, label in zip(samples[visited].tolist(), labels[visited].tolist(), strict=True):
        labels_of[sample].append(label)
        samples_of[label].append(sample)
    left = np.array([len(samples) for samples in samples_of], dtype=np.float64)
    left[left == 0] = np.inf
    wanted_samples = [fraction * num_samples for fraction in fractions]
    wanted = [[fraction * len(samples) for fraction in fractions] for samples in samples_of]
    part_of = [-1] * num_samples

    def assign(sample: int, wants: list[float]) -> None:
        part = max(parts, key=lambda p: (wants[p], wanted_samples[p], coin[sample][p]))
        part_of[sample] = part
        wanted_samples[part] -= 1
        for label in labels_of[sample]:
            wanted[label][part] -= 1
            left[label] -= 1

    while np.isfinite(left[rarest := int(left.argmin())]):
        for sample in samples_of[rarest]:
            if part_of[sample] < 0:
                assign(sample, wanted[rarest])
        left[left <= 0] = np.inf
    for sample in range(num_samples):
        if part_of[sample] < 0:
            assign(sample, wanted_samples)
    assigned = torch.tensor(part_of)
    return [order[assigned == part].sort().values for part in parts]


def carve(dataset: Dataset, *, val: float, test: float, generator: torch.Generator) -> Dataset:
    """The data set with all three splits: those of the source as they are, the others taken from its training split.

    test  share of the training samples that become the test split, if the source has none (said in the notes)
    val   share of the training samples, after that, that become the validation split, if the source has none

    Raises DataError for shares outside (0, 1) and where a split would be left without samples.
    """
    for name, share in (("val", val), ("test", test)):
        if not 0 < share < 1:
            raise DataError(f"split.{name}={share}: a share of the training samples is needed, above 0 and below 1")
    if dataset.test is None:
        train, held_out = _divide(dataset.train, test, "test", generator)
        note = f"the source has no test split: {len(held_out)} of {len(dataset.train)} training samples are held out"
        dataset = replace(dataset, train=train, test=held_out, notes=(*dataset.notes, note))
    if dataset.val is None:
        train, held_out = _divide(dataset.train, val, "val", generator)
        dataset = replace(dataset, train=train, val=held_out)
    return dataset


def split_fingerprint(*splits: Split | None) -> str:
    """Hex digest (32 digits) of the samples' ids in each split: who is trained on, validated on, tested on."""
    digest = hashlib.blake2b(digest_size=16)
    for split in splits:
        digest.update(f"\n{None if split is None else len(split)}\n".encode())
        if split is not None:
            digest.update("\0".join(split.ids).encode())
    return digest.hexdigest()


def _divide(split: Split, share: float, name: str, generator: torch.Generator) -> tuple[Split, Split]:
    kept, taken = iterative_stratification(split.targets, [1 - share, share], generator)
    if not len(kept) or not len(taken):
        raise DataError(
            f"split.{name}={share} of {len(split)} training samples leaves {len(kept)} for training and {len(taken)} "
            f"for {name}; give more samples, another share, or a file: dataset.{name}=FILE"
        )
    return _select(split, kept), _select(split, taken)


def _select(split: Split, index: Tensor) -> Split:
    return Split(
        inputs=select(split.inputs, index),
        targets=select_targets(split.targets, index),
        ids=tuple(split.ids[i] for i in index.tolist()),
        mask=None if split.mask is None else split.mask[index],
    )
