"""The relatives of the focal and asymmetric losses, each against its formula written as a loop over Python floats."""

import math

import naive
import pytest
import torch
from naive import sigmoid, slope
from torch.testing import assert_close

from mllc.losses import (
    apl,
    asymmetric,
    bce,
    distribution_balanced,
    focal,
    focal_margin,
    hill,
    large_loss,
    ral,
    rebalanced_focal,
    splc,
)
from mllc.losses.best_constant import best_constant
from mllc.types import LabelStatistics

SOURCE = torch.Generator().manual_seed(5)
LOGITS = 3 * torch.randn(7, 5, dtype=torch.float64, generator=SOURCE)
TARGETS = (torch.rand(7, 5, generator=SOURCE) < 0.4).double()
TARGETS[0], TARGETS[1] = 0, 1
MASK = torch.rand(7, 5, generator=SOURCE) < 0.7
# 12 samples; a label is never true, another always
COUNTS = [0, 12, 3, 1, 5]
COUNTED = {"label_counts": torch.tensor(COUNTS, dtype=torch.float64)}
TOLD = {**COUNTED, "num_samples": 12}


def focal_formula(z, y, gamma):
    p = sigmoid(z)
    # -log(1 - p) with 1 - p = 1 / (1 + e^z), whose difference would cancel
    return (1 - p) ** gamma * math.log(1 + math.exp(-z)) if y else p**gamma * math.log(1 + math.exp(z))


def elementwise(formula):
    return naive.elementwise(formula, LOGITS, TARGETS)


# the asymmetric polynomial family ----------------------------------------------------------------------------------


def apl_positive(p, gamma, e1, e2):
    return (1 - p) ** gamma * (-math.log(p) - e1 * (1 - p) - e2 / 2 * (1 - p) ** 2)


@pytest.mark.parametrize("margin", [0.0, 0.05, 0.3])
@pytest.mark.parametrize(("gamma_neg", "gamma_pos", "e1", "e2"), [(4.0, 0.0, 1.0, -2.5), (1.0, 2.0, -0.5, 0.7)])
def test_apl(gamma_neg, gamma_pos, e1, e2, margin):
    def formula(z, y, i, c):
        p = sigmoid(z)
        pm = max(p - margin, 0)
        return apl_positive(p, gamma_pos, e1, e2) if y else -(pm**gamma_neg) * math.log(1 - pm)

    settings = {"gamma_neg": gamma_neg, "gamma_pos": gamma_pos, "margin": margin, "e1": e1, "e2": e2}
    assert_close(apl(LOGITS, TARGETS, **settings), elementwise(formula))


def test_apl_without_coefficients_is_the_asymmetric_loss():
    for settings in ({"gamma_pos": 1.0}, {"gamma_neg": 2.0, "margin": 0.2, "detach_focal": True}):
        same = {"gamma_pos": 0.5, **settings}
        assert_close(apl(LOGITS, TARGETS, e1=0, e2=0, **same), asymmetric(LOGITS, TARGETS, **same))
        assert_close(slope(apl, LOGITS, TARGETS, e1=0, e2=0, **same), slope(asymmetric, LOGITS, TARGETS, **same))
    assert_close(apl(LOGITS, TARGETS, e1=0, e2=0, gamma_neg=0, margin=0), bce(LOGITS, TARGETS))


def test_the_published_apl_replaces_the_first_two_terms_of_the_series():
    # -log p = sum of (1-p)^j / j; the terms 1 and 1/2 become 0 and 1.75
    for p in (0.3, 0.6, 0.9, 0.99):
        series = 1.75 * (1 - p) ** 2 + sum((1 - p) ** j / j for j in range(3, 400))
        logit = torch.tensor([[math.log(p / (1 - p))]], dtype=torch.float64)
        assert apl(logit, torch.ones(1, 1)).item() == pytest.approx(series, rel=1e-9)


def test_apl_of_positives_falls_as_p_rises():
    logits = torch.linspace(-30, 15, 400, dtype=torch.float64).unsqueeze(0)
    assert (apl(logits, torch.ones_like(logits)).diff() < 0).all()


