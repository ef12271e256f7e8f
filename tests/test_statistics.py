"""Paired comparisons against scipy, the numbers of the protocol, and the rules of the four words."""

import math
import subprocess
import sys
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from mllc.errors import ConfigError
from mllc.statistics import (
    compare,
    fdr,
    holm,
    interval,
    judge,
    labels_apart,
    pairwise,
    sign_flip_p,
    sign_flips,
    smallest_p,
)

OPPOSITE = {"better": "worse", "worse": "better", "equivalent": "equivalent", "inconclusive": "inconclusive"}

metrics = arrays.arrays(
    np.float64, st.tuples(st.integers(2, 5), st.integers(2, 9)), elements=st.floats(0, 1, allow_subnormal=False)
)
"""(groups, seeds)"""


def groups(table):
    return {f"group{i}": row for i, row in enumerate(table)}


def seeds(n, *means, spread=0.01, seed=0):
    """A group for each mean: named a, b, ..., with a common effect of the seed."""
    draw = np.random.default_rng(seed)
    common = draw.normal(scale=0.05, size=n)
    return {
        name: mean + common + draw.normal(scale=spread, size=n) for name, mean in zip("abcdefgh", means, strict=False)
    }


# --- labels


def test_labels_apart_counts_what_scipy_finds():
    draw = np.random.default_rng(0)
    one, other = draw.normal(0.5, 0.02, (6, 300)), draw.normal(0.5, 0.02, (6, 300))
    one[:, :80] += 0.06
    one[:, 80:120] -= 0.06
    one[2, 7] = other[3, 200] = np.nan
    known = np.isfinite(one - other).all(0)
    p = stats.false_discovery_control(stats.ttest_rel(one[:, known], other[:, known]).pvalue)
    ahead = (one - other)[:, known].mean(0)
    assert labels_apart(one, other) == (((p < 0.05) & (ahead > 0)).sum(), ((p < 0.05) & (ahead < 0)).sum(), 298)
    assert labels_apart(other, one)[:2] == labels_apart(one, other)[1::-1]


def test_labels_that_cannot_differ():
    same = np.full((3, 4), 0.5)
    assert labels_apart(same, same) == (0, 0, 4)
    assert labels_apart(same * np.nan, same) == (0, 0, 0)
    for one, other in ((same[:1], same[:1]), (same, same[:2]), (same[0], same[0])):
        with pytest.raises(ValueError, match="two seeds or more"):
            labels_apart(one, other)


# --- corrections


def test_holm_by_hand():
    # five tests in order: 5 * .005, 4 * .01, 3 * .02, then 2 * .025 = .05 raised to the .06 before it, and .7
    np.testing.assert_allclose(holm([0.7, 0.01, 0.025, 0.005, 0.02]), [0.7, 0.04, 0.06, 0.025, 0.06])
    assert holm([0.6, 0.7]).tolist() == [1, 1]
    assert holm([]).tolist() == []


@given(arrays.arrays(np.float64, st.integers(1, 12), elements=st.floats(0, 1)))
def test_holm_keeps_the_order_and_never_helps(p):
    adjusted = holm(p)
    assert (adjusted >= p).all()
    assert (adjusted <= np.minimum(1, p * p.size)).all()
    assert (np.diff(adjusted[np.argsort(p, kind="stable")]) >= 0).all()


def test_holm_rejects_what_the_sequential_procedure_rejects():
    for p in np.random.default_rng(0).beta(0.3, 3, size=(200, 7)):
        rejected = set()
        for step, i in enumerate(np.argsort(p)):  # as the paper states it
            if p[i] >= 0.05 / (7 - step):
                break
            rejected.add(int(i))
        assert set(np.flatnonzero(holm(p) < 0.05).tolist()) == rejected


def test_holm_takes_many_families_at_once():
    p = np.random.default_rng(0).random((3, 4, 5))
    np.testing.assert_array_equal(holm(p)[2, 1], holm(p[2, 1]))


def test_fdr_is_benjamini_hochberg():
    p = np.random.default_rng(0).beta(0.3, 3, size=40)
    order = np.argsort(p)
    by_hand = [min(p[order[j]] * 40 / (j + 1) for j in range(i, 40)) for i in range(40)]
    np.testing.assert_allclose(fdr(p)[order], np.minimum(by_hand, 1))
    assert (fdr(p) <= holm(p) + 1e-15).all()


