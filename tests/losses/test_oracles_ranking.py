"""Softmax, ranking, overlap and count losses against loops over Python floats, other libraries, and worked values."""

import importlib
import math
import statistics as stats
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from naive import sigmoid
from torch.testing import assert_close

from mllc.losses import (
    bp_mll,
    categorical_ce,
    decoupled_softmax,
    dirichlet_multinomial,
    lsep,
    multilabel_margin,
    sigmoid_f1,
    smooth_ap,
    soft_f1,
    softmax_ce,
    tversky,
    two_way,
    warp,
)

SOURCE = torch.Generator().manual_seed(0)
LOGITS = 3 * torch.randn(8, 5, dtype=torch.float64, generator=SOURCE)
COUNT = 2 * torch.randn(8, dtype=torch.float64, generator=SOURCE)
TARGETS = (torch.rand(8, 5, generator=SOURCE) < 0.4).double()
# an empty row, a full one, a label that is never true and one that nearly always is
TARGETS[:, 3], TARGETS[:, 4] = 0, 1
TARGETS[0], TARGETS[1] = 0, 1
TARGETS[1:, 3] = 0
TARGETS[1, 3] = 1
ONE_LABEL = F.one_hot(torch.tensor([0, 4, 2, 1, 3, 3, 0, 1]), 5)

ROWS = list(zip(LOGITS.tolist(), TARGETS.tolist(), strict=True))
COLUMNS = list(zip(LOGITS.T.tolist(), TARGETS.T.tolist(), strict=True))


def tensor(values):
    return torch.tensor(list(values), dtype=torch.float64)


def sides(z, y):
    """The logits of the positives and those of the negatives."""
    return [a for a, b in zip(z, y, strict=True) if b], [a for a, b in zip(z, y, strict=True) if not b]


# softmax and counts --------------------------------------------------------------------------------------------------


def test_categorical_ce():
    def formula(z, y):
        return -sum(math.log(math.exp(a) / sum(map(math.exp, z))) for a, b in zip(z, y, strict=True) if b)

    assert_close(categorical_ce(LOGITS, TARGETS), tensor(formula(z, y) for z, y in ROWS))


def test_categorical_ce_is_softmax_ce_times_the_number_of_labels():
    assert_close(categorical_ce(LOGITS, TARGETS), softmax_ce(LOGITS, TARGETS) * TARGETS.sum(1))
    soft = torch.rand(8, 5, dtype=torch.float64, generator=SOURCE)
    soft /= soft.sum(1, keepdim=True)
    assert_close(categorical_ce(LOGITS, soft), F.cross_entropy(LOGITS, soft, reduction="none"))


def test_categorical_ce_has_a_gradient_that_grows_with_the_number_of_labels():
    logits = LOGITS.clone().requires_grad_()
    categorical_ce(logits, TARGETS).sum().backward()
    assert_close(logits.grad, TARGETS.sum(1, keepdim=True) * LOGITS.softmax(1) - TARGETS)


def softplus(z):
    return math.log1p(math.exp(z))


def test_dirichlet_multinomial():
    def formula(z, y, u):
        alpha, k = [softplus(a) for a in z], sum(y)
        log_pmf = math.lgamma(k + 1) + math.lgamma(sum(alpha)) - math.lgamma(k + sum(alpha))
        log_pmf += sum(math.lgamma(b + a) - math.lgamma(a) - math.lgamma(b + 1) for a, b in zip(alpha, y, strict=True))
        number = (u + math.sqrt(u * u + 4)) / 2
        return -log_pmf - math.log(number**k * math.exp(-number) / math.factorial(int(k)))

    expected = tensor(formula(z, y, u) for (z, y), u in zip(ROWS, COUNT.tolist(), strict=True))
    assert_close(dirichlet_multinomial(LOGITS, TARGETS, count=COUNT), expected)