def test_apl_detached_weights_are_constants():
    settings = {"gamma_pos": 1.5, "gamma_neg": 2.0, "margin": 0.0}
    p = LOGITS.sigmoid()
    # weight times the gradient of what is weighted
    positives = (1 - p) ** 1.5 * (-(1 - p) + p * (1 - p) - 2.5 * p * (1 - p) ** 2)
    expected = torch.where(TARGETS > 0, positives, p**2 * p)
    assert_close(slope(apl, LOGITS, TARGETS, detach_focal=True, **settings), expected)
    assert_close(apl(LOGITS, TARGETS, detach_focal=True, **settings), apl(LOGITS, TARGETS, **settings))


@pytest.mark.parametrize("lam", [1.0, 1.5, 2.0])
@pytest.mark.parametrize(("gamma_neg", "gamma_pos", "margin"), [(4.0, 0.0, 0.05), (1.0, 1.0, 0.3)])
def test_ral(gamma_neg, gamma_pos, margin, lam):
    def formula(z, y, i, c):
        p = sigmoid(z)
        if y:
            return apl_positive(p, gamma_pos, 1.0, -2.5)
        q = min(1 - p + margin, 1)
        return (1 - q) ** gamma_neg * (lam - p) * -math.log(q)

    settings = {"gamma_neg": gamma_neg, "gamma_pos": gamma_pos, "margin": margin, "lam": lam}
    assert_close(ral(LOGITS, TARGETS, **settings), elementwise(formula))


def test_negatives_of_the_family_at_even_odds():
    zero = torch.zeros(1, 1)
    found = [loss(zero, zero).item() for loss in (ral, apl, hill)]
    assert found == pytest.approx([0.0245, 0.0245, 0.25], rel=0.01)


# hill, focal margin, SPLC ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("lam", "margin", "gamma"), [(1.5, 1.0, 2.0), (1.0, 0.0, 0.5), (3.0, 0.5, 0.0)])
def test_hill(lam, margin, gamma):
    def formula(z, y, i, c):
        return focal_formula(z - margin, 1, gamma) if y else (lam - sigmoid(z)) * sigmoid(z) ** 2

    assert_close(hill(LOGITS, TARGETS, lam=lam, margin=margin, gamma=gamma), elementwise(formula))


def test_the_slope_of_a_negative_is_a_hill():
    logits = torch.linspace(-20, 20, 401, dtype=torch.float64).unsqueeze(0)
    p = logits.sigmoid()
    found = slope(hill, logits, torch.zeros_like(logits))
    assert_close(found, 3 * p**2 * (1 - p) ** 2)
    assert logits[0, found.argmax()].abs() < 1e-9


@pytest.mark.parametrize(("margin", "gamma"), [(1.0, 2.0), (0.0, 0.5), (2.5, 0.0)])
def test_focal_margin(margin, gamma):
    def formula(z, y, i, c):
        return focal_formula(z - margin, 1, gamma) if y else focal_formula(z, 0, gamma)

    assert_close(focal_margin(LOGITS, TARGETS, margin=margin, gamma=gamma), elementwise(formula))


def test_focal_margin_without_margin_is_focal_and_its_positives_are_those_of_hill():
    assert_close(focal_margin(LOGITS, TARGETS, margin=0, gamma=3), focal(LOGITS, TARGETS, gamma=3))
    true = torch.ones_like(TARGETS)
    assert_close(focal_margin(LOGITS, true), hill(LOGITS, true))


@pytest.mark.parametrize(("tau", "change_epoch"), [(0.6, 1), (0.2, 0), (0.9, 3)])
@pytest.mark.parametrize("epoch", [0, 1, 2, 3])
def test_splc(tau, change_epoch, epoch):
    def formula(z, y, i, c):
        if y:
            return focal_formula(z - 0.5, 1, 3.0)
        return focal_formula(z, epoch >= change_epoch and sigmoid(z) > tau, 3.0)

    settings = {"tau": tau, "change_epoch": change_epoch, "margin": 0.5, "gamma": 3.0}
    assert_close(splc(LOGITS, TARGETS, epoch=epoch, **settings), elementwise(formula))


