"""What losses, decision rules and initial biases may know of the labels: the training split's counts."""

import torch
from torch import Tensor

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


def prior_log_odds(statistics: LabelStatistics) -> Tensor:
    """(labels,), log((n + 1/2) / (S - n + 1/2)): what a model that knows no input should answer under cross-entropy.

    Half a sample on each side keeps labels that are never or always true finite.
    """
    positives = statistics.label_counts
    return ((positives + 0.5) / (statistics.num_samples - positives + 0.5)).log()
