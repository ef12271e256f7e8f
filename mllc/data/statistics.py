"""What losses, decision rules and initial biases may know of the labels: the training split's counts."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from mllc.data.rows import Sparse, dense
from mllc.types import LabelStatistics, Split
from mllc.wording import are, listed


def label_statistics(split: Split) -> LabelStatistics:
    """Positives of each label, number of samples and mean number of true labels of a (training) split.

    Unknown entries (the mask) count as not true, so that weights and priors made from these take a label for rarer
    than it is by its share of unknown entries.
    """
    if isinstance(split.targets, Sparse):
        counts = torch.from_numpy(np.bincount(split.targets.matrix.indices, minlength=split.targets.shape[1]))
    else:
        targets = dense(split.targets)
        counts = (targets if split.mask is None else targets * split.mask).sum(dim=0, dtype=torch.int64)
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


def constant_labels(names: Sequence[str], statistics: LabelStatistics) -> list[str]:
    """Notes on the labels that are never, or always, true in training: nothing can be learned about them."""
    counts = statistics.label_counts
    notes = []
    for word, there in (("never", counts == 0), ("always", counts == statistics.num_samples)):
        found = [name for name, is_there in zip(names, there.tolist(), strict=True) if is_there]
        if found:
            notes.append(
                f"{len(found)} of {len(names)} labels {are(len(found))} {word} true in training: {listed(found)}"
            )
    return notes
