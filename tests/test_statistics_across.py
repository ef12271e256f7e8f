"""Several data sets against scipy, and the bars of a critical-difference diagram."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from mllc.statistics import across, holm, smallest_wilcoxon_p


def table(n, groups=4, seed=0, steps=None):
    draw = np.random.default_rng(seed)
    values = draw.normal(size=n) + draw.normal(scale=0.5, size=(groups, n)) + 0.4 * np.arange(groups)[:, None]
    values = values if steps is None else (values * steps).round() / steps
    return dict(zip("abcdefgh", values, strict=False))


def wilcoxon_by_listing(d):
    """Every pattern of signs, on the ranks of the differences that are not 0."""
    d = np.round(d[d != 0], 9)
    if not d.size:
        return 1.0
    ranks = stats.rankdata(abs(d))
    observed = abs((np.sign(d) * ranks).sum())
    sums = [abs(np.dot(signs, ranks)) for signs in itertools.product((-1, 1), repeat=d.size)]
    return np.mean(np.array(sums) >= observed - 1e-9)


@pytest.mark.parametrize("lower_is_better", [False, True])
@pytest.mark.parametrize("n", [6, 9, 20])
def test_across_equals_scipy(n, lower_is_better):
    values = table(n)
    found = across(values, lower_is_better=lower_is_better)
    assert (found.n, found.verdict) == (n, True)
    ranks = np.mean([stats.rankdata(row if lower_is_better else -row) for row in np.stack(list(values.values())).T], 0)
    assert found.ranks == pytest.approx(dict(zip(values, ranks, strict=True)))
    assert list(found.ranks.values()) == sorted(ranks)
    assert found.friedman_p == pytest.approx(stats.friedmanchisquare(*values.values()).pvalue)
    assert list(found.pairs) == list(itertools.combinations(found.ranks, 2))
    expected = holm([stats.wilcoxon(values[one] - values[other]).pvalue for one, other in found.pairs])
    np.testing.assert_allclose(list(found.pairs.values()), expected)


@pytest.mark.parametrize("seed", range(5))
def test_ties_and_zeros_are_exact(seed):
    values = table(8, groups=3, seed=seed, steps=2)
    found = across(values)
    expected = holm([wilcoxon_by_listing(values[one] - values[other]) for one, other in found.pairs])
    np.testing.assert_allclose(list(found.pairs.values()), expected)
    assert any((values[one] == values[other]).any() for one, other in found.pairs)


def test_differences_apart_by_rounding_alone_are_tied():
    steps = np.array([1, 2, 3, 4, 5, 6, 7, 8])
    found = across({"a": 0.1 * steps, "b": 0.1 * (steps + 2 * (steps != 2) - 1)})
    assert found.pairs[("b", "a")] == wilcoxon_by_listing(np.array([1.0, -1, 1, 1, 1, 1, 1, 1])) == 18 / 256


def test_fewer_than_six_data_sets_give_ranks_only():
    found = across(table(5))
    assert found.ranks.keys() == set("abcd")
    assert (found.friedman_p, found.pairs, found.cliques, found.verdict, found.n) == (None, None, [], False, 5)


def test_equal_groups_share_their_rank():
    found = across({"a": [1, 2, 3, 4, 5, 6], "b": [1, 2, 3, 4, 5, 6], "c": [1, 2, 3, 4, 5, 6]})
    assert found.ranks == {"a": 2, "b": 2, "c": 2}
    assert found.friedman_p == 1
    assert set(found.pairs.values()) == {1}
    assert found.cliques == [("a", "b", "c")]


def test_one_and_two_groups():
    assert across({"a": range(6)}).pairs == {}
    found = across({"a": range(6), "b": range(1, 7)})
    assert found.friedman_p is None
    assert found.pairs == {("b", "a"): smallest_wilcoxon_p(6, 1)}


def test_cliques():
    noise = np.random.default_rng(0).normal(scale=0.01, size=(5, 12))
    ahead = np.arange(12) * 0.1
    values = {"worst": -3 + ahead, "close1": ahead, "close2": ahead, "best": 3 + ahead, "near": 3 + ahead}
    values = {name: row + shift for (name, row), shift in zip(values.items(), noise, strict=True)}
    found = across(values)
    assert [set(clique) for clique in found.cliques] == [{"best", "near"}, {"close1", "close2"}]


@given(arrays.arrays(np.float64, st.tuples(st.integers(2, 6), st.integers(6, 9)), elements=st.integers(0, 3)))
def test_cliques_by_definition(made):
    found = across({f"group{i}": row for i, row in enumerate(made)})
    order = list(found.ranks)
    runs = [
        set(order[i:j])
        for i, j in itertools.combinations(range(len(order) + 1), 2)
        if j - i > 1 and all(found.pairs[pair] >= 0.05 for pair in itertools.combinations(order[i:j], 2))
    ]
    assert [set(clique) for clique in found.cliques] == [run for run in runs if not any(run < other for other in runs)]


def test_what_few_data_sets_can_reach():
    assert smallest_wilcoxon_p(5, 1) == 0.0625
    assert smallest_wilcoxon_p(6, 1) == stats.wilcoxon(np.arange(1, 7)).pvalue == 0.03125
    assert smallest_wilcoxon_p(6, 28) == 0.875
    found = across({name: np.arange(7) + 10 * i + i * np.arange(7) for i, name in enumerate("abc")})
    assert set(found.pairs.values()) == {smallest_wilcoxon_p(7, 3)}


def test_unusable_values():
    with pytest.raises(ValueError, match="every group needs one a data set"):
        across({"a": [1, 2], "b": [1, 2, 3]})
    with pytest.raises(ValueError, match="'b' has the value nan at place 0"):
        across({"a": [1, 2], "b": [math.nan, 3]})
