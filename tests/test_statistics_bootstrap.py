"""Resampling against scikit-learn with sample weights, ties, masks and labels without positives."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import average_precision_score, f1_score

from mllc.statistics import bootstrap_map, bootstrap_mean, bootstrap_micro_f1, interval, weighted
from mllc.statistics.weighted import weighted_map


def case(samples=60, labels=7, density=0.15, levels=None, seed=0, masked=False):
    """Scores (of `levels` distinct values, or practically all distinct), targets with an empty and a full label."""
    draw = np.random.default_rng(seed)
    targets = draw.random((samples, labels)) < density
    targets[:, 0], targets[:, -1] = False, labels > 2
    scores = draw.normal(size=targets.shape) + targets
    if levels is not None:
        scores = (scores * levels / 4).round()
    return scores, targets, draw.random(targets.shape) < 0.7 if masked else None


CASES = [
    pytest.param({}, id="distinct"),
    pytest.param({"levels": 3, "seed": 1}, id="ties"),
    pytest.param({"levels": 0, "seed": 2}, id="all equal"),
    pytest.param({"samples": 400, "labels": 50, "density": 0.01, "levels": 8, "seed": 3}, id="sparse"),
    pytest.param({"samples": 8, "labels": 3, "seed": 4}, id="tiny"),
]
MASKED = pytest.mark.parametrize("masked", [False, True], ids=["known", "masked"])


def naive_map(scores, targets, mask, weights):
    """scikit-learn's, label by label; NaN if no label has a positive of weight."""
    found = []
    for c in range(targets.shape[1]):
        keep = weights > 0 if mask is None else (weights > 0) & mask[:, c]
        if targets[keep, c].any():
            found.append(average_precision_score(targets[keep, c], scores[keep, c], sample_weight=weights[keep]))
    return np.mean(found) if found else math.nan


@MASKED
@pytest.mark.parametrize("made", CASES)
def test_weighted_map_equals_scikit_learn(made, masked, monkeypatch):
    scores, targets, mask = case(**made, masked=masked)
    weights = np.random.default_rng(0).integers(0, 4, size=(9, len(targets)))
    weights[0], weights[1] = 1, 0
    known = np.ones_like(targets) if mask is None else mask
    expected = [naive_map(scores, targets, mask, row) for row in weights]
    found = weighted_map(scores, targets & known, known, weights)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert math.isnan(found[1])
    for cells in (1, 200):
        monkeypatch.setattr(weighted, "CELLS", cells)
        np.testing.assert_allclose(weighted_map(scores, targets & known, known, weights), expected, atol=1e-12)


@given(st.integers(0, 10_000))
def test_weights_are_repetitions(seed):
    scores, targets, mask = case(samples=12, labels=4, density=0.3, levels=4, seed=seed, masked=True)
    weights = np.random.default_rng(seed).integers(0, 3, size=12)
    again = [array.repeat(weights, axis=0) for array in (scores, targets & mask, mask)]
    found = weighted_map(scores, targets & mask, mask, weights[None])
    if weights.any():
        np.testing.assert_allclose(found, weighted_map(*again, np.ones((1, weights.sum()))), atol=1e-12)


def resampled(samples, resamples=100, seed=0):
    """The rows of each resample, drawn as the documentation of the generator says."""
    draw = np.random.default_rng(seed)
    return [draw.integers(samples, size=samples) for _ in range(resamples)]


@MASKED
@pytest.mark.parametrize("made", CASES[:3])
def test_map_by_drawing_rows(made, masked):
    scores, targets, mask = case(**made, labels=3, masked=masked)
    other = scores + np.random.default_rng(9).normal(size=scores.shape).round(1)
    one = bootstrap_map(scores, targets, mask, resamples=100)
    both = bootstrap_map(other, targets, mask, other=scores, resamples=100)
    everything = np.arange(len(scores))
    values, differences = [], []
    for rows in [everything, *resampled(len(scores))]:
        there = None if mask is None else mask[rows]
        values.append(naive_map(scores[rows], targets[rows], there, np.ones(len(rows))))
        differences.append(naive_map(other[rows], targets[rows], there, np.ones(len(rows))) - values[-1])
    for found, expected in ((one, values), (both, differences)):
        half = stats.norm.ppf(0.975) * np.std(expected[1:])
        ends = expected[0] - half, expected[0] + half
        assert (found.value, found.low, found.high) == pytest.approx((expected[0], *np.clip(ends, -1, 1)), abs=1e-9)
        assert found.resamples == 100


@MASKED
@pytest.mark.parametrize("made", CASES[:3])
def test_micro_f1_by_drawing_rows(made, masked):
    scores, targets, mask = case(**made, masked=masked)
    known = np.ones_like(targets) if mask is None else mask
    decisions, other = scores > 0.5, scores > 1.5
    one = bootstrap_micro_f1(decisions, targets, mask, resamples=100)
    both = bootstrap_micro_f1(decisions, targets, mask, other=other, resamples=100)

    def f1(made, rows):
        return f1_score(targets[rows][known[rows]], made[rows][known[rows]], zero_division=0)

    everything = np.arange(len(scores))
    values = [f1(decisions, rows) for rows in [everything, *resampled(len(scores))]]
    differences = [a - f1(other, rows) for a, rows in zip(values, [everything, *resampled(len(scores))], strict=True)]
    for found, expected in ((one, values), (both, differences)):
        half = stats.norm.ppf(0.975) * np.std(expected[1:])
        ends = np.clip([expected[0] - half, expected[0] + half], 0 if found is one else -1, 1)
        assert (found.value, found.low, found.high) == pytest.approx((expected[0], *ends), abs=1e-9)