@pytest.mark.parametrize("correct", [holm, fdr])
@pytest.mark.parametrize("wrong", [-0.1, 1.1, math.nan])
def test_corrections_refuse_what_is_no_p(correct, wrong):
    with pytest.raises(ValueError, match="between 0 and 1"):
        correct([0.5, wrong])


# --- sign flips


@pytest.mark.parametrize("n", [2, 5, 6, 9, 12])
@pytest.mark.parametrize("values", ["normal", "tied", "one sign"])
def test_sign_flips_equal_scipy(n, values):
    draw = np.random.default_rng(n)
    d = {"normal": draw.normal(0.5, 1, n), "tied": draw.integers(-2, 4, n) / 10, "one sign": draw.random(n) + 1}[values]
    found = stats.permutation_test(
        (d,), lambda x, axis: x.mean(axis), vectorized=True, permutation_type="samples", n_resamples=math.inf
    )
    assert sign_flip_p(d) == pytest.approx(found.pvalue, abs=1e-12)


def test_sign_flips_by_listing_them():
    d = np.random.default_rng(3).normal(0.2, 1, 17)
    patterns = 1 - 2 * ((np.arange(2**17)[:, None] >> np.arange(17)) & 1)
    assert sign_flip_p(d) == (abs(patterns @ d) >= abs(d.sum()) - 1e-12).mean()


@given(arrays.arrays(np.float64, st.integers(1, 12), elements=st.floats(-1, 1, width=16)), st.randoms())
def test_sign_flips_ignore_order_sign_and_scale(d, random):
    shuffled = d.tolist()
    random.shuffle(shuffled)
    p = sign_flip_p(d)
    assert smallest_p(d.size, 1) <= p <= 1
    assert sign_flip_p(shuffled) == sign_flip_p(-d) == sign_flip_p(4 * d) == p


def test_sign_flips_of_nothing_but_zeros():
    assert sign_flip_p([0.0, 0.0]) == 1
    assert sign_flip_p([0.1, 0.2, -0.3]) == 1, "a sum that is 0 but for rounding"


def test_many_differences_are_sampled():
    d = np.random.default_rng(0).normal(0.3, 1, sign_flips.EXACT + 1)
    p = sign_flip_p(d)
    assert p == sign_flip_p(d)
    assert p != sign_flip_p(d, seed=1)
    assert p == pytest.approx(stats.ttest_1samp(d, 0).pvalue, rel=0.2)
    assert sign_flip_p(d + 10) == 1 / (sign_flips.SAMPLED + 1)


def test_the_largest_exact_case():
    d = np.random.default_rng(0).normal(0.3, 1, sign_flips.EXACT)
    assert sign_flip_p(d) == pytest.approx(stats.ttest_1samp(d, 0).pvalue, rel=0.1)


@pytest.mark.parametrize("wrong", [[], [math.nan], [math.inf, 1], [[1.0]]])
def test_sign_flips_refuse(wrong):
    with pytest.raises(ValueError, match="finite number"):
        sign_flip_p(wrong)


def test_what_few_seeds_can_reach():
    """The numbers of the protocol."""
    assert [round(smallest_p(n, 1), 4) for n in (5, 6, 8, 10)] == [0.0625, 0.0312, 0.0078, 0.002]
    assert smallest_p(6, 7) == pytest.approx(0.219, abs=5e-4)
    assert smallest_p(1, 3) == 1
    for losses, needed in ((8, 9), (38, 11)):
        reached = [smallest_p(n, losses - 1) < 0.05 for n in range(1, 15)]
        assert reached.index(True) + 1 == needed


def test_the_smallest_p_is_reached():
    found = compare({name: np.arange(6) + 10 * i for i, name in enumerate("abcd")}, "a", region=0)
    assert [one.p_flip_holm for one in found.values()] == [smallest_p(6, 3)] * 3


# --- intervals and tests


@pytest.mark.parametrize("n", [2, 3, 10])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_the_interval_is_scipys(n, level):
    x = np.random.default_rng(n).normal(size=n)
    found = stats.ttest_1samp(x, 0).confidence_interval(level)
    np.testing.assert_allclose(interval(x, level), (found.low, found.high))


def test_the_interval_of_one_value_and_of_equal_ones():
    assert interval([0.3]) is None
    assert interval([]) is None
    assert interval([0.1, 0.1, 0.1]) == pytest.approx((0.1, 0.1))


@pytest.mark.parametrize("arguments", [([1, math.nan],), ([[1, 2]],), ([1, 2], 0), ([1, 2], 95)])
def test_the_interval_refuses(arguments):
    with pytest.raises(ValueError, match="finite numbers and level"):
        interval(*arguments)


