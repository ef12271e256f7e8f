"""Losses that weight, shift or smooth binary cross-entropy, and errors of probabilities, against loops over floats."""

import math

import naive
import pytest
import torch
import torch.nn.functional as F
from naive import sigmoid, slope
from torch.testing import assert_close

from mllc.losses import (
    bce,
    bce_element_weight,
    bce_label_smoothing,
    bce_naive,
    class_balanced,
    focal,
    ldam,
    logit_adjusted,
    mse,
    poly_bce,
    propensity_bce,
    soft_hamming,
    weak_negatives,
    weighted_bce,
)
from mllc.losses.best_constant import best_constant
from mllc.types import LabelStatistics

torch.manual_seed(0)
LOGITS = 3 * torch.randn(7, 5, dtype=torch.float64)
TARGETS = (torch.rand(7, 5) < 0.4).double()
TARGETS[0], TARGETS[1] = 0, 1
SOFT = torch.rand(7, 5, dtype=torch.float64)
# of 12 samples: a label never true, one always
COUNTS = torch.tensor([0.0, 12.0, 3.0, 1.0, 5.0], dtype=torch.float64)
BY_COUNTS = {"label_counts": COUNTS, "num_samples": 12}

EACH = [
    (bce_naive, {}),
    (bce_element_weight, {}),
    (mse, {}),
    (soft_hamming, {}),
    (bce_label_smoothing, {}),
    (class_balanced, {"label_counts": COUNTS}),
    (class_balanced, {"label_counts": COUNTS, "beta": 1, "gamma": 2}),
    (weak_negatives, {}),
    (poly_bce, {}),
    (propensity_bce, BY_COUNTS),
    (logit_adjusted, BY_COUNTS),
    (logit_adjusted, {**BY_COUNTS, "prior": "logit"}),
    (ldam, {"label_counts": COUNTS}),
]
each_loss = pytest.mark.parametrize(("loss", "settings"), EACH, ids=lambda value: getattr(value, "__name__", ""))


def loops(formula, targets=TARGETS):
    return naive.elementwise(lambda z, y, i, c: formula(z, y, c), LOGITS, targets)


def entropy(z, y):
    return -y * math.log(sigmoid(z)) - (1 - y) * math.log(1 - sigmoid(z))


# each ----------------------------------------------------------------------------------------------------------------


@each_loss
def test_compiles_without_a_break(loss, settings):
    torch.compiler.reset()  # the lambda's code is one and the same for every loss, and recompiling has a limit
    compiled = torch.compile(lambda z, y: loss(z, y, **settings), fullgraph=True, backend="eager")
    assert_close(compiled(LOGITS, TARGETS), loss(LOGITS, TARGETS, **settings))


@each_loss
def test_maps_over_rows_and_differentiates(loss, settings):
    def one(z, y):
        return loss(z, y, **settings)

    assert_close(torch.func.vmap(one)(LOGITS, TARGETS), one(LOGITS, TARGETS))
    by_row = torch.func.vmap(torch.func.grad(lambda z, y: one(z, y).sum()))(LOGITS, TARGETS)
    assert_close(by_row, slope(loss, LOGITS.clone(), TARGETS, **settings))


# bce_naive -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("targets", [TARGETS, SOFT])
def test_naive_is_bce_where_it_does_not_fail(targets):
    assert_close(bce_naive(LOGITS, targets), loops(lambda z, y, c: entropy(z, y), targets))
    assert_close(bce_naive(LOGITS, targets), F.binary_cross_entropy(LOGITS.sigmoid(), targets, reduction="none"))


def test_naive_fails_as_told():
    logits, targets = torch.tensor([[16.0, 17.0, 17.0, -80.0, -104.0, -104.0]]), torch.tensor([[0, 0, 1, 1, 1, 0]])
    value = bce_naive(logits, targets)[0]
    assert value.isfinite().tolist() == [True, False, False, True, False, False]
    assert value[[1, 4]].tolist() == [math.inf, math.inf]
    assert value[[2, 5]].isnan().all()
    assert bce(logits, targets).isfinite().all()