def test_dirichlet_multinomial_sums_to_one_over_all_draws():
    # of two draws from three labels: the three pairs by the loss, and each label twice, alpha (alpha + 1) / (A (A + 1))
    z = LOGITS[:1, :3]
    alpha = [softplus(a) for a in z[0].tolist()]
    total = sum(alpha) * (sum(alpha) + 1)
    pairs = 1 - torch.eye(3)
    poisson = 0.5 * 2**2 * math.exp(-2)  # of 2 labels where 2 are expected
    drawn = (-dirichlet_multinomial(z.expand(3, 3), pairs, count=torch.full((3,), 1.5).double())).exp().sum() / poisson
    assert drawn.item() + sum(a * (a + 1) for a in alpha) / total == pytest.approx(1)


def test_dirichlet_multinomial_of_one_label_is_a_cross_entropy_of_softplus():
    alpha = F.softplus(LOGITS)
    own = -(alpha / alpha.sum(1, keepdim=True)).log()[ONE_LABEL.bool()]
    # Z = 1: the Poisson part is 1
    assert_close(dirichlet_multinomial(LOGITS, ONE_LABEL, count=torch.zeros(8).double()), own + 1)


def test_dirichlet_multinomial_keeps_the_slope_of_a_confidently_wrong_positive():
    logits = torch.tensor([[-80.0, 0.0], [-1e4, -1e4]], requires_grad=True)
    value = dirichlet_multinomial(logits, torch.tensor([[1, 0], [1, 0]]), count=torch.zeros(2))
    value.sum().backward()
    # 1e-3 is the distance of float32 numbers at 1e4
    assert_close(logits.grad[:, 0], torch.tensor([-1.0, -0.5]), rtol=0, atol=1e-3)
    assert_close(value, torch.tensor([80 + math.log(math.log(2)) + 1, math.log(2) + 1]), rtol=0, atol=1e-3)


