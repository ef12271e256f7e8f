"""Groups: samples that belong together (one patient's, one film's) and must not be parted by a split."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from mllc.data.rows import positive_pairs
from mllc.types import Dataset, Split, Targets
from mllc.wording import are, counted, listed


def group_stratification(
    targets: Targets, groups: Sequence[str], fractions: Sequence[float], generator: torch.Generator
) -> list[Tensor]:
    """Divides samples so that no group is parted and every part has nearly its share of every label.

    As `mllc.data.splits.iterative_stratification`, with whole groups in place of samples, large ones first: the label
    with the fewest positives left is taken, and each group that has it goes to the part that still wants this label
    most, of those that it brings no further from their size; where there is none, to the one that wants most samples.

    targets    0/1 (samples, labels), dense or sparse
    groups     the name of each sample's group
    fractions  share of each part, summing to 1; no part is larger by more than 1 - 1/parts of the largest group: a part
               that wants most of those that are left wants at least 1/parts of the next group
    Returns the sorted indices of each part, int64; every sample is in one of them, and a part may be empty.
    """
    names = sorted(set(groups))
    order = [names[place] for place in torch.randperm(len(names), generator=generator).tolist()]
    coin = torch.rand(len(names), len(fractions), generator=generator).tolist()
    size = Counter(groups)
    order.sort(key=lambda name: -size[name])  # stable: groups of one size stay in random order
    place = {name: number for number, name in enumerate(order)}
    group_of = np.array([place[name] for name in groups], np.int64)
    samples, labels = positive_pairs(targets)
    _, labels = np.unique(labels, return_inverse=True)  # of a million labels most may not occur, and each has a cost
    left = np.bincount(labels).astype(np.float64)
    pairs, counts = np.unique(labels * len(order) + group_of[samples], return_counts=True)
    positives: list[list[tuple[int, int]]] = [[] for _ in order]
    groups_of: list[list[int]] = [[] for _ in left]
    for label, group, count in np.stack([*np.divmod(pairs, len(order)), counts], axis=1).tolist():
        positives[group].append((label, count))
        groups_of[label].append(group)
    wanted = [[fraction * count for fraction in fractions] for count in left.tolist()]
    wanted_samples = [fraction * len(groups) for fraction in fractions]
    part_of = [-1] * len(order)

    def assign(group: int, wants: list[float]) -> None:
        own = size[order[group]]
        room = [part for part, samples in enumerate(wanted_samples) if samples >= own / 2]
        if room:
            part = max(room, key=lambda p: (wants[p], wanted_samples[p], coin[group][p]))
        else:
            part = max(range(len(fractions)), key=lambda p: (wanted_samples[p], coin[group][p]))
        part_of[group] = part
        wanted_samples[part] -= own
        for label, count in positives[group]:
            wanted[label][part] -= count
            left[label] -= count

    while len(left) and np.isfinite(left[rarest := int(left.argmin())]):
        for group in groups_of[rarest]:
            if part_of[group] < 0:
                assign(group, wanted[rarest])
        left[left <= 0] = np.inf
    for group in range(len(order)):
        if part_of[group] < 0:
            assign(group, wanted_samples)
    assigned = torch.tensor(part_of)[torch.from_numpy(group_of)]
    return [(assigned == part).nonzero()[:, 0] for part in range(len(fractions))]


def across(dataset: Dataset) -> list[str]:
    """Notes on the groups that the source's own splits part, which are left as they are."""
    named = {name: _groups(dataset, name) for name in ("train", "val", "test")}
    pairs = [(one, other) for one, other in (("train", "val"), ("train", "test"), ("val", "test"))]
    notes = []
    for one, other in pairs:
        shared = sorted(named[one] & named[other])
        if shared:
            told = f"{counted(len(shared), 'group')} {are(len(shared))} in {one} and in {other}, as the source has them"
            notes.append(f"{told}: {listed(shared)}")
    return notes


def _groups(dataset: Dataset, name: str) -> set[str]:
    split: Split | None = getattr(dataset, name)
    return set() if split is None else set(split.groups or ())
