"""Groups: samples that belong together (one patient's, one film's) and must not be parted by a split."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from mllc.data.rows import positive_pairs
from mllc.types import Dataset, Split, Targets
from mllc.wording import counted, listed


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
    positives: list[Counter[int]] = [Counter() for _ in order]
    groups_of: list[set[int]] = [set() for _ in range(targets.shape[1])]
    samples, labels = positive_pairs(targets)
    for sample, label in zip(samples.tolist(), labels.tolist(), strict=True):
        positives[place[groups[sample]]][label] += 1
        groups_of[label].add(place[groups[sample]])
    left = np.bincount(labels, minlength=targets.shape[1]).astype(np.float64)
    wanted = [[fraction * count for fraction in fractions] for count in left.tolist()]
    wanted_samples = [fraction * len(groups) for fraction in fractions]
    left[left == 0] = np.inf
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
        for label, count in positives[group].items():
            wanted[label][part] -= count
            left[label] -= count

    while np.isfinite(left[rarest := int(left.argmin())]):
        for group in sorted(groups_of[rarest]):
            if part_of[group] < 0:
                assign(group, wanted[rarest])
        left[left <= 0] = np.inf
    for group in range(len(order)):
        if part_of[group] < 0:
            assign(group, wanted_samples)
    assigned = torch.tensor([part_of[place[name]] for name in groups])
    return [(assigned == part).nonzero()[:, 0] for part in range(len(fractions))]


def across(dataset: Dataset) -> list[str]:
    """Notes on the groups that the source's own splits part, which are left as they are."""
    named = {name: _groups(dataset, name) for name in ("train", "val", "test")}
    pairs = [(one, other) for one, other in (("train", "val"), ("train", "test"), ("val", "test"))]
    notes = []
    for one, other in pairs:
        shared = sorted(named[one] & named[other])
        if shared:
            verb = "is" if len(shared) == 1 else "are"
            told = f"{counted(len(shared), 'group')} {verb} in {one} and in {other}, as the source has them"
            notes.append(f"{told}: {listed(shared)}")
    return notes


def _groups(dataset: Dataset, name: str) -> set[str]:
    split: Split | None = getattr(dataset, name)
    return set() if split is None else set(split.groups or ())