def test_splc_is_focal_margin_before_its_epoch():
    for epoch in range(3):
        assert torch.equal(splc(LOGITS, TARGETS, epoch=epoch, change_epoch=3), focal_margin(LOGITS, TARGETS))


def test_splc_pulls_up_a_negative_that_it_has_turned_over():
    logits, targets = torch.tensor([[0.3, 0.5]]), torch.zeros(1, 2)  # p = .574 and .622
    assert (slope(splc, logits, targets, epoch=0) > 0).all()
    assert (slope(splc, logits, targets, epoch=1) > 0).tolist() == [[True, False]]
    # exactly at tau it stays a negative
    assert slope(splc, torch.zeros(1, 1), torch.zeros(1, 1), epoch=1, tau=0.5).item() > 0


# large losses ------------------------------------------------------------------------------------------------------


def bce_formula(z, y):
    return math.log(1 + math.exp(-z)) if y else math.log(1 + math.exp(z))


@pytest.mark.parametrize("variant", ["reject", "correct"])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("rate", "epoch"), [(0.2, 0), (0.2, 1), (0.0, 9), (7.0, 1), (7.0, 3), (50.0, 1), (100.0, 5)])
def test_large_loss(rate, epoch, variant, masked):
    known = MASK.tolist()

    def taken(y, i, c):
        return not y and (not masked or known[i][c])

    table = elementwise(lambda z, y, i, c: bce_formula(z, 0) if taken(y, i, c) else 0.0)
    number = min(math.ceil(epoch * rate / 100 * 35), 35)
    cut = sorted(table.flatten().tolist(), reverse=True)[number - 1] if number else math.inf

    def formula(z, y, i, c):
        if taken(y, i, c) and bce_formula(z, 0) >= cut:
            return 0.0 if variant == "reject" else bce_formula(z, 1)
        return bce_formula(z, y)

    found = large_loss(LOGITS, TARGETS, epoch=epoch, mask=MASK if masked else None, variant=variant, rate=rate)
    assert_close(found, elementwise(formula))


def test_large_loss_is_bce_in_the_first_epoch_and_at_rate_zero():
    assert torch.equal(large_loss(LOGITS, TARGETS, epoch=0, rate=100), bce(LOGITS, TARGETS))
    assert torch.equal(large_loss(LOGITS, TARGETS, epoch=99, rate=0), bce(LOGITS, TARGETS))


def test_large_loss_of_a_worked_batch():
    logits = torch.tensor([[3.0, -1.0], [2.0, 2.0], [-4.0, 5.0]])
    targets = torch.tensor([[0, 0], [0, 0], [1, 1]])
    # a sixth of the entries: the negative at 3, not the positive at -4, which costs more; two sixths: a tie, both go
    for epoch, gone in ((1, [0]), (2, [0, 2, 3])):
        changed = large_loss(logits, targets, epoch=epoch, rate=100 / 6) == 0
        assert changed.flatten().nonzero().flatten().tolist() == gone
    up = slope(large_loss, logits, targets, epoch=1, rate=10.0, variant="correct")
    assert_close(up[0, 0], torch.tensor(3.0).sigmoid() - 1)


def test_large_loss_changes_no_negative_that_costs_nothing():
    logits, targets = torch.full((2, 3), -1e4), torch.zeros(2, 3)
    assert (large_loss(logits, targets, epoch=1, rate=50, variant="correct") == 0).all()


# distribution-balanced ---------------------------------------------------------------------------------------------