def test_the_same_model_has_no_difference():
    scores, targets, mask = case(masked=True)
    for found in (
        bootstrap_map(scores, targets, mask, other=2 * scores + 1),
        bootstrap_micro_f1(scores > 0, targets, mask, other=scores > 0),
    ):
        assert (found.value, found.low, found.high) == (0, 0, 0)


def test_ends_stay_possible():
    scores, targets, _ = case(samples=8, labels=3, seed=4)
    perfect = bootstrap_map(np.where(targets, 1.0, 0.0), targets)
    assert (perfect.value, perfect.low, perfect.high) == (1, 1, 1)
    nothing = bootstrap_micro_f1(np.zeros_like(targets), targets)
    assert (nothing.value, nothing.low, nothing.high) == (0, 0, 0)
    assert bootstrap_map(scores, targets).high <= 1


def test_a_seed_repeats_its_interval():
    scores, targets, _ = case()
    assert bootstrap_map(scores, targets) == bootstrap_map(scores, targets.astype(int), np.ones_like(targets))
    assert bootstrap_map(scores, targets).low != bootstrap_map(scores, targets, seed=1).low


def test_kinds_of_scores():
    """Half precision, whole numbers and -inf rank as they are; an unknown entry may be NaN."""
    scores, targets, _ = case(levels=6)
    for kind in (np.float16, np.float32, np.int8):
        assert bootstrap_map(scores.astype(kind), targets) == bootstrap_map(scores, targets)
    lowest = np.where(scores == scores.min(), -np.inf, scores)
    assert bootstrap_map(lowest, targets) == bootstrap_map(scores, targets)
    mask = np.random.default_rng(0).random(scores.shape) < 0.5
    assert bootstrap_map(np.where(mask, scores, np.nan), targets, mask) == bootstrap_map(scores, targets, mask)


def test_a_resample_without_positives_is_left_out():
    targets = np.zeros((4, 2), bool)
    targets[0, 0] = True
    found = bootstrap_map([[0.9, 0], [0.5, 0], [0.1, 0], [0.2, 0]], targets)
    assert (found.value, found.low, found.high) == (1, 1, 1), "wherever the positive is, it is first"


@pytest.mark.parametrize("bootstrap", [bootstrap_map, bootstrap_micro_f1])
def test_unusable_arrays(bootstrap):
    _, targets, _ = case()
    with pytest.raises(ValueError, match=r"of shape \(60, 6\) for targets of shape \(60, 7\); they must"):
        bootstrap(np.zeros((60, 6)), targets)
    with pytest.raises(ValueError, match=r"of shape \(60,\) for targets of shape"):
        bootstrap(np.zeros(targets.shape), targets, other=np.zeros(60))
    with pytest.raises(ValueError, match=r"mask of shape \(7,\) for targets"):
        bootstrap(np.zeros(targets.shape), targets, np.ones(7, bool))
    with pytest.raises(ValueError, match=r"targets of shape \(0, 7\)"):
        bootstrap(np.zeros((0, 7)), targets[:0])
    with pytest.raises(ValueError, match=r"targets of shape \(60,\)"):
        bootstrap(np.zeros(60), targets[:, 0])
    with pytest.raises(ValueError, match="resamples is 99; an interval needs at least 100"):
        bootstrap(np.zeros(targets.shape), targets, resamples=99)


def test_no_positives_and_nan():
    scores, targets, _ = case()
    with pytest.raises(ValueError, match="no target is known to be true"):
        bootstrap_map(scores, targets, np.zeros_like(targets))
    with pytest.raises(ValueError, match="a score is NaN"):
        bootstrap_map(np.full_like(scores, np.nan), targets)


# --- over seeds


def test_the_studentised_interval_by_hand():
    x = np.random.default_rng(1).exponential(size=7)
    found = bootstrap_mean(x, resamples=500)
    t = []
    for rows in np.random.default_rng(0).integers(7, size=(500, 7)):
        again = x[rows]
        t.append((again.mean() - x.mean()) / stats.sem(again))
    low, high = np.quantile(t, [0.025, 0.975], method="inverted_cdf")
    assert (found.low, found.high) == pytest.approx((x.mean() - high * stats.sem(x), x.mean() - low * stats.sem(x)))
    assert (found.value, found.resamples) == (pytest.approx(x.mean()), 500)


def test_with_many_normal_values_it_is_the_t_interval():
    x = np.random.default_rng(0).normal(5, 1, 400)
    found, expected = bootstrap_mean(x), interval(x)
    assert (found.low, found.high) == pytest.approx(expected, abs=0.01)


def test_resamples_without_spread():
    found = bootstrap_mean([0.1] * 5)
    assert (found.low, found.high) == pytest.approx((0.1, 0.1))
    assert bootstrap_mean([0.1, 0.2, 0.4, 0.3]) is not None, "a resample of four is seldom all the same"
    assert bootstrap_mean([1, 2, 3, 4, 5]) is not None, "a resample of threes alone has the mean itself"
    for few in ([], [0.1], [0.1, 0.2], [0.1, 0.2, 0.4], [0, 0, 0, 0.1], [0.1 + 0.2, 0.3, 0.3, 0.3, 0.4]):
        assert bootstrap_mean(few) is None


@pytest.mark.parametrize("wrong", [[1, 2, 3, math.nan], [[1, 2, 3, 4]]])
def test_means_refuse(wrong):
    with pytest.raises(ValueError, match="list of finite numbers"):
        bootstrap_mean(wrong)
