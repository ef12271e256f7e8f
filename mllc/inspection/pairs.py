"""Labels that are true together: the strongest pairs, and a matrix of the most frequent labels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mllc.data.rows import Matrix

LEAST_TOGETHER = 5
"""Samples that have both labels, at least: rarer pairs are chance."""

MOST_PAIRS = 10
MOST_FREQUENT = 25

BLOCK_ENTRIES = 1 << 24
"""Pairs of labels that are counted at once, which bounds memory."""


@dataclass(frozen=True)
class Pair:
    """Two labels by their places.

    together  samples in which both are true
    jaccard   together / samples in which one of them is true, in (0, 1]; 1: never one without the other
    lift      how many times as often as if they were independent
    """

    first: int
    second: int
    together: int
    jaccard: float
    lift: float


@dataclass(frozen=True, eq=False)
class Frequent:
    """The most frequent labels by their places, and the samples that have both of two of them, int64 (k, k)."""

    labels: np.ndarray
    together: np.ndarray


def strongest_pairs(
    matrices: Sequence[Matrix], num_labels: int, most: int = MOST_PAIRS, least: int = LEAST_TOGETHER
) -> tuple[Pair, ...]:
    """The `most` pairs of largest Jaccard index of those true together in `least` samples or more.

    matrices  positives of each split: sparse, int32 ones

    The index, not the lift, orders them: lift is largest for the rarest labels, where it is chance.
    """
    truth = _stacked(matrices)
    samples, counts = truth.shape[0], np.bincount(truth.indices, minlength=num_labels)
    labels = np.flatnonzero(counts >= least)  # the others are in no pair; of a million labels most may be
    by_label, counts, found = truth.tocsc()[:, labels], counts[labels], []
    truth = by_label.tocsr()
    step = max(1, BLOCK_ENTRIES // max(len(labels), 1))
    for start in range(0, len(labels), step):
        block = (by_label[:, start : start + step].T @ truth).tocoo()
        rows = block.row + start
        keep = (block.col > rows) & (block.data >= least)
        first, second, together = rows[keep], block.col[keep], block.data[keep].astype(np.int64)
        jaccard = together / (counts[first] + counts[second] - together)
        best = np.lexsort((second, first, -jaccard))[:most]
        lift = together[best] * samples / (counts[first[best]].astype(float) * counts[second[best]])
        columns = (labels[first[best]], labels[second[best]], together[best], jaccard[best], lift)
        found += [Pair(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]
    return tuple(sorted(found, key=lambda pair: (-pair.jaccard, pair.first, pair.second))[:most])


def most_frequent(matrices: Sequence[Matrix], num_labels: int, most: int = MOST_FREQUENT) -> Frequent:
    """How often the `most` most frequent labels, in that order, are true together; on the diagonal their counts."""
    truth = _stacked(matrices)
    counts = np.bincount(truth.indices, minlength=num_labels)
    labels = np.argsort(-counts, kind="stable")[:most]
    labels = labels[counts[labels] > 0]
    part = truth.tocsc()[:, labels]
    return Frequent(labels, (part.T @ part).toarray().astype(np.int64))


def _stacked(matrices: Sequence[Matrix]) -> Matrix:
    from scipy.sparse import vstack

    return vstack(matrices, format="csr")
