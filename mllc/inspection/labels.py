"""Labels in numbers: how many a sample has, how often each is true, how unequal they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mllc.data.rows import Matrix, Sparse, positive_pairs
from mllc.types import Split


@dataclass(frozen=True, eq=False)
class LabelFacts:
    """The labels of a split, or of several together; unknown entries count as not true.

    counts      positives of each label, int64 (labels,)
    per_sample  number of samples with 0, 1, 2, ... true labels, int64
    label_sets  number of distinct sets of labels, the empty one among them
    unknown     number of entries whose target is unknown
    """

    counts: np.ndarray
    per_sample: np.ndarray
    label_sets: int
    unknown: int

    @property
    def num_samples(self) -> int:
        return int(self.per_sample.sum())

    @property
    def cardinality(self) -> float:
        """Mean number of true labels of a sample."""
        return float(self.counts.sum()) / self.num_samples

    @property
    def density(self) -> float:
        """Cardinality / number of labels: the share of targets that are 1."""
        return self.cardinality / len(self.counts)

    @property
    def spread(self) -> float:
        """Standard deviation of the number of true labels of a sample."""
        numbers = np.arange(len(self.per_sample))
        return float(np.sqrt(self.per_sample @ (numbers - self.cardinality) ** 2 / self.num_samples))

    @property
    def empty(self) -> int:
        """Samples without a true label."""
        return int(self.per_sample[0])

    @property
    def full(self) -> int:
        """Samples of which every label is true."""
        return int(self.per_sample[len(self.counts)]) if len(self.per_sample) > len(self.counts) else 0

    @property
    def never_true(self) -> int:
        """Labels without a positive."""
        return int((self.counts == 0).sum())

    @property
    def imbalance(self) -> np.ndarray:
        """IRLbl of each label, float64 (labels,): the most frequent label's positives / its own; NaN without any.

        Charte, Rivera, del Jesus, Herrera: Addressing imbalance in multilabel classification: Measures and random
        resampling algorithms, Neurocomputing 163, 2015, equation 1.
        """
        counts = np.where(self.counts > 0, self.counts, np.nan)
        return self.counts.max() / counts

    @property
    def mean_imbalance(self) -> float | None:
        """MeanIR (equation 2 there): the mean of IRLbl, over the labels that have one; None without positives."""
        known = self.imbalance[self.counts > 0]
        return float(known.mean()) if len(known) else None

    @property
    def largest_imbalance(self) -> float | None:
        known = self.imbalance[self.counts > 0]
        return float(known.max()) if len(known) else None


def positives(split: Split) -> Matrix:
    """What is true and known, a sparse matrix (samples, labels) of int32 ones, each row's labels rising."""
    from scipy.sparse import csr_matrix

    if isinstance(split.targets, Sparse):
        return split.targets.matrix.astype(np.int32)
    samples, labels = positive_pairs(split.targets)
    if split.mask is not None:
        known = split.mask.numpy()[samples, labels]
        samples, labels = samples[known], labels[known]
    starts = np.concatenate([[0], np.bincount(samples, minlength=len(split)).cumsum()])
    return csr_matrix((np.ones(len(labels), np.int32), labels, starts), shape=split.targets.shape)


def label_facts(splits: Sequence[Split], matrices: Sequence[Matrix], sets: Sequence[Sequence[bytes]]) -> LabelFacts:
    """The facts of splits together, whose positives are `matrices`, and whose label sets are `sets`."""
    lengths = np.concatenate([np.diff(matrix.indptr) for matrix in matrices])
    return LabelFacts(
        counts=np.sum([np.bincount(one.indices, minlength=one.shape[1]) for one in matrices], axis=0),
        per_sample=np.bincount(lengths, minlength=1),
        label_sets=len(set().union(*sets)),
        unknown=sum(int((~split.mask).sum()) for split in splits if split.mask is not None),
    )


def label_sets(matrix: Matrix) -> list[bytes]:
    """For each row its labels as bytes, equal for equal sets."""
    content, starts = matrix.indices.astype(np.int32).tobytes(), (4 * matrix.indptr.astype(np.int64)).tolist()
    return [content[start:end] for start, end in pairwise(starts)]