# bce_element_weight --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weight", [0.5, 7, 10.0])
def test_element_weight(weight):
    ours = bce_element_weight(LOGITS, TARGETS, weight=weight)
    assert_close(ours, loops(lambda z, y, c: entropy(z, y) * (weight if y == 1 else 1)))
    assert_close(ours, weighted_bce(LOGITS, TARGETS, weight=weight))
    weights = torch.where(TARGETS == 1, weight, 1.0).double()
    assert_close(ours, F.binary_cross_entropy_with_logits(LOGITS, TARGETS, weight=weights, reduction="none"))


def test_element_weight_one_is_bce():
    assert_close(bce_element_weight(LOGITS, TARGETS, weight=1), bce(LOGITS, TARGETS))


# mse, soft_hamming ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("targets", [TARGETS, SOFT])
def test_mse(targets):
    assert_close(mse(LOGITS, targets), loops(lambda z, y, c: (sigmoid(z) - y) * (sigmoid(z) - y), targets))
    assert_close(mse(LOGITS, targets), F.mse_loss(LOGITS.sigmoid(), targets, reduction="none"))


@pytest.mark.parametrize("targets", [TARGETS, SOFT])
def test_soft_hamming(targets):
    assert_close(soft_hamming(LOGITS, targets), loops(lambda z, y, c: abs(sigmoid(z) - y), targets))
    assert_close(soft_hamming(LOGITS, targets), F.l1_loss(LOGITS.sigmoid(), targets, reduction="none"))


def test_soft_hamming_of_certain_answers_is_the_hamming_loss():
    decisions = torch.rand(7, 5) < 0.5
    certain = torch.where(decisions, 100.0, -100.0)
    assert_close(soft_hamming(certain, TARGETS), (decisions != TARGETS.bool()).float())


def test_mse_is_best_at_the_true_share_and_soft_hamming_at_the_likelier_side(build):
    targets = torch.tensor([[1, 1], [0, 1], [0, 1], [0, 0]])
    statistics = LabelStatistics(targets.sum(0).float(), 4, 1.0)
    row, value = best_constant(build("mse", statistics), targets)
    assert_close(row["logits"].sigmoid(), torch.tensor([[0.25, 0.75]], dtype=torch.float64), rtol=0, atol=1e-4)
    assert value == pytest.approx(2 * 0.25 * 0.75)
    row, value = best_constant(build("soft_hamming", statistics), targets)
    assert_close(row["logits"].sigmoid(), torch.tensor([[0.0, 1.0]], dtype=torch.float64), rtol=0, atol=1e-2)
    assert value == pytest.approx(0.5, abs=1e-2)


def test_errors_of_probabilities_have_no_gradient_where_confidently_wrong():
    assert slope(mse, [[-80.0, 80.0]], [[1, 0]]).abs().max() < 1e-30
    assert slope(soft_hamming, [[-80.0, 80.0]], [[1, 0]]).abs().max() < 1e-30
    assert_close(slope(bce, [[-80.0, 80.0]], [[1, 0]]), torch.tensor([[-1.0, 1.0]]))


# bce_label_smoothing -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("targets", [TARGETS, SOFT])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_label_smoothing(smoothing, targets):
    def formula(z, y, c):
        true, absent = (1 - smoothing) * y + smoothing * (1 - y), smoothing * y + (1 - smoothing) * (1 - y)
        return true * math.log(1 + math.exp(-z)) + absent * math.log(1 + math.exp(z))

    assert_close(bce_label_smoothing(LOGITS, targets, smoothing=smoothing), loops(formula, targets))


def test_without_smoothing_it_is_bce():
    assert_close(bce_label_smoothing(LOGITS, TARGETS, smoothing=0), bce(LOGITS, TARGETS))


