"""Several data sets: which group is ahead in general? The rows are data sets, never seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from mllc.statistics.corrections import holm
from mllc.statistics.paired import ALPHA, aligned
from mllc.statistics.sign_flips import sign_flip_p, smallest_p

DATA_SETS = 6
"""Fewer than these give ranks and no p: two-sided, even one pair that always differs in one direction has p > .05."""


@dataclass(frozen=True)
class Across:
    """Groups over `n` data sets.

    ranks       mean rank, by rising rank: 1 is the best, equal values share theirs
    friedman_p  of Friedman's test that all rank alike; None for two groups
    pairs       pair -> Wilcoxon signed-rank p, Holm-adjusted over all pairs; each pair in the order of the ranks
    cliques     runs of groups next to each other in rank of which no two differ (p < .05), none within another: the
                bars of a critical-difference diagram
    verdict     False for fewer than six data sets: the ranks say what was seen and there is no p
    """

    ranks: dict[str, float]
    friedman_p: float | None
    pairs: dict[tuple[str, str], float] | None
    cliques: list[tuple[str, ...]]
    n: int
    verdict: bool


def across(values: Mapping[str, Sequence[float]], *, lower_is_better: bool = False) -> Across:
    """Compare groups by one value a data set for each, its seeds averaged, the data sets in the same order.

    Wilcoxon's test leaves out data sets without a difference and lets equal differences share a rank; its p is exact
    for both (up to 30 data sets; see `sign_flip_p`, which it is, of signed ranks). The pairs are not made to wait for
    Friedman's test: Holm holds the error over all pairs by itself. ValueError as for `compare`.

    Sources: Demsar, "Statistical Comparisons of Classifiers over Multiple Data Sets" (2006); Benavoli, Corani and
    Mangili, "Should We Really Use Post-Hoc Tests Based on Mean-Ranks?" (2016), for the pairwise test.
    """
    from scipy.stats import rankdata

    rows = aligned(values, "data set")
    table = np.stack(list(rows.values()))
    placed = rankdata(table if lower_is_better else -table, axis=0).mean(1)
    ranks = dict(sorted(zip(rows, placed.tolist(), strict=True), key=lambda one: one[1]))
    n = table.shape[1]
    if n < DATA_SETS:
        return Across(ranks, None, None, [], n, verdict=False)
    together = list(combinations(ranks, 2))
    adjusted = holm([_wilcoxon_p(rows[one] - rows[other]) for one, other in together])
    pairs = dict(zip(together, adjusted.tolist(), strict=True))
    return Across(ranks, _friedman_p(table), pairs, _cliques(list(ranks), pairs), n, verdict=True)


def smallest_wilcoxon_p(n: int, comparisons: int) -> float:
    """The smallest Holm-adjusted p that Wilcoxon's test can reach over n data sets: 2 of 2^n patterns of signs.

    >>> smallest_wilcoxon_p(6, 1), smallest_wilcoxon_p(6, 3)
    (0.03125, 0.09375)
    """
    return smallest_p(n, comparisons)


def _wilcoxon_p(differences: np.ndarray) -> float:
    from scipy.stats import rankdata

    rounded = differences.round(12)  # differences that only rounding sets apart are equal
    there = rounded[rounded != 0]
    return sign_flip_p(np.sign(there) * rankdata(abs(there))) if there.size else 1.0


def _friedman_p(table: np.ndarray) -> float | None:
    from scipy.stats import friedmanchisquare

    if len(table) < 3:
        return None
    if (table == table[0]).all():
        return 1.0
    return float(friedmanchisquare(*table).pvalue)


def _cliques(order: list[str], pairs: dict[tuple[str, str], float]) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    reached = 0
    for start in range(len(order)):
        end = start + 1
        while end < len(order) and all(pairs[one, order[end]] >= ALPHA for one in order[start:end]):
            end += 1
        if end - start > 1 and end > reached:
            found.append(tuple(order[start:end]))
            reached = end
    return found
