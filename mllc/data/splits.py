"""Splits: iterative stratification, and carving validation (and a test) from the training split where there is none."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from mllc.data.groups import across, group_stratification
from mllc.data.rows import join, join_targets, positive_pairs, select, select_targets
from mllc.errors import DataError
from mllc.types import Dataset, Split, Targets
from mllc.wording import are, counted


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
    occurring, labels = np.unique(labels, return_inverse=True)  # of a million labels most may not, and each has a cost
    visited = np.lexsort((labels, samples))

    labels_of: list[list[int]] = [[] for _ in range(num_samples)]
    samples_of: list[list[int]] = [[] for _ in occurring]
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

    while len(left) and np.isfinite(left[rarest := int(left.argmin())]):
        for sample in samples_of[rarest]:
            if part_of[sample] < 0:
                assign(sample, wanted[rarest])
        left[left <= 0] = np.inf
    for sample in range(num_samples):
        if part_of[sample] < 0:
            assign(sample, wanted_samples)
    assigned = torch.tensor(part_of)
    return [order[assigned == part].sort().values for part in parts]


def carve(
    dataset: Dataset,
    *,
    val: float,
    test: float,
    generator: torch.Generator,
    folds: int | None = None,
    fold: int = 0,
    group: str | None = None,
) -> Dataset:
    """The data set with all three splits: those of the source as they are, the others taken from its training split.

    test   share of the training samples that become the test split, if the source has none (said in the notes)
    val    share of the training samples, after that, that become the validation split, if the source has none
    folds  all samples of the source, its own splits joined, are divided into so many parts, and one is the test split:
           number `fold`, from 0. The same generator gives the same parts whatever the fold: they are disjoint, and
           together they are every sample once. Validation is taken from the other parts
    group  what the reader was asked to read groups from, for messages; samples of one group stay together wherever the
           source names groups, and its labels are then shared out as evenly as whole groups allow

    Raises DataError for shares outside (0, 1), folds that there are not, groups that the source does not name, and
    where a split would be left without samples.
    """
    for name, share in (("val", val), ("test", test)):
        if not 0 < share < 1:
            raise DataError(f"split.{name}={share}: a share of the training samples is needed, above 0 and below 1")
    _require_groups(dataset, group)
    if folds is not None:
        dataset = _fold(dataset, folds, fold, generator)
    else:
        dataset = replace(dataset, notes=(*dataset.notes, *across(dataset)))
    if dataset.test is None:
        train, held_out = _divide(dataset.train, test, "test", generator)
        number = f"{len(held_out)} of {len(dataset.train)} training samples {are(len(held_out))}"
        note = f"the source has no test split: {number} held out"
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


def _require_groups(dataset: Dataset, group: str | None) -> None:
    for name in ("train", "val", "test") if group is not None else ():
        split: Split | None = getattr(dataset, name)
        if split is not None and split.groups is None:
            raise DataError(
                f"split.group={group}: the {name} split names no groups; give a file that has them, or leave it out"
            )


def _fold(dataset: Dataset, folds: int, fold: int, generator: torch.Generator) -> Dataset:
    """The data set whose test split is one of `folds` parts of all its samples, and whose training split the others."""
    if not (folds >= 2 and 0 <= fold < folds):
        raise DataError(f"split.fold={fold} split.folds={folds}: two folds or more are needed, counted from 0")
    parts = {name: part for name in ("train", "val", "test") if (part := getattr(dataset, name)) is not None}
    whole = _joined(list(parts.values()))
    for number, what in ((len(whole), "sample"), (len(set(whole.groups or ())), "group")):
        if number < folds and (what == "sample" or whole.groups is not None):
            raise DataError(f"split.folds={folds}: there {are(number)} only {counted(number, what)}; give fewer folds")
    indices = _parts(whole, [1 / folds] * folds, generator)
    if not all(map(len, indices)):
        sizes = ", ".join(str(len(index)) for index in indices)
        raise DataError(f"split.folds={folds} leaves a fold empty (their sizes: {sizes}); give fewer folds")
    rest = torch.cat([index for number, index in enumerate(indices) if number != fold]).sort().values
    sizes = " and ".join(f"{len(part)} {name}" for name, part in parts.items())
    note = f"split.folds={folds}: {sizes} samples of the source are divided anew; each fold is the test split once"
    held_out = _select(whole, indices[fold])
    return replace(dataset, train=_select(whole, rest), val=None, test=held_out, notes=(*dataset.notes, note))


def _joined(splits: Sequence[Split]) -> Split:
    """One split of the samples of several, one after the other."""
    if len(splits) == 1:
        return splits[0]
    some_unknown = any(split.mask is not None for split in splits)
    masks = [
        torch.ones(s.targets.shape, dtype=torch.bool) if s.mask is None else s.mask for s in splits if some_unknown
    ]
    groups = [name for split in splits for name in split.groups or ()]
    return Split(
        inputs=join([split.inputs for split in splits]),
        targets=join_targets([split.targets for split in splits]),
        ids=tuple(name for split in splits for name in split.ids),
        mask=torch.cat(masks) if masks else None,
        groups=tuple(groups) if all(split.groups is not None for split in splits) else None,
    )


def _parts(split: Split, fractions: Sequence[float], generator: torch.Generator) -> list[Tensor]:
    """Indices of stratified parts; whole groups where the split names groups."""
    if split.groups is None:
        return iterative_stratification(split.targets, fractions, generator)
    return group_stratification(split.targets, split.groups, fractions, generator)


def _divide(split: Split, share: float, name: str, generator: torch.Generator) -> tuple[Split, Split]:
    kept, taken = _parts(split, [1 - share, share], generator)
    if not len(kept) or not len(taken):
        of = f" in {counted(len(set(split.groups)), 'group')}" if split.groups is not None else ""
        raise DataError(
            f"split.{name}={share} of {counted(len(split), 'training sample')}{of} leaves {len(kept)} for training and "
            f"{len(taken)} for {name}; give more samples, another share, or a file: dataset.{name}=FILE"
        )
    return _select(split, kept), _select(split, taken)


def _select(split: Split, index: Tensor) -> Split:
    rows = index.tolist()
    return Split(
        inputs=select(split.inputs, index),
        targets=select_targets(split.targets, index),
        ids=tuple(split.ids[row] for row in rows),
        mask=None if split.mask is None else split.mask[index],
        groups=None if split.groups is None else tuple(split.groups[row] for row in rows),
    )
