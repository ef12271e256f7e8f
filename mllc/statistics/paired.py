"""Groups compared seed by seed: differences, intervals, tests, and the four words."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Literal, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtr, stdtrit

from mllc.errors import ConfigError
from mllc.statistics.corrections import holm
from mllc.statistics.sign_flips import sign_flip_p

Verdict = Literal["better", "worse", "equivalent", "inconclusive"]

ALPHA = 0.05
"""An adjusted p below it is taken as shown."""

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Difference:
    """One group against another over the seeds that both have: group minus other, in units of the metric.

    low, high    95 % t interval of the mean, for this comparison alone; None for one seed, as all below but `wins`
    wins         seeds on which the group is strictly better
    p            of the paired t-test, two-sided
    p_flip       of the exact sign-flip test (see `sign_flip_p`), which needs no normal differences, but many seeds
    p_holm, p_flip_holm    adjusted for all comparisons that were made together
    verdict      see `judge`
    narrowed     spread of the differences / what it would be without pairing, sqrt(var + var): 1, nothing was gained
                 by pairing; None also where both groups are constant
    """

    mean: float
    low: float | None
    high: float | None
    n: int
    wins: int
    p: float | None
    p_holm: float | None
    p_flip: float | None
    p_flip_holm: float | None
    verdict: Verdict | None
    narrowed: float | None

    @property
    def interval(self) -> tuple[float, float] | None:
        return None if self.low is None or self.high is None else (self.low, self.high)


@dataclass(frozen=True, eq=False)
class Judged:
    """What `judge` finds: arrays of one entry a comparison, (..., comparisons)."""

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p: np.ndarray
    p_holm: np.ndarray
    verdict: np.ndarray


def interval(values: ArrayLike, level: float = 0.95, *, overlap: float = 0.0) -> tuple[float, float] | None:
    """The t interval of the mean of `values` (n,): mean +- t(n - 1) s / sqrt(n); None for n < 2.

    overlap  see `mean_and_error`

    It covers the true mean as often as stated if the values are normal. Simulated at level .95 with 6, 8 and 10
    values: normal 95 %; exponential 88, 89 and 90 %; lognormal (sigma 1) 82, 83 and 85 %; the difference of two
    exponential ones, which is symmetric, 96 %. `bootstrap_mean` stands skewed values better.

    >>> [round(end, 2) for end in interval([1, 2, 3])]
    [-0.48, 4.48]
    """
    found = np.asarray(values, dtype=np.float64)
    if found.ndim != 1 or not np.isfinite(found).all() or not 0 < level < 1:
        raise ValueError(f"values are a list of finite numbers and level is between 0 and 1, not {found!r}, {level}")
    if found.size < 2:
        return None
    mean, error = mean_and_error(found, overlap)
    half = stdtrit(found.size - 1, (1 + level) / 2) * error
    return float(mean - half), float(mean + half)


def judge(differences: np.ndarray, *, region: float, lower_is_better: bool = False) -> Judged:
    """Test and name the paired `differences` (..., comparisons, seeds), at least two seeds; Holm over the comparisons.

    better        p_holm < .05, and the 95 % interval lies beyond the region of equivalence on the good side
    worse         the same on the bad side
    equivalent    the 95 % interval lies within [-region, region], its ends included
    inconclusive  anything else: the seeds do not suffice to tell

    The p is that of the paired t-test, which takes the differences as normal. Differences that are all the same have
    no spread for it: they have p = 1 if they are 0, else the sign-flip test's 2 / 2^n, the least that so many seeds
    can show; their interval is their value.

    Holm keeps the error of finding a difference where there is none; how far it goes beyond the region is told by the
    interval, for each comparison by itself. As simulated, 8 losses, normal values, at 6, 8 and 10 seeds:

        all equal, any of the 7 called better, region 0         2 %, 2 %, 2 % (better or worse: 4 %, 4 %, 5 %)
        the same with any region and spread                     less
        a difference of 2 regions, spread 1/2, called better    97 %, 100 %, 100 %
        a difference of 2 regions, spread 1, called better      50 %, 68 %, 80 %
        a difference of 1 region, spread 1/2, called better     3 %, 2 %, 2 %
        equal, spread 1/2, called equivalent                    94 %, 100 %, 100 %
        equal, spread 1, called equivalent                      22 %, 41 %, 61 %

    spread being the standard deviation of the differences, in regions.
    """
    return _judged(*t_test(differences), region, lower_is_better)


def compare(
    values: Mapping[str, ArrayLike], baseline: str, *, region: float, lower_is_better: bool = False
) -> dict[str, Difference]:
    """Every group but the baseline, against the baseline; Holm over these comparisons.

    `values` are one a seed for each group, the same seeds in the same order; `region` is the half-width of the region
    of equivalence, in units of the metric. ConfigError for a baseline that is not among the groups or a region that
    is not 0 or more; ValueError for groups of different lengths, or a value that is not finite (put in the metric's
    worst value for a run that diverged).

    >>> found = compare({"bce": [0.50, 0.52, 0.51], "zlpr": [0.60, 0.61, 0.62]}, "bce", region=0.005)["zlpr"]
    >>> round(found.mean, 3), found.wins, found.verdict
    (0.1, 3, 'better')
    """
    rows = aligned(values, "seed")
    if baseline not in rows:
        raise ConfigError(f"baseline {baseline!r} is not among what is compared: {', '.join(map(repr, rows))}")
    pairs = {name: (row, rows[baseline]) for name, row in rows.items() if name != baseline}
    return paired(pairs, region=region, lower_is_better=lower_is_better)


def pairwise(
    values: Mapping[str, ArrayLike], *, region: float, lower_is_better: bool = False
) -> dict[tuple[str, str], Difference]:
    """Every pair of groups once, (first, second) in the order of `values`: first minus second; Holm over all pairs.

    Arguments and errors as for `compare`.
    """
    rows = aligned(values, "seed")
    pairs = {(one, other): (rows[one], rows[other]) for one, other in combinations(rows, 2)}
    return paired(pairs, region=region, lower_is_better=lower_is_better)


def paired(
    pairs: Mapping[Key, tuple[ArrayLike, ArrayLike]],
    *,
    region: float,
    lower_is_better: bool = False,
    overlap: float = 0.0,
) -> dict[Key, Difference]:
    """Each pair of groups over seeds of its own: first minus second; Holm over the pairs of two seeds or more.

    `overlap` widens the intervals and the p of the t-test (see `mean_and_error`); the sign-flip test knows none.
    Errors as for `compare`, and ValueError for a pair of different lengths.

    >>> found = paired({"zlpr": ([0.6, 0.7], [0.5, 0.5]), "focal": ([0.4], [0.5])}, region=0.005)
    >>> found["zlpr"].n, found["focal"].n, found["focal"].verdict
    (2, 1, None)
    """
    if not 0 <= region < np.inf:
        raise ConfigError(f"the region of equivalence is {region}; it is 0 or more, in units of the metric")
    rows = {
        key: tuple(aligned({"first": one, "second": other}, "seed").values()) for key, (one, other) in pairs.items()
    }
    several = {key: one - other for key, (one, other) in rows.items() if one.size > 1}
    mean, low, high, p = np.array([t_test(differences, overlap) for differences in several.values()]).reshape(-1, 4).T
    judged = _judged(mean, low, high, p, region, lower_is_better)
    flips = [sign_flip_p(differences) for differences in several.values()]
    flips_holm = holm(flips)
    places = {key: place for place, key in enumerate(several)}
    found: dict[Key, Difference] = {}
    for key, (one, other) in rows.items():
        ahead = one < other if lower_is_better else one > other
        known = {"mean": float((one - other).mean()), "n": one.size, "wins": int(ahead.sum())}
        if key not in several:
            nothing = dict.fromkeys(("low", "high", "p", "p_holm", "p_flip", "p_flip_holm", "verdict", "narrowed"))
            found[key] = Difference(**known, **nothing)
            continue
        i, unpaired = places[key], float(np.sqrt(one.var(ddof=1) + other.var(ddof=1)))
        found[key] = Difference(
            **known,
            low=float(judged.low[i]),
            high=float(judged.high[i]),
            p=float(judged.p[i]),
            p_holm=float(judged.p_holm[i]),
            p_flip=flips[i],
            p_flip_holm=float(flips_holm[i]),
            verdict=cast(Verdict, str(judged.verdict[i])),
            narrowed=float(several[key].std(ddof=1)) / unpaired if unpaired else None,
        )
    return found


def aligned(values: Mapping[str, ArrayLike], per: str) -> dict[str, np.ndarray]:
    """The groups as float64 arrays of one length; ValueError unless there is one finite value `per` seed for each."""
    rows = {name: np.asarray(row, dtype=np.float64) for name, row in values.items()}
    for name, row in rows.items():
        first, other = next(iter(rows.items()))
        if row.ndim != 1 or row.shape != other.shape or not row.size:
            raise ValueError(
                f"{name!r} has values of shape {row.shape} and {first!r} of {other.shape}: every group needs one a "
                f"{per}, all in the same order"
            )
        if not np.isfinite(row).all():
            place = int(np.flatnonzero(~np.isfinite(row))[0])
            raise ValueError(
                f"{name!r} has the value {row[place]} at place {place}; where a run diverged, put in the metric's worst"
            )
    return rows


def mean_and_error(values: np.ndarray, overlap: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard error over the last axis, s sqrt(1/n + overlap); an error of rounding alone is 0.

    overlap  test samples over training samples where the values are of splits that share training samples, such as
             1/(k - 1) for k folds: they are correlated, and s / sqrt(n) is too small. 0: independent values

    Nadeau and Bengio: Inference for the Generalization Error, Machine Learning 52, 2003; for folds drawn several times,
    Bouckaert and Frank, PAKDD 2004.
    """
    error = values.std(-1, ddof=1) * np.sqrt(1 / values.shape[-1] + overlap)
    return values.mean(-1), np.where(np.ptp(values, -1) > 1e-10 * abs(values).max(-1), error, 0.0)


def t_test(differences: np.ndarray, overlap: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Mean, ends of its 95 % interval, and p, over the last axis."""
    mean, error = mean_and_error(differences, overlap)
    seeds = differences.shape[-1]
    half = stdtrit(seeds - 1, 0.975) * error
    with np.errstate(divide="ignore", invalid="ignore"):
        p = 2 * stdtr(seeds - 1, -abs(mean / error))
    return mean, mean - half, mean + half, np.where(error > 0, p, np.where(mean == 0, 1.0, 2.0 ** (1 - seeds)))


def _judged(
    mean: np.ndarray, low: np.ndarray, high: np.ndarray, p: np.ndarray, region: float, lower_is_better: bool
) -> Judged:
    p_holm = holm(p)
    above, below = (p_holm < ALPHA) & (low > region), (p_holm < ALPHA) & (high < -region)
    better, worse = (below, above) if lower_is_better else (above, below)
    same = (low >= -region) & (high <= region)
    verdict = np.select([better, worse, same], ["better", "worse", "equivalent"], "inconclusive")
    return Judged(mean, low, high, p, p_holm, verdict)