@pytest.mark.parametrize("lower_is_better", [False, True])
def test_compare_equals_scipy(lower_is_better):
    values = seeds(7, 0.5, 0.51, 0.6, 0.4)
    found = compare(values, "a", region=0.005, lower_is_better=lower_is_better)
    assert list(found) == ["b", "c", "d"]
    tests = {name: stats.ttest_rel(values[name], values["a"]) for name in found}
    for name, one in found.items():
        d = values[name] - values["a"]
        ends = tests[name].confidence_interval(0.95)
        assert (one.mean, one.low, one.high) == pytest.approx((d.mean(), ends.low, ends.high))
        assert one.p == pytest.approx(tests[name].pvalue)
        assert one.p_flip == sign_flip_p(d)
        assert one.n == 7
        assert one.wins == ((d < 0) if lower_is_better else (d > 0)).sum()
        assert one.narrowed == pytest.approx(d.std() / math.sqrt(values[name].var() + values["a"].var()))
        assert one.narrowed < 0.5, "the seeds have a common effect"
    np.testing.assert_allclose([one.p_holm for one in found.values()], holm([one.pvalue for one in tests.values()]))
    assert all(type(value) in (float, int, str) for one in found.values() for value in astuple(one))


def test_pairwise_is_compare_of_every_pair_with_more_to_correct_for():
    values = seeds(6, 0.5, 0.51, 0.6, 0.4)
    found = pairwise(values, region=0.005)
    assert list(found) == [("a", "b"), ("a", "c"), ("a", "d"), ("b", "c"), ("b", "d"), ("c", "d")]
    for (one, other), difference in found.items():
        alone = compare({one: values[one], other: values[other]}, other, region=0.005)[one]
        assert (difference.mean, difference.p, difference.wins) == (alone.mean, alone.p, alone.wins)
    np.testing.assert_allclose([one.p_holm for one in found.values()], holm([one.p for one in found.values()]))


@given(metrics, st.randoms())
def test_the_order_of_seeds_and_of_groups_does_not_matter(table, random):
    order = list(range(table.shape[1]))
    random.shuffle(order)
    before, after = (
        compare(made, "group0", region=0.05)
        for made in (groups(table), dict(reversed(groups(table[:, order]).items())))
    )
    assert before.keys() == after.keys()
    for name, one in before.items():
        other = after[name]
        assert (one.wins, one.p_flip) == (other.wins, other.p_flip)
        assert (one.mean, one.low, one.high) == pytest.approx((other.mean, other.low, other.high), abs=1e-9)
        assert one.p_holm == pytest.approx(other.p_holm, rel=1e-3, abs=1e-9)


# --- the four words

R = 0.01
WORDS = [
    pytest.param([0.02, 0.021, 0.022, 0.021], "better", id="beyond"),
    pytest.param([0.010, 0.012, 0.013, 0.011], "inconclusive", id="shown, but it reaches into the region"),
    pytest.param([0.005, 0.006, 0.007, 0.006], "equivalent", id="shown, and within the region"),
    pytest.param([0.001, -0.001, 0.001, -0.001], "equivalent", id="nothing"),
    pytest.param([0.02, -0.02, 0.03, -0.03], "inconclusive", id="wide"),
    pytest.param([0.02, 0.9], "inconclusive", id="two seeds far apart"),
    pytest.param([0.0, 0.0, 0.0], "equivalent", id="the same runs"),
    pytest.param([0.5, 0.5, 0.5], "inconclusive", id="without spread, three seeds show little"),
    pytest.param([0.5] * 6, "better", id="without spread, six seeds do"),
    pytest.param([0.005, 0.005], "equivalent", id="without spread, within the region"),
]


@pytest.mark.parametrize(("differences", "word"), WORDS)
def test_words(differences, word):
    d = np.array([differences])
    for sign in (1, -1):
        for lower in (False, True):
            said = judge(sign * d, region=R, lower_is_better=lower).verdict[0]
            assert said == (word if (sign > 0) != lower else OPPOSITE[word])


def test_holm_takes_a_verdict_away():
    d = np.array([0.02, 0.03, 0.05, 0.02])
    assert judge(d[None], region=0).verdict.tolist() == ["better"]
    with_others = np.concatenate([[d], np.random.default_rng(0).normal(scale=0.1, size=(6, 4))])
    found = judge(with_others, region=0)
    assert found.p[0] < 0.05 < found.p_holm[0]
    assert found.verdict[0] == "inconclusive"