def test_smoothing_is_answered_by_the_smoothed_share(build):
    targets = torch.tensor([[1, 0, 1], [0, 0, 1]])
    row, value = best_constant(build("bce_label_smoothing", LabelStatistics(targets.sum(0).float(), 2, 1.5)), targets)
    assert_close(row["logits"].sigmoid(), torch.tensor([[0.5, 0.1, 0.9]], dtype=torch.float64), rtol=0, atol=1e-5)
    assert value == pytest.approx(math.log(2) + 2 * entropy(math.log(1 / 9), 0.1))


# class_balanced ------------------------------------------------------------------------------------------------------


def effective(n, beta):
    """1 + beta + beta^2 + ..., n terms."""
    return sum(beta**i for i in range(int(max(n, 1))))


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("gamma", [0.0, 2.0])
@pytest.mark.parametrize("beta", [0.0, 0.9, 0.9999, 1.0])
def test_class_balanced(beta, gamma, normalize):
    weights = [1 / effective(n, beta) for n in COUNTS.tolist()]
    scale = len(weights) / sum(weights) if normalize else 1

    def formula(z, y, c):
        p_t = sigmoid(z) if y else 1 - sigmoid(z)
        return -weights[c] * scale * (1 - p_t) ** gamma * math.log(p_t)

    ours = class_balanced(LOGITS, TARGETS, beta=beta, gamma=gamma, normalize=normalize, label_counts=COUNTS)
    assert_close(ours, loops(formula))


def test_class_balanced_with_beta_zero_is_bce_or_focal():
    for normalize in (True, False):
        settings = {"beta": 0, "normalize": normalize, "label_counts": COUNTS}
        assert_close(class_balanced(LOGITS, TARGETS, **settings), bce(LOGITS, TARGETS))
        assert_close(class_balanced(LOGITS, TARGETS, gamma=2, **settings), focal(LOGITS, TARGETS))


def test_class_balanced_weights_are_exact_in_float32_for_beta_near_one():
    counts = torch.tensor([1.0, 10.0, 1e4, 1e6])
    zeros = torch.zeros(1, 4)
    ours = class_balanced(zeros, zeros, beta=0.99999, normalize=False, label_counts=counts) / math.log(2)
    exact = [1e-5 / -math.expm1(n * math.log(0.99999)) for n in counts.tolist()]
    assert_close(ours[0], torch.tensor(exact), rtol=1e-6, atol=0)


def test_class_balanced_is_level_beyond_some_count():
    zeros = torch.zeros(1, 3)
    counts = torch.tensor([50.0, 500.0, 5000.0])
    level = class_balanced(zeros, zeros, beta=0.9, normalize=False, label_counts=counts)[0] / math.log(2)
    assert_close(level, torch.full((3,), 0.1), rtol=0.01, atol=0)


# weak_negatives ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("targets", [TARGETS, SOFT])
def test_weak_negatives(targets):
    def formula(z, y, c):
        return -y * math.log(sigmoid(z)) - (1 - y) * math.log(1 - sigmoid(z)) / 4

    ours = weak_negatives(LOGITS, targets)
    assert_close(ours, loops(formula, targets))
    assert_close(ours, weighted_bce(LOGITS, targets, weight=4) / 4)


def test_weak_negatives_with_one_label_is_bce():
    assert_close(weak_negatives(LOGITS[:, :1], TARGETS[:, :1]), bce(LOGITS[:, :1], TARGETS[:, :1]))


def test_weak_negatives_answers_two_of_a_thousand_labels_with_two_thirds(build):
    targets = torch.zeros(500, 1000, dtype=torch.uint8).scatter_(1, torch.arange(1000).view(500, 2), 1)
    row, _ = best_constant(build("weak_negatives", LabelStatistics(torch.ones(1000), 500, 2.0)), targets)
    assert_close(row["logits"].sigmoid(), torch.full((1, 1000), 0.667, dtype=torch.float64), rtol=0, atol=6e-4)


