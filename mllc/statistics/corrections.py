"""p-values of several tests at once, adjusted so that each can be held against .05 by itself."""

import numpy as np
from numpy.typing import ArrayLike


def holm(p_values: ArrayLike) -> np.ndarray:
    """Holm's adjusted p-values (..., tests): rejecting those under .05 errs anywhere in at most 5 % of all families.

    With the p of a family in ascending order, p_adjusted(i) = min(1, max over j <= i of (m - j + 1) p(j)), m tests.
    It holds however the tests depend on each other, as tests against one baseline do. ValueError for a p-value that
    is not in [0, 1].

    Source: Holm, "A simple sequentially rejective multiple test procedure" (1979).

    >>> holm([0.01, 0.04, 0.03]).round(2).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=np.float64)
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError("a p-value is not between 0 and 1")
    order = np.argsort(p, axis=-1)
    left = np.arange(p.shape[-1], 0, -1)
    ranked = np.maximum.accumulate(np.take_along_axis(p, order, -1) * left, axis=-1)
    adjusted = np.empty_like(p)
    np.put_along_axis(adjusted, order, np.minimum(ranked, 1), -1)
    return adjusted


def fdr(p_values: ArrayLike) -> np.ndarray:
    """Benjamini-Hochberg adjusted p-values (tests,), for tests per label: of those under .05, 5 % are false on average.

    It holds for independent or positively dependent tests. ValueError for a p-value that is not in [0, 1].

    Source: Benjamini and Hochberg, "Controlling the false discovery rate" (1995), by scipy.

    >>> fdr([0.01, 0.04, 0.03]).round(2).tolist()
    [0.03, 0.04, 0.04]
    """
    from scipy.stats import false_discovery_control

    return np.asarray(false_discovery_control(np.asarray(p_values, dtype=np.float64)))