def rebalanced_weight(i, c, alpha, beta, mu, masked=False):
    counts = [max(n, 1) for n in COUNTS]
    own = [j for j in range(5) if TARGETS[i, j] and (not masked or MASK[i, j])]
    if not own:
        return alpha + 1
    share = 1 / counts[c] / sum(1 / counts[j] for j in own)
    return alpha + 1 / (1 + math.exp(-beta * (share - mu)))


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("gamma", "alpha", "beta", "mu"), [(2.0, 0.1, 10.0, 0.2), (0.0, 0.5, 3.0, 0.9)])
def test_rebalanced_focal(gamma, alpha, beta, mu, masked):
    def formula(z, y, i, c):
        return rebalanced_weight(i, c, alpha, beta, mu, masked) * focal_formula(z, y, gamma)

    settings = {"gamma": gamma, "alpha": alpha, "beta": beta, "mu": mu, "mask": MASK if masked else None}
    assert_close(rebalanced_focal(LOGITS, TARGETS, **COUNTED, **settings), elementwise(formula))


def test_a_label_alone_in_a_sample_has_the_whole_share():
    counts = torch.tensor([2.0, 100.0, 100.0])
    weights = rebalanced_focal(torch.zeros(2, 3), torch.tensor([[0, 1, 0], [1, 1, 0]]), label_counts=counts, gamma=0)
    weights = weights / math.log(2)
    alone, frequent = 0.1 + sigmoid(10 * 0.8), 0.1 + sigmoid(10 * (0.01 / 0.51 - 0.2))
    assert weights[0].tolist() == pytest.approx([1.1, alone, alone], rel=1e-4)
    assert weights[1].tolist() == pytest.approx([0.1 + sigmoid(10 * (0.5 / 0.51 - 0.2)), frequent, frequent], rel=1e-4)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("gamma", "neg_scale", "kappa"), [(2.0, 2.0, 0.05), (0.0, 5.0, 0.3), (1.0, 0.5, 0.0)])
def test_distribution_balanced(gamma, neg_scale, kappa, masked):
    def formula(z, y, i, c):
        # 1/pi - 1 is negatives per positive
        u = z - kappa * math.log(max(12 - COUNTS[c], 1) / max(COUNTS[c], 1))
        weight = rebalanced_weight(i, c, 0.1, 10.0, 0.2, masked)
        if y:
            return weight * focal_formula(u, 1, gamma)
        return weight / neg_scale * focal_formula(neg_scale * u, 0, gamma)

    settings = {"gamma": gamma, "neg_scale": neg_scale, "kappa": kappa, "mask": MASK if masked else None}
    assert_close(distribution_balanced(LOGITS, TARGETS, **TOLD, **settings), elementwise(formula))


def test_distribution_balanced_reduces_to_rebalanced_focal_and_to_bce():
    plain = {"neg_scale": 1, "kappa": 0}
    found = distribution_balanced(LOGITS, TARGETS, **TOLD, **plain)
    assert_close(found, rebalanced_focal(LOGITS, TARGETS, **COUNTED))
    # with mu far below every share the weight is alpha + 1
    found = distribution_balanced(LOGITS, TARGETS, **TOLD, **plain, gamma=0, alpha=0, mu=-1e3)
    assert_close(found, bce(LOGITS, TARGETS))


def test_a_negative_far_above_the_bias_has_the_slope_of_bce():
    settings = {"gamma": 0, "alpha": 0, "mu": -1e3, "neg_scale": 5}
    far = torch.full((1, 5), 60.0, dtype=torch.float64)
    found = slope(distribution_balanced, far, torch.zeros(1, 5), **TOLD, **settings)
    assert_close(found, torch.ones_like(far))


# all of them -------------------------------------------------------------------------------------------------------

CALLS = {
    "apl": (apl, {}),
    "ral": (ral, {}),
    "hill": (hill, {}),
    "focal_margin": (focal_margin, {}),
    "splc": (splc, {"epoch": 3}),
    "large_loss": (large_loss, {"epoch": 3, "rate": 5.0}),
    "rebalanced_focal": (rebalanced_focal, COUNTED),
    "distribution_balanced": (distribution_balanced, TOLD),
}
every = pytest.mark.parametrize("name", CALLS)