# poly_bce ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("epsilon", [-1, 0.0, 1.0, 5.0])
def test_poly_bce(epsilon):
    def formula(z, y, c):
        p_t = sigmoid(z) if y else 1 - sigmoid(z)
        return -math.log(p_t) + epsilon * (1 - p_t)

    assert_close(poly_bce(LOGITS, TARGETS, epsilon=epsilon), loops(formula))


def test_poly_bce_is_a_series():
    def formula(z, y, c):
        missed = 1 - (sigmoid(z) if y else 1 - sigmoid(z))
        return (1 + 1.5) * missed + sum(missed**j / j for j in range(2, 60))

    close = (LOGITS.abs() < 0.7).nonzero(as_tuple=True)
    assert len(close[0]) >= 3
    assert_close(poly_bce(LOGITS, TARGETS, epsilon=1.5)[close], loops(formula)[close])


def test_poly_bce_of_a_soft_target_is_the_mean_of_both_sides():
    both = [poly_bce(LOGITS, torch.full_like(LOGITS, side)) for side in (0.0, 1.0)]
    assert_close(poly_bce(LOGITS, SOFT), (1 - SOFT) * both[0] + SOFT * both[1])


def test_poly_bce_with_epsilon_zero_is_bce():
    assert_close(poly_bce(LOGITS, TARGETS, epsilon=0), bce(LOGITS, TARGETS))


# propensity_bce ------------------------------------------------------------------------------------------------------


def propensity(n, samples, a=0.55, b=1.5):
    factor = (math.log(samples) - 1) * (b + 1) ** a
    return 1 / (1 + factor * math.exp(-a * math.log(n + b)))


def test_published_propensities():
    published = [0.25562221863533147, 0.5571545100089221]
    assert [propensity(n, 50) for n in (1, 25)] == pytest.approx(published, rel=1e-12)
    zeros = torch.zeros(1, 2, dtype=torch.float64)
    counts = torch.tensor([1.0, 25.0], dtype=torch.float64)
    ours = propensity_bce(zeros, torch.ones(1, 2), label_counts=counts, num_samples=50)[0] / math.log(2)
    assert ours.tolist() == pytest.approx([2 / rho - 1 for rho in published], rel=1e-12)


@pytest.mark.parametrize(("a", "b"), [(0.55, 1.5), (0.5, 0.4), (0.6, 2.6), (0, 1)])
def test_propensity_bce(a, b):
    def formula(z, y, c):
        return entropy(z, y) * (2 / propensity(COUNTS[c].item(), 12, a, b) - 1 if y else 1)

    assert_close(propensity_bce(LOGITS, TARGETS, a=a, b=b, **BY_COUNTS), loops(formula))


def test_a_propensity_is_never_above_one():
    assert propensity(0, 2) > 1
    ours = propensity_bce(LOGITS, TARGETS, label_counts=COUNTS.clamp(max=2), num_samples=2)
    assert_close(ours, bce(LOGITS, TARGETS))


def test_the_weight_is_that_of_the_unbiased_loss_of_a_step():
    # a positive's unbiased loss l1 / rho - (1/rho - 1) l0, for steps with l0 = 1 - l1, is (2/rho - 1) l1 and a constant
    ours = propensity_bce(torch.zeros(1, 5).double(), torch.ones(1, 5), **BY_COUNTS)[0] / math.log(2)
    for n, weight in zip(COUNTS.tolist(), ours.tolist(), strict=True):
        right, wrong = (step / propensity(n, 12) - (1 / propensity(n, 12) - 1) * (1 - step) for step in (0, 1))
        assert wrong - right == pytest.approx(weight)


