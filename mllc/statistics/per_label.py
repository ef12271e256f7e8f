"""On how many labels two groups differ: a test a label, with the false discovery rate of all of them controlled."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from mllc.statistics.corrections import fdr
from mllc.statistics.paired import ALPHA, t_test


class LabelsApart(NamedTuple):
    """Number of labels on which the first group is higher, those on which it is lower, and of those tested."""

    higher: int
    lower: int
    tested: int


def labels_apart(ones: ArrayLike, others: ArrayLike, *, overlap: float = 0.0) -> LabelsApart:
    """Labels whose figure differs between two groups over the seeds that both have.

    ones, others  (seeds, labels), at least two seeds, the same in the same order; NaN anywhere leaves the label out
    overlap       of the training samples behind them, see `mllc.statistics.paired.mean_and_error`
    returns       counts of the labels whose paired t-test has p < .05 after Benjamini and Hochberg: of those counted,
                  5 % are false on average
    raises        ValueError for other shapes

    >>> labels_apart([[0.5, 0.9], [0.6, 0.7], [0.7, 0.8]], [[0.10, 0.8], [0.21, 0.8], [0.3, 0.8]])
    LabelsApart(higher=1, lower=0, tested=2)
    """
    first, second = np.asarray(ones, dtype=np.float64), np.asarray(others, dtype=np.float64)
    if first.ndim != 2 or first.shape != second.shape or len(first) < 2:
        raise ValueError(f"(seeds, labels) with two seeds or more are compared, not {first.shape} and {second.shape}")
    differences = (first - second).T
    differences = differences[np.isfinite(differences).all(1)]
    mean, _, _, p = t_test(differences, overlap)
    apart = fdr(p) < ALPHA if len(p) else np.zeros(0, dtype=bool)
    return LabelsApart(int((apart & (mean > 0)).sum()), int((apart & (mean < 0)).sum()), len(differences))