@every
def test_a_confidently_wrong_positive_has_the_slope_of_its_weight(name):
    loss, settings = CALLS[name]
    logits = torch.tensor([[-1e4, -80.0, -80.0, -80.0, -80.0]])
    found = slope(loss, logits, torch.ones(1, 5), **settings)
    assert (found < -0.09).all()
    if settings.get("label_counts") is None:
        assert_close(found, torch.full_like(found, -1))


@every
def test_it_can_be_compiled_whole(name):
    loss, settings = CALLS[name]
    torch._dynamo.reset()  # the losses share a wrapper, whose number of versions is limited
    compiled = torch.compile(loss, fullgraph=True, backend="eager")
    assert_close(compiled(LOGITS, TARGETS, **settings), loss(LOGITS, TARGETS, **settings))
    for epoch in range(4) if "epoch" in settings else ():
        given = {**settings, "epoch": epoch}
        assert_close(compiled(LOGITS, TARGETS, **given), loss(LOGITS, TARGETS, **given))


@every
def test_functional_gradients_agree_with_autograd(name):
    loss, settings = CALLS[name]
    expected = slope(loss, LOGITS, TARGETS, **settings)
    assert_close(torch.func.grad(lambda z: loss(z, TARGETS, **settings).sum())(LOGITS), expected)
    if name != "large_loss":  # which compares samples
        by_row = torch.func.grad(lambda z, y: loss(z, y, **settings).sum())
        assert_close(torch.func.vmap(by_row)(LOGITS, TARGETS), expected)


@pytest.mark.parametrize(("name", "probability"), [("hill", 0.027), ("apl", 0.253)])
def test_probabilities_of_the_best_constant(name, probability, build):
    # 1000 labels, 2 true in each of 500 samples
    sparse = torch.zeros(500, 1000, dtype=torch.uint8).scatter_(1, torch.arange(1000).view(500, 2), 1)
    row, _ = best_constant(build(name, LabelStatistics(torch.ones(1000), 500, 2.0)), sparse)
    assert_close(row["logits"].sigmoid(), torch.full((1, 1000), probability).double(), atol=6e-4, rtol=0)


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("apl", {"gamma_neg": -1}, "gamma_neg"),
        ("apl", {"gamma_pos": -1}, "gamma_pos"),
        ("apl", {"margin": 2}, "margin"),
        ("apl", {"e1": math.nan}, "e1"),
        ("apl", {"e2": "-2.5"}, "e2"),
        ("apl", {"detach_focal": 1}, "detach_focal"),
        ("ral", {"lam": 0.9}, "lam"),
        ("ral", {"margin": -0.1}, "margin"),
        ("hill", {"lam": 0.5}, "lam"),
        ("hill", {"margin": -1}, "margin"),
        ("hill", {"gamma": -1}, "gamma"),
        ("focal_margin", {"margin": -1}, "margin"),
        ("focal_margin", {"gamma": -1}, "gamma"),
        ("splc", {"tau": 1}, "tau"),
        ("splc", {"change_epoch": -1}, "change_epoch"),
        ("splc", {"margin": -1}, "margin"),
        ("splc", {"gamma": -1}, "gamma"),
        ("large_loss", {"variant": "drop"}, "reject or correct, got 'drop'"),
        ("large_loss", {"rate": 101}, "rate"),
        ("rebalanced_focal", {"alpha": -0.1}, "alpha"),
        ("rebalanced_focal", {"beta": 0}, "beta"),
        ("rebalanced_focal", {"mu": math.inf}, "mu"),
        ("rebalanced_focal", {"gamma": -1}, "gamma"),
        ("distribution_balanced", {"neg_scale": 0}, "neg_scale"),
        ("distribution_balanced", {"kappa": -1}, "kappa"),
        ("distribution_balanced", {"beta": -1}, "beta"),
    ],
)
def test_settings_outside_their_domain_are_refused(name, settings, words):
    loss, given = CALLS[name]
    with pytest.raises(ValueError, match=words):
        loss(LOGITS, TARGETS, **{**given, **settings})