# logit_adjusted ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tau", [0.0, 1.0, 1.7])
@pytest.mark.parametrize("targets", [TARGETS, SOFT])
def test_logit_adjusted(tau, targets):
    shares = [1 / 12, 1, 3 / 12, 1 / 12, 5 / 12]
    expected = loops(lambda z, y, c: entropy(z + tau * math.log(shares[c]), y), targets)
    assert_close(logit_adjusted(LOGITS, targets, tau=tau, **BY_COUNTS), expected)
    odds = [1 / 12, 12 / 1, 3 / 9, 1 / 11, 5 / 7]
    expected = loops(lambda z, y, c: entropy(z + tau * math.log(odds[c]), y), targets)
    assert_close(logit_adjusted(LOGITS, targets, tau=tau, prior="logit", **BY_COUNTS), expected)


@pytest.mark.parametrize("prior", ["log", "logit"])
def test_logit_adjusted_with_tau_zero_is_bce(prior):
    assert_close(logit_adjusted(LOGITS, TARGETS, tau=0, prior=prior, **BY_COUNTS), bce(LOGITS, TARGETS))


def test_logit_adjusted_is_answered_by_zero_without_looking(build):
    targets = torch.tensor([[1, 1, 0], [0, 1, 0], [0, 1, 1], [0, 0, 0]])
    objective = build("logit_adjusted", LabelStatistics(targets.sum(0).float(), 4, 1.25), prior="logit")
    row, _ = best_constant(objective, targets)
    assert_close(row["logits"], torch.zeros(1, 3, dtype=torch.float64), rtol=0, atol=1e-4)


# ldam ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("targets", [TARGETS, SOFT])
@pytest.mark.parametrize(("max_margin", "scale"), [(0.5, 1.0), (0.5, 3.0), (2.0, 0.5), (0, 1)])
def test_ldam(max_margin, scale, targets):
    roots = [math.sqrt(math.sqrt(max(n, 1))) for n in COUNTS.tolist()]

    def formula(z, y, c):
        margin = max_margin * min(roots) / roots[c]
        true, absent = sigmoid(scale * (z - margin)), sigmoid(scale * z)
        return -y * math.log(true) - (1 - y) * math.log(1 - absent)

    ours = ldam(LOGITS, targets, max_margin=max_margin, scale=scale, label_counts=COUNTS)
    assert_close(ours, loops(formula, targets))


def test_ldam_without_margin_is_bce():
    assert_close(ldam(LOGITS, TARGETS, max_margin=0, label_counts=COUNTS), bce(LOGITS, TARGETS))


def test_ldam_margins_of_worked_counts():
    # 16 times the positives, half the margin
    logits, counts = torch.tensor([[0.5, 0.25, 0.125]]), torch.tensor([2.0, 32.0, 512.0])
    ours = ldam(logits, torch.ones(1, 3), label_counts=counts)
    assert_close(ours, torch.full((1, 3), math.log(2)))


# domains -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("loss", "settings", "words"),
    [
        (bce_element_weight, {"weight": 0}, "weight"),
        (bce_label_smoothing, {"smoothing": 0.6}, "smoothing"),
        (bce_label_smoothing, {"smoothing": -0.1}, "smoothing"),
        (class_balanced, {"beta": 1.1, "label_counts": COUNTS}, "beta"),
        (class_balanced, {"gamma": -1, "label_counts": COUNTS}, "gamma"),
        (class_balanced, {"normalize": 1, "label_counts": COUNTS}, "normalize"),
        (poly_bce, {"epsilon": -1.1}, "epsilon"),
        (propensity_bce, {"a": -1, **BY_COUNTS}, "a must"),
        (propensity_bce, {"b": 0, **BY_COUNTS}, "b must"),
        (logit_adjusted, {"tau": -1, **BY_COUNTS}, "tau"),
        (logit_adjusted, {"prior": "odds", **BY_COUNTS}, "log or logit, got 'odds'"),
        (ldam, {"max_margin": -1, "label_counts": COUNTS}, "max_margin"),
        (ldam, {"scale": 0, "label_counts": COUNTS}, "scale"),
    ],
)
def test_settings_outside_their_domain_are_refused(loss, settings, words):
    with pytest.raises(ValueError, match=words):
        loss(LOGITS, TARGETS, **settings)
