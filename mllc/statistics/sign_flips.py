"""The sign-flip test: were every difference as likely to have the other sign, how often would the mean be so large?"""

import numpy as np
from numpy.typing import ArrayLike

EXACT = 30
"""Up to so many differences every one of the 2^n sign patterns counts."""

SAMPLED = 100_000
"""Patterns drawn for more differences."""


def sign_flip_p(differences: ArrayLike, *, seed: int = 0) -> float:
    """Two-sided p of the mean of `differences` (n,) under all 2^n patterns of their signs, n > 0.

    p = (patterns with |sum| >= the observed |sum|) / 2^n: exact for differences that are symmetric about 0, whatever
    their distribution. For n > 30 it is (1 + those among 100 000 drawn patterns) / 100 001, the same for one `seed`.
    Sums that differ by rounding alone are equal.

    The patterns are not listed: for each sum of the one half, the sums of the other half that carry it far enough are
    counted by bisection, which takes 2^(n/2) steps.

    Source: Fisher, "The Design of Experiments" (1935), section 21.

    >>> sign_flip_p([3, 1, 4, 1, 5, 9])  # all of one sign: 2 of 64 patterns
    0.03125
    """
    d = np.asarray(differences, dtype=np.float64)
    if d.ndim != 1 or not d.size or not np.isfinite(d).all():
        raise ValueError(f"differences are a list of at least one finite number, not {d!r}")
    reached = abs(d.sum()) - 1e-12 * abs(d).sum()
    if d.size > EXACT:
        signs = np.random.default_rng(seed).integers(2, size=(SAMPLED, d.size), dtype=np.int8) * 2 - 1
        return float((1 + (abs(signs @ d) >= reached).sum()) / (1 + SAMPLED))
    if reached <= 0:
        return 1.0
    one, other = _signed_sums(d[: d.size // 2]), np.sort(_signed_sums(d[d.size // 2 :]))
    far = (other.size - np.searchsorted(other, reached - one)).sum()
    return float(2 * far / 2**d.size)  # as many lie as far below


def smallest_p(n: int, comparisons: int) -> float:
    """The smallest Holm-adjusted p that the sign-flip test can reach: min(1, comparisons 2 / 2^n).

    It is reached by a group that wins (or loses) on each of the n seeds; fewer seeds than make it less than .05 cannot
    show anything by this test, however large the difference.

    >>> smallest_p(6, 1), smallest_p(6, 7), smallest_p(9, 7)
    (0.03125, 0.21875, 0.02734375)
    """
    return min(1.0, comparisons * 2.0 ** (1 - n))


def _signed_sums(d: np.ndarray) -> np.ndarray:
    """The 2^len(d) sums of +-d."""
    sums = np.zeros(1)
    for value in d:
        sums = np.concatenate([sums - value, sums + value])
    return sums
