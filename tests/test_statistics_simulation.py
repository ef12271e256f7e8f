"""The words and the intervals keep what they promise, over thousands of simulated comparisons."""

import numpy as np
import pytest

from mllc.statistics import bootstrap_map, bootstrap_mean, bootstrap_micro_f1, compare, interval, judge

COMPARISONS, LOSSES = 5000, 8
REGION = 0.005
SEEDS = pytest.mark.parametrize("n", [6, 8, 10])


def metric(n, spread, ahead=0.0, of="standard_normal"):
    """A metric (comparisons, losses, seeds): seeds have an effect on all losses, and differences the given spread."""
    draw = np.random.default_rng(0)
    common = draw.normal(0.3, 0.02, size=(COMPARISONS, 1, n))
    values = common + getattr(draw, of)((COMPARISONS, LOSSES, n)) * spread / np.sqrt(2)
    values[:, 1] += ahead
    return values


def judged(values, region=REGION):
    """The first loss is the baseline."""
    return judge(values[:, 1:] - values[:, :1], region=region)


def share(said, word):
    return (said == word).mean()


def test_this_is_what_compare_says():
    values = metric(6, REGION, ahead=2 * REGION)
    said = judged(values)
    for i in range(20):
        found = compare(dict(zip("abcdefgh", values[i], strict=True)), "a", region=REGION)
        assert [one.verdict for one in found.values()] == said.verdict[i].tolist()
        assert [one.p_holm for one in found.values()] == pytest.approx(said.p_holm[i])


@SEEDS
@pytest.mark.parametrize("region", [0, REGION / 4, REGION])
@pytest.mark.parametrize("spread", [REGION / 2, REGION, 4 * REGION])
def test_equal_losses_are_seldom_called_better(n, spread, region):
    said = judged(metric(n, spread), region).verdict
    assert (said == "better").any(1).mean() <= 0.03
    assert np.isin(said, ["better", "worse"]).any(1).mean() <= 0.055


@SEEDS
@pytest.mark.parametrize("of", ["standard_exponential", "standard_cauchy"])
def test_also_when_values_are_far_from_normal(n, of):
    assert (judged(metric(n, REGION, of=of), region=0).verdict == "better").any(1).mean() <= 0.03


@SEEDS
def test_a_difference_of_two_regions_is_called_better(n):
    said = judged(metric(n, REGION / 2, ahead=2 * REGION)).verdict[:, 0]
    assert share(said, "better") >= {6: 0.965, 8: 0.99, 10: 0.99}[n]
    assert not share(said, "worse")


@SEEDS
def test_power_at_a_spread_of_a_region(n):
    """The table in the docstring of `judge`."""
    said = judged(metric(n, REGION, ahead=2 * REGION)).verdict
    assert share(said[:, 0], "better") == pytest.approx({6: 0.50, 8: 0.68, 10: 0.80}[n], abs=0.02)
    assert share(said[:, 1:], "equivalent") == pytest.approx({6: 0.22, 8: 0.41, 10: 0.61}[n], abs=0.02)


@SEEDS
def test_equal_losses_are_called_equivalent(n):
    said = judged(metric(n, REGION / 2)).verdict
    assert share(said, "equivalent") == pytest.approx({6: 0.94, 8: 0.995, 10: 1}[n], abs=0.01)


@SEEDS
def test_a_difference_of_one_region_is_seldom_beyond_it(n):
    said = judged(metric(n, REGION / 2, ahead=REGION)).verdict[:, 0]
    assert share(said, "better") <= 0.03
    assert share(said, "equivalent") <= 0.03


DRAWN = {
    "normal": (lambda draw, size: draw.normal(size=size), 0.0, {6: (95, 95), 8: (95, 95), 10: (95, 95)}),
    "exponential": (lambda draw, size: draw.exponential(size=size), 1.0, {6: (88, 92), 8: (89, 94), 10: (90, 94)}),
    "lognormal": (lambda d, size: d.lognormal(size=size), np.exp(0.5), {6: (82, 89), 8: (83, 90), 10: (85, 91)}),
    "differences": (
        lambda draw, size: draw.exponential(size=size) - draw.exponential(size=size),
        *(0.0, {6: (96, 94), 8: (96, 93), 10: (96, 92)}),
    ),
}
"""Distribution -> how to draw it, its mean, seeds -> coverage stated of (the t interval, the studentised bootstrap)."""


@SEEDS
@pytest.mark.parametrize("name", DRAWN)
def test_intervals_over_seeds_cover_what_is_stated(n, name):
    made, mean, stated = DRAWN[name]
    values = made(np.random.default_rng(0), (COMPARISONS, 1, n))
    found = judge(values, region=0)
    t = ((found.low <= mean) & (mean <= found.high)).mean()
    assert interval(values[0, 0]) == pytest.approx((found.low[0, 0], found.high[0, 0]))
    intervals = [bootstrap_mean(row, resamples=400) for row in values[:2000, 0]]
    studentised = np.mean([one.low <= mean <= one.high for one in intervals])
    assert 100 * t == pytest.approx(stated[n][0], abs=1.5)
    assert 100 * studentised == pytest.approx(stated[n][1], abs=2.5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("samples", "labels", "positives", "stated"), [(400, 40, 11, (0.945, 0.955)), (300, 120, 3, (0.90, 0.925))]
)
def test_intervals_over_samples_cover_about_what_is_stated(samples, labels, positives, stated):
    """With few positives a label, the bootstrap tells too little of how much mAP varies."""
    draw = np.random.default_rng(1)
    rates = np.minimum(0.6 / labels / np.linspace(0.05, 1, labels) ** 0.8, 0.5)
    found = {"map": [], "map difference": [], "f1": [], "f1 difference": []}
    medians = []
    for i in range(500):
        targets = draw.random((samples, labels)) < rates
        noise = draw.normal(size=(2, samples, labels))
        one, other = noise[0] + 2.2 * targets, 0.8 * noise[0] + 0.6 * noise[1] + 2.4 * targets
        common = {"resamples": 200, "seed": i}
        found["map"].append(bootstrap_map(one, targets, **common))
        found["map difference"].append(bootstrap_map(other, targets, other=one, **common))
        found["f1"].append(bootstrap_micro_f1(one > 2, targets, **common))
        found["f1 difference"].append(bootstrap_micro_f1(other > 2, targets, other=one > 2, **common))
        medians.append(np.median(targets.sum(0)))
    assert np.mean(medians) == pytest.approx(positives, abs=1)
    for (name, intervals), expected in zip(found.items(), [*stated, 0.945, 0.945], strict=True):
        mean = np.mean([one.value for one in intervals])
        covered = np.mean([one.low <= mean <= one.high for one in intervals])
        assert covered == pytest.approx(expected, abs=0.03), name  # 500 draws: a standard error of .01
