"""Mean average precision of weighted samples, under thousands of weightings: a resample is one."""

from typing import Any, NamedTuple

import numpy as np

BLOCK = 128
"""Weightings taken at once, at most: their weights of all samples stay in the cache."""

CELLS = 1 << 22
"""Numbers that one step holds, about: memory stays bounded (some 200 MB)."""


def weighted_map(scores: np.ndarray, true: np.ndarray, known: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The mean over labels of average precision, float64 (weightings,), under each row of `weights`.

    `weights` (weightings, samples) are whole numbers of at least 0: exact up to a total of 2^24. The other arrays are
    (samples, labels); `true` only where `known`. A label whose positives all weigh nothing is left out of that
    weighting's mean; NaN where that leaves none.

    AP = sum over the label's cuts of (weight of the positives at the cut / weight of all positives) * (weight of the
    positives at or above it / weight of all samples at or above it), the cuts being the distinct scores of positives:
    scikit-learn's `average_precision_score` with `sample_weight`. What weighs how much at each cut are two sparse
    matrix products; samples below every positive of a label are in neither.
    """
    total, labels = np.zeros(len(weights)), np.zeros(len(weights))
    step = max(1, CELLS // max(1, len(scores)))
    for start in range(0, scores.shape[1], step):
        some = slice(start, start + step)
        cuts = _cuts(scores[:, some], true[:, some], known[:, some])
        if cuts is None:
            continue
        wide = min(BLOCK, max(1, CELLS // cuts.hits.shape[0]))
        for begin in range(0, len(weights), wide):
            block = slice(begin, begin + wide)
            samples = np.ascontiguousarray(weights[block].T, dtype=np.float32)
            hits = (cuts.hits @ samples).astype(np.float64)
            precision = cuts.above(hits) / np.maximum(cuts.above(cuts.samples @ samples), 1)
            positives = np.add.reduceat(hits, cuts.first)
            sums = np.add.reduceat(hits * precision, cuts.first)
            total[block] += (sums / np.maximum(positives, 1)).sum(0)
            labels[block] += (positives > 0).sum(0)
    with np.errstate(invalid="ignore"):
        return total / labels


class _Cuts(NamedTuple):
    """The positives of some labels, label by label, each label's by falling score: a row for each.

    samples  sparse (rows, samples): 1 where the sample falls to this row, the first positive that scores no more
    hits     the same of the positives alone, so that positives of equal score are all in the first one's row
    first    a label's first row, (labels,)
    rows     how many rows a label has, (labels,)
    """

    samples: Any
    hits: Any
    first: np.ndarray
    rows: np.ndarray

    def above(self, values: np.ndarray) -> np.ndarray:
        """Sums of the label's rows down to each row, float64, of `values` (rows, weightings)."""
        sums = values.cumsum(0, dtype=np.float64)
        before = sums[self.first] - values[self.first]
        return sums - np.repeat(before, self.rows, axis=0)


def _cuts(scores: np.ndarray, true: np.ndarray, known: np.ndarray) -> _Cuts | None:
    """None if no label has a positive."""
    from scipy.sparse import csr_array

    falls_to, samples, hits_to, hits, rows = [], [], [], [], []
    done = 0
    for column, positive, there in zip(scores.T, true.T, known.T, strict=True):
        positives = np.flatnonzero(positive)
        if not positives.size:
            continue
        column = -column
        place = np.searchsorted(np.sort(column[positives]), column)
        reached = np.flatnonzero((place < positives.size) & there)
        falls_to.append(done + place[reached])
        samples.append(reached)
        hits_to.append(done + place[positives])
        hits.append(positives)
        rows.append(positives.size)
        done += positives.size
    if not rows:
        return None

    def matrix(row: list[np.ndarray], column: list[np.ndarray]) -> Any:
        at = np.concatenate(row), np.concatenate(column)
        return csr_array((np.ones(len(at[0]), np.float32), at), shape=(done, len(scores)))

    sizes = np.array(rows)
    return _Cuts(matrix(falls_to, samples), matrix(hits_to, hits), sizes.cumsum() - sizes, sizes)