def test_dirichlet_multinomial_does_not_cancel_for_large_alpha():
    # A large and equal: a multinomial of equal probabilities, log C per label, here of 20
    z, y = torch.full((1, 20), 1e4), torch.ones(1, 20)
    expected = tensor([sum(math.log(2e5 + i) - math.log(1e4) for i in range(20)) + 1])
    assert_close(dirichlet_multinomial(z, y, count=torch.zeros(1)).double(), expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize("start", [-1e4, -60.0, 1e4])
def test_the_count_unit_is_never_dead(start):
    count = torch.tensor([start], requires_grad=True)
    dirichlet_multinomial(torch.zeros(1, 4), torch.tensor([[1, 1, 0, 0]]), count=count).backward()
    assert count.grad < -1e-5 if start < 0 else count.grad > 1e-5


# pairs of a sample's labels ------------------------------------------------------------------------------------------


def lsep_formula(z, y):
    positives, negatives = sides(z, y)
    return math.log(1 + sum(math.exp(n - p) for p in positives for n in negatives))


def bp_mll_formula(z, y):
    positives, negatives = sides(z, y)
    pairs = [math.exp(n - p) for p in positives for n in negatives]
    return math.log(1 + sum(pairs) / len(pairs)) if pairs else 0.0


def decoupled_formula(z, y):
    positives, negatives = sides(z, y)
    return sum(math.log(1 + sum(math.exp(n - p) for n in negatives)) for p in positives) / (len(positives) or 1)


def margin_formula(z, y):
    positives, negatives = sides(z, y)
    return sum(max(0.0, 1 - p + n) for p in positives for n in negatives) / len(z)


def warp_formula(z, y):
    positives, negatives = sides(z, y)
    loss = 0.0
    for p in positives:
        hinges = [1 - p + n for n in negatives if 1 - p + n > 0]
        if hinges:
            loss += sum(1 / (i + 1) for i in range(len(hinges))) * stats.mean(hinges)
    return loss


PAIRWISE = [
    (lsep, lsep_formula),
    (bp_mll, bp_mll_formula),
    (decoupled_softmax, decoupled_formula),
    (multilabel_margin, margin_formula),
    (warp, warp_formula),
]


@pytest.mark.parametrize(("loss", "formula"), PAIRWISE)
def test_pairwise_losses(loss, formula):
    assert_close(loss(LOGITS, TARGETS), tensor(formula(z, y) for z, y in ROWS))


@pytest.mark.parametrize(("loss", "formula"), PAIRWISE)
def test_pairwise_losses_with_ties(loss, formula):
    z = torch.tensor([[1, 0, 1, 2, 2, 1], [0, 0, 0, 0, 0, 0], [3, 3, 1, 2, 2, 2]], dtype=torch.float64)
    y = torch.tensor([[1, 0, 0, 1, 0, 0], [0, 1, 0, 1, 0, 0], [0, 1, 0, 0, 1, 1]])
    assert_close(loss(z, y), tensor(formula(a, b) for a, b in zip(z.tolist(), y.tolist(), strict=True)))


@pytest.mark.parametrize(("loss", "formula"), PAIRWISE)
def test_pairwise_losses_of_many_labels_in_float32(loss, formula):
    source = torch.Generator().manual_seed(1)
    z = 4 * torch.randn(3, 1000, generator=source)
    y = (torch.rand(3, 1000, generator=source) < 0.005).int()
    expected = tensor(formula(a, b) for a, b in zip(z.tolist(), y.tolist(), strict=True))
    assert_close(loss(z, y).double(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("loss", [loss for loss, _ in PAIRWISE])
def test_rows_without_pairs_cost_nothing_and_pull_nothing(loss):
    logits = torch.tensor([[3.0, -50.0, 1e4], [3.0, -50.0, 1e4]], requires_grad=True)
    value = loss(logits, torch.tensor([[0, 0, 0], [1, 1, 1]]))
    value.sum().backward()
    assert_close(value, torch.zeros(2))
    assert_close(logits.grad, torch.zeros(2, 3))


def test_losses_of_one_label_agree():
    own = F.cross_entropy(LOGITS, ONE_LABEL.argmax(1), reduction="none")
    for loss in (lsep, decoupled_softmax, softmax_ce, categorical_ce):
        assert_close(loss(LOGITS, ONE_LABEL), own)


def test_bp_mll_is_the_logarithm_of_one_plus_the_published_loss():
    positives, negatives = LOGITS[2][TARGETS[2] > 0], LOGITS[2][TARGETS[2] == 0]
    published = (negatives - positives.unsqueeze(1)).exp().mean()
    assert_close(bp_mll(LOGITS, TARGETS)[2].expm1(), published)
    assert_close(bp_mll(torch.tensor([[1e4, -1e4]]), torch.tensor([[0, 1]])), torch.tensor([2e4]))


def test_bp_mll_differs_from_lsep_by_the_number_of_pairs():
    # e^lsep - 1 is the sum over pairs, e^bp_mll - 1 the mean
    pairs = TARGETS.sum(1) * (5 - TARGETS.sum(1))
    assert_close(lsep(LOGITS, TARGETS).expm1(), bp_mll(LOGITS, TARGETS).expm1() * pairs)


def test_multilabel_margin_is_that_of_torch():
    padded = torch.full((8, 5), -1)
    for row, y in enumerate(TARGETS):
        labels = y.nonzero().squeeze(1)
        padded[row, : len(labels)] = labels
    logits, torch_logits = (LOGITS.clone().requires_grad_() for _ in range(2))
    own, theirs = multilabel_margin(logits, TARGETS), F.multilabel_margin_loss(torch_logits, padded, reduction="none")
    assert_close(own, theirs)
    own.sum().backward()
    theirs.sum().backward()
    assert_close(logits.grad, torch_logits.grad)


def test_warp_of_worked_rows():
    # positive at 2: only the 1.5 violates, H(1) * .5; positive at 0: both do, (1 + 1/2) * mean(2.5, 1.5)
    logits = torch.tensor([[2.0, 1.5, 0.5], [0.0, 1.5, 0.5]], requires_grad=True)
    value = warp(logits, torch.tensor([[1, 0, 0], [1, 0, 0]]))
    assert_close(value, torch.tensor([0.5, 3.0]))
    value.sum().backward()
    # H is a constant: the slope is H times that of the mean hinge
    assert_close(logits.grad, torch.tensor([[-1.0, 1.0, 0.0], [-1.5, 0.75, 0.75]]))


def test_warp_with_one_violator_is_its_hinge():
    z = torch.tensor([[5.0, 4.5, 1.0, 0.0]])
    assert_close(warp(z, torch.tensor([[1, 0, 0, 0]])), torch.tensor([0.5]))


# over a batch --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("tp", "tn"), [(4.0, 1.0), (1.0, 1.0), (0.5, 3.0)])
def test_two_way(tp, tn):
    def side(lists):
        losses = []
        for z, y in lists:
            positives, negatives = sides(z, y)
            if not positives:
                continue
            worst = sum(math.exp(-p / tp) for p in positives) ** tp * sum(math.exp(n / tn) for n in negatives) ** tn
            losses.append(math.log(1 + worst))
        return stats.mean(losses)

    assert min(sum(y) for _, y in COLUMNS) == 1
    own = two_way(LOGITS, TARGETS, temperature_pos=tp, temperature_neg=tn)
    assert_close(own, tensor([side(ROWS) + side(COLUMNS)])[0])
    # without row 1, label 3 is never true
    keep = torch.tensor([0, 2, 3, 4, 5, 6, 7])
    rows = [ROWS[i] for i in keep]
    columns = list(zip(LOGITS[keep].T.tolist(), TARGETS[keep].T.tolist(), strict=True))
    own = two_way(LOGITS[keep], TARGETS[keep], temperature_pos=tp, temperature_neg=tn)
    assert_close(own, tensor([side(rows) + side(columns)])[0])


def test_two_way_with_temperatures_of_one_is_lsep_of_rows_and_columns():
    both = lsep(LOGITS, TARGETS)[1:].mean() + lsep(LOGITS.T, TARGETS.T).mean()
    assert_close(two_way(LOGITS, TARGETS, temperature_pos=1, temperature_neg=1), both)


def test_two_way_leaves_one_level_of_the_whole_batch_free():
    value = two_way(LOGITS, TARGETS)
    assert_close(two_way(LOGITS + 100, TARGETS), value)
    assert not torch.isclose(two_way(LOGITS + torch.arange(8).unsqueeze(1), TARGETS), value)


@pytest.mark.parametrize("targets", [torch.zeros(2, 3), torch.ones(2, 3)])
def test_two_way_without_pairs_is_zero(targets):
    logits = torch.tensor([[3.0, -50.0, 1e4], [3.0, -50.0, 1e4]], requires_grad=True)
    value = two_way(logits, targets)
    value.backward()
    assert value == 0
    assert_close(logits.grad, torch.zeros(2, 3))


def overlap(p, y, alpha, beta):
    hits = sum(a * b for a, b in zip(p, y, strict=True))
    alarms = sum(a * (1 - b) for a, b in zip(p, y, strict=True))
    misses = sum((1 - a) * b for a, b in zip(p, y, strict=True))
    return 1 - hits / (hits + alpha * alarms + beta * misses)


@pytest.mark.parametrize(("alpha", "beta"), [(0.5, 0.5), (0.3, 0.7), (0.0, 0.1), (2.0, 3.0)])
@pytest.mark.parametrize("average", ["label", "sample"])
def test_tversky(average, alpha, beta):
    lists = COLUMNS if average == "label" else ROWS
    losses = [overlap([sigmoid(a) for a in z], y, alpha, beta) for z, y in lists if sum(y) or alpha]
    # 0/0 where no weight is on false alarms counts as 1
    losses += [1.0] * (len(lists) - len(losses))
    expected = sum(losses) if average == "label" else stats.mean(losses)
    assert_close(tversky(LOGITS, TARGETS, alpha=alpha, beta=beta, average=average), tensor([expected])[0])


@pytest.mark.parametrize("average", ["label", "sample"])
def test_soft_f1(average):
    def formula(z, y):
        p = [sigmoid(a) for a in z]
        return 1 - 2 * sum(a * b for a, b in zip(p, y, strict=True)) / (sum(p) + sum(y))

    losses = [formula(z, y) for z, y in (COLUMNS if average == "label" else ROWS)]
    expected = sum(losses) if average == "label" else stats.mean(losses)
    assert_close(soft_f1(LOGITS, TARGETS, average=average), tensor([expected])[0])


@pytest.mark.parametrize("average", ["label", "sample"])
@pytest.mark.parametrize(("slope", "offset"), [(1.0, 0.0), (3.0, -0.7), (0.5, 2.0)])
def test_sigmoid_f1(slope, offset, average):
    def formula(z, y):
        s = [1 / (1 + math.exp(-slope * (a + offset))) for a in z]
        tp = sum(a for a, b in zip(s, y, strict=True) if b)
        fp = sum(a for a, b in zip(s, y, strict=True) if not b)
        fn = sum(1 - a for a, b in zip(s, y, strict=True) if b)
        return 1 - 2 * tp / (2 * tp + fp + fn)

    losses = [formula(z, y) for z, y in (COLUMNS if average == "label" else ROWS)]
    expected = sum(losses) if average == "label" else stats.mean(losses)
    assert_close(sigmoid_f1(LOGITS, TARGETS, slope=slope, offset=offset, average=average), tensor([expected])[0])


@pytest.mark.parametrize("average", ["label", "sample"])
def test_dice_soft_f1_and_sigmoid_f1_agree(average):
    own = soft_f1(LOGITS, TARGETS, average=average)
    assert_close(tversky(LOGITS, TARGETS, alpha=0.5, beta=0.5, average=average), own)
    assert_close(sigmoid_f1(LOGITS, TARGETS, slope=1, offset=0, average=average), own)


@pytest.mark.parametrize("average", ["label", "sample"])
def test_soft_f1_of_certain_decisions_is_the_f1_of_scikit_learn(average):
    sklearn_metrics = pytest.importorskip("sklearn.metrics")
    logits = torch.where(LOGITS > 0, 1e3, -1e3)
    f1 = sklearn_metrics.f1_score(
        TARGETS, logits > 0, average="macro" if average == "label" else "samples", zero_division=0.0
    )
    scale = 5 if average == "label" else 1
    assert soft_f1(logits, TARGETS, average=average).item() == pytest.approx((1 - f1) * scale)


@pytest.mark.parametrize("loss", [soft_f1, sigmoid_f1, tversky, partial(tversky, alpha=0.0, beta=1e-3)])
@pytest.mark.parametrize("average", ["label", "sample"])
@pytest.mark.parametrize("logit", [-1e4, -100.0, 0.0, 1e4])
def test_overlap_without_positives_costs_one_and_pulls_nothing(logit, average, loss):
    # -100: p is a denormal float, whose reciprocal would be infinite
    logits = torch.full((2, 3), logit, requires_grad=True)
    value = loss(logits, torch.zeros(2, 3), average=average)
    value.backward()
    assert value == (3 if average == "label" else 1)
    assert_close(logits.grad, torch.zeros(2, 3))


@pytest.mark.parametrize("temperature", [1.0, 0.1, 5.0])
def test_smooth_ap(temperature):
    def formula(z, y):
        precisions = []
        for i in range(len(z)):
            if not y[i]:
                continue
            step = [1 / (1 + math.exp((z[i] - z[j]) / temperature)) for j in range(len(z))]
            rank = 1 + sum(step[j] for j in range(len(z)) if j != i)
            among = 1 + sum(step[j] for j in range(len(z)) if j != i and y[j])
            precisions.append(among / rank)
        return 1 - stats.mean(precisions) if precisions else 0.0

    assert_close(smooth_ap(LOGITS, TARGETS, temperature=temperature), tensor(formula(z, y) for z, y in COLUMNS))
    never = TARGETS.clone()
    never[:, 3] = 0
    expected = tensor(formula(z, y) for z, y in zip(LOGITS.T.tolist(), never.T.tolist(), strict=True))
    assert_close(smooth_ap(LOGITS, never, temperature=temperature), expected)
    assert expected[3] == 0


def test_a_cold_smooth_ap_is_the_average_precision_of_scikit_learn():
    sklearn_metrics = pytest.importorskip("sklearn.metrics")
    expected = [1 - sklearn_metrics.average_precision_score(y, z) for z, y in COLUMNS]
    assert_close(smooth_ap(LOGITS, TARGETS, temperature=1e-4), tensor(expected))


def test_smooth_ap_in_parts_is_the_same(monkeypatch):
    given, parted = (LOGITS.clone().requires_grad_() for _ in range(2))
    value = smooth_ap(given, TARGETS)
    value.sum().backward()
    # three samples at once, then one
    for comparisons in (3 * 8 * 5, 1):
        monkeypatch.setattr(importlib.import_module("mllc.losses.smooth_ap"), "AT_ONCE", comparisons)
        parted.grad = None
        again = smooth_ap(parted, TARGETS)
        again.sum().backward()
        assert_close(again, value)
        assert_close(parted.grad, given.grad)


def test_smooth_ap_leaves_the_level_of_a_label_free():
    assert_close(smooth_ap(LOGITS + 10 * torch.arange(5), TARGETS), smooth_ap(LOGITS, TARGETS))


# use -----------------------------------------------------------------------------------------------------------------

EVERY = [
    categorical_ce,
    partial(dirichlet_multinomial, count=torch.tensor(0.5)),
    two_way,
    decoupled_softmax,
    lsep,
    bp_mll,
    warp,
    multilabel_margin,
    soft_f1,
    partial(soft_f1, average="sample"),
    sigmoid_f1,
    tversky,
    smooth_ap,
]


@pytest.mark.parametrize("loss", EVERY)
def test_losses_trace_into_one_graph(loss):
    logits, other = (LOGITS.float().requires_grad_() for _ in range(2))
    torch.compiler.reset()  # the losses share a wrapper, and one function may be compiled a few times only
    value = torch.compile(loss, fullgraph=True, backend="aot_eager")(logits, TARGETS)
    expected = loss(other, TARGETS)
    assert_close(value, expected)
    value.sum().backward()
    expected.sum().backward()
    assert_close(logits.grad, other.grad)


@pytest.mark.parametrize("loss", EVERY)
def test_losses_map_over_batches_and_differentiate_functionally(loss):
    logits, targets = LOGITS.view(2, 4, 5), TARGETS.view(2, 4, 5)
    values = torch.func.vmap(loss)(logits, targets)
    assert_close(values, torch.stack([loss(*pair) for pair in zip(logits, targets, strict=True)]))
    found = torch.func.vmap(torch.func.grad(lambda z, y: loss(z, y).sum()))(logits, targets)
    one = LOGITS[:4].clone().requires_grad_()
    loss(one, TARGETS[:4]).sum().backward()
    assert_close(found[0], one.grad)


@pytest.mark.parametrize(
    ("loss", "settings", "words"),
    [
        (two_way, {"temperature_pos": 0}, "temperature_pos"),
        (two_way, {"temperature_neg": -1}, "temperature_neg"),
        (tversky, {"alpha": -0.1}, "alpha"),
        (tversky, {"beta": 0}, "beta"),
        (tversky, {"average": "macro"}, "label or sample, got 'macro'"),
        (soft_f1, {"average": "batch"}, "average"),
        (sigmoid_f1, {"slope": 0}, "slope"),
        (sigmoid_f1, {"offset": float("inf")}, "offset"),
        (sigmoid_f1, {"average": None}, "average"),
        (smooth_ap, {"temperature": 0}, "temperature"),
    ],
)
def test_settings_outside_their_domain_are_refused(loss, settings, words):
    with pytest.raises(ValueError, match=words):
        loss(LOGITS, TARGETS, **settings)
