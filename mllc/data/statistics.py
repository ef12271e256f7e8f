"""What losses and decision rules may know of the labels: the training split's counts."""

import torch

from mllc.types import LabelStatistics, Split


def label_statistics(split: Split) -> LabelStatistics:
    """Positives of each label, number of samples and mean number of true labels of a (training) split.

    Unknown entries (the mask) count as not true.
    """
    targets = split.targets if split.mask is None else split.targets * split.mask
    counts = targets.sum(dim=0, dtype=torch.int64)
    return LabelStatistics(
        label_counts=counts.float(),
        num_samples=len(split),
        mean_cardinality=counts.sum().item() / len(split),
    )