def test_the_region_includes_its_ends():
    assert judge(np.array([[0.25, 0.25]]), region=0.25).verdict[0] == "equivalent"
    assert judge(np.zeros((1, 2)), region=0).verdict[0] == "equivalent"


@given(metrics, st.floats(0, 0.2), st.booleans())
def test_swapping_the_sides_swaps_the_words(table, region, lower):
    pair = groups(table[:2])
    one = compare(pair, "group0", region=region, lower_is_better=lower)["group1"]
    other = compare(pair, "group1", region=region, lower_is_better=lower)["group0"]
    assert other.verdict == OPPOSITE[one.verdict]
    assert (other.mean, other.low, other.high) == (-one.mean, -one.high, -one.low)
    assert (other.p, other.p_flip, other.narrowed) == (one.p, one.p_flip, one.narrowed)
    assert one.wins + other.wins <= one.n


@given(metrics, st.floats(0, 0.2))
def test_what_a_word_promises(table, region):
    for one in compare(groups(table), "group0", region=region).values():
        if one.verdict == "better":
            assert one.p_holm < 0.05
            assert one.low > region
        if one.verdict == "equivalent":
            assert -region <= one.low <= one.mean + 1e-15
            assert one.high <= region


# --- no spread


def test_equal_runs():
    (one,) = compare({"a": [0.5, 0.6, 0.7], "b": [0.5, 0.6, 0.7]}, "a", region=0.005).values()
    assert (one.mean, one.low, one.high, one.p, one.p_flip, one.narrowed) == (0, 0, 0, 1, 1, 0)
    assert (one.wins, one.verdict) == (0, "equivalent")


def test_a_constant_difference_shows_what_its_seeds_can():
    # .3 - .1, .4 - .2, .5 - .3: the same but for rounding, which is no spread
    (one,) = compare({"a": [0.1, 0.2, 0.3], "b": [0.3, 0.4, 0.5]}, "a", region=0.005).values()
    assert one.p == one.p_flip == smallest_p(3, 1)
    assert one.low == one.high == pytest.approx(0.2)
    assert (one.wins, one.verdict) == (3, "inconclusive")


def test_two_constant_groups_gain_nothing_from_pairing_that_could_be_told():
    (one,) = compare({"a": [0.5, 0.5], "b": [0.6, 0.6]}, "a", region=0.005).values()
    assert one.narrowed is None


# --- one seed, and bad input


def test_one_seed_has_no_verdict():
    found = compare({"a": [0.5], "b": [0.6], "c": [0.4]}, "a", region=0.005)
    assert found["b"].mean == pytest.approx(0.1)
    assert (found["b"].n, found["b"].wins, found["c"].wins) == (1, 1, 0)
    rest = ("low", "high", "p", "p_holm", "p_flip", "p_flip_holm", "verdict", "narrowed")
    assert [getattr(found["b"], name) for name in rest] == [None] * len(rest)


def test_a_baseline_alone():
    assert compare({"a": [1, 2]}, "a", region=0) == {}
    assert pairwise({"a": [1, 2]}, region=0) == {}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"a": [1, 2], "b": [1, 2, 3]},
            r"'b' has values of shape \(3,\) and 'a' of \(2,\): every group needs one a seed",
        ),
        ({"a": [], "b": []}, "every group needs one a seed"),
        ({"a": 1.0, "b": 2.0}, "every group needs one a seed"),
        ({"a": [1, 2], "b": [1, math.nan]}, "'b' has the value nan at place 1; where a run diverged"),
        ({"a": [-math.inf, 2], "b": [1, 2]}, "'a' has the value -inf at place 0"),
    ],
)
def test_unusable_values(values, message):
    with pytest.raises(ValueError, match=message):
        compare(values, "a", region=0.005)
    with pytest.raises(ValueError, match=message):
        pairwise(values, region=0.005)


def test_an_unknown_baseline():
    with pytest.raises(ConfigError, match="baseline 'bec' is not among what is compared: 'bce', 'zlpr'"):
        compare({"bce": [1, 2], "zlpr": [1, 2]}, "bec", region=0.005)


@pytest.mark.parametrize("region", [-0.1, math.nan, math.inf])
def test_an_impossible_region(region):
    with pytest.raises(ConfigError, match="it is 0 or more"):
        compare({"a": [1, 2], "b": [1, 2]}, "a", region=region)


# --- the import


def test_a_table_waits_for_nothing_heavy():
    code = (
        "import sys, mllc.statistics; print(*sys.modules.keys() & {'torch', 'scipy.stats', 'scipy.sparse', 'sklearn'})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
