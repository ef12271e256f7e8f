"""Each loss against its formula written as a loop over Python floats, other libraries, and published numbers."""

import math

import naive
import pytest
import torch
import torch.nn.functional as F
from naive import sigmoid
from torch.testing import assert_close
from torchvision.ops import sigmoid_focal_loss

from mllc.losses import abs_kl, apl, asymmetric, bce, focal, hill, softmax_ce, softmax_count, weighted_bce, zlpr
from mllc.losses.rules import above

torch.manual_seed(0)
LOGITS = 3 * torch.randn(7, 5, dtype=torch.float64)
COUNT = 2 * torch.randn(7, dtype=torch.float64)
TARGETS = (torch.rand(7, 5) < 0.4).double()
TARGETS[0], TARGETS[1] = 0, 1
SOFT = torch.rand(7, 5, dtype=torch.float64)
COUNTS = torch.tensor([0.0, 12.0, 3.0, 1.0, 5.0], dtype=torch.float64)


def elementwise(formula, targets=TARGETS):
    return naive.elementwise(lambda z, y, i, c: formula(z, y, c), LOGITS, targets)


def by_row(formula):
    rows = zip(LOGITS.tolist(), TARGETS.tolist(), COUNT.tolist(), strict=True)
    return torch.tensor([formula(z, y, u) for z, y, u in rows], dtype=torch.float64)


def softmax(z):
    return [math.exp(a) / sum(map(math.exp, z)) for a in z]


def log_loss(z, y, weight=1.0):
    return -math.log(sigmoid(z)) * weight if y else -math.log(1 - sigmoid(z))


def jeffreys(y, p, eps):
    # clipped as described, but for p where y is above eps: there the clip is left out
    y, p = max(y, eps), p if y > eps else max(p, eps)
    return abs((y - p) * math.log(y / p))


def test_bce():
    assert_close(bce(LOGITS, TARGETS), elementwise(lambda z, y, c: log_loss(z, y)))


def test_published_sigmoid_cross_entropies():
    logits = torch.tensor(
        [
            [1.4397182, -0.7993438, 4.113389, 3.2199187, 4.5777845],
            [0.30619335, 0.10168511, 4.253479, 2.3782277, 4.7390924],
            [1.124632, 1.6056736, 2.9778094, 2.0808482, 2.0735667],
            [0.7051575, -0.10341895, 4.990803, 3.7019827, 3.8265839],
            [0.6333333, -0.76601076, 3.2255085, 2.7842572, 5.3817415],
        ]
    )
    targets = torch.tensor([[1, 1, 0, 0, 0], [0, 1, 0, 0, 1], [1, 1, 1, 1, 0], [0, 0, 1, 0, 1], [1, 1, 1, 1, 1]])
    expected = torch.tensor(
        [
            [0.21268466, 1.170648, 4.129609, 3.2590992, 4.58801],
            [0.85791767, 0.64359653, 4.2675934, 2.466893, 0.00870855],
            [0.28124034, 0.18294993, 0.04965096, 0.11762683, 2.1920042],
            [1.1066352, 0.64277405, 0.00677719, 3.7263577, 0.02155003],
            [0.42580318, 1.147773, 0.03896642, 0.059942, 0.00458926],
        ]
    )
    decisions = [[1, 0, 1, 1, 1], [1, 1, 1, 1, 1], [1, 1, 1, 1, 1], [1, 0, 1, 1, 1], [1, 0, 1, 1, 1]]
    assert_close(bce(logits, targets), expected, rtol=2e-6, atol=2e-7)  # printed with seven digits
    assert above({"logits": logits}).int().tolist() == decisions


@pytest.mark.parametrize("targets", [TARGETS, SOFT])
@pytest.mark.parametrize("weight", [0.5, 1.5])
def test_weighted_bce_as_tensorflow_computes_it(weight, targets):
    def formula(z, y, c):
        return (1 - y) * z + (1 + (weight - 1) * y) * (math.log1p(math.exp(-abs(z))) + max(-z, 0))

    assert_close(weighted_bce(LOGITS, targets, weight=weight), elementwise(formula, targets))


@pytest.mark.parametrize(
    ("weight", "published"), [(1.5, [0.302120, 0.880496, 4.54e-5]), (0.5, [0.100706, 0.508298, 4.54e-5])]
)
def test_published_weighted_cross_entropies(weight, published):
    values = weighted_bce(torch.tensor([[1.5, -0.1, -10.0]]), torch.tensor([[1, 0.5, 0]]), weight=weight)
    assert_close(values, torch.tensor([published]), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("loss", "settings"),
    [(bce, {}), (weighted_bce, {"weight": 7.0}), (asymmetric, {}), (apl, {"gamma_pos": 1.0}), (hill, {})],
)
def test_a_soft_target_is_a_mean_of_both_sides(loss, settings):
    positive, negative = (loss(LOGITS, torch.full_like(LOGITS, y), **settings) for y in (1, 0))
    assert_close(loss(LOGITS, SOFT, **settings), SOFT * positive + (1 - SOFT) * negative)


def test_weighted_bce_by_a_number_or_a_tensor():
    assert_close(weighted_bce(LOGITS, TARGETS, weight=7), elementwise(lambda z, y, c: log_loss(z, y, 7)))
    weights = torch.tensor([1.0, 2.0, 3.0, 0.5, 9.0], dtype=torch.float64)
    torch_own = F.binary_cross_entropy_with_logits(LOGITS, TARGETS, pos_weight=weights, reduction="none")
    assert_close(weighted_bce(LOGITS, TARGETS, weight=weights), torch_own)
    assert_close(weighted_bce(LOGITS, TARGETS, weight=1), bce(LOGITS, TARGETS))


def test_weighted_bce_by_label_counts():
    # 12 samples: a label never true counts as once true, one always true as once false
    balanced = [12.0, 1 / 12, 3.0, 11.0, 7 / 5]
    given = {"label_counts": COUNTS, "num_samples": 12}
    expected = elementwise(lambda z, y, c: log_loss(z, y, balanced[c]))
    assert_close(weighted_bce(LOGITS, TARGETS, weight="balanced", **given), expected)
    expected = elementwise(lambda z, y, c: log_loss(z, y, math.sqrt(balanced[c])))
    assert_close(weighted_bce(LOGITS, TARGETS, weight="sqrt", **given), expected)
    expected = elementwise(lambda z, y, c: log_loss(z, y, min(balanced[c], 5)))
    assert_close(weighted_bce(LOGITS, TARGETS, weight="balanced", cap=5, **given), expected)


@pytest.mark.parametrize("power", [0, 0.25, 0.5, 1])
def test_weighted_bce_by_a_power_of_the_weight(power):
    given, balanced = {"label_counts": COUNTS, "num_samples": 12}, [12.0, 1 / 12, 3.0, 11.0, 7 / 5]
    expected = elementwise(lambda z, y, c: log_loss(z, y, min(balanced[c] ** power, 2.5)))
    assert_close(weighted_bce(LOGITS, TARGETS, weight="balanced", power=power, cap=2.5, **given), expected)
    by_number = weighted_bce(LOGITS, TARGETS, weight=9, power=power)
    assert_close(by_number, elementwise(lambda z, y, c: log_loss(z, y, 9**power)))
    by_tensor = weighted_bce(LOGITS, TARGETS, weight=torch.full((5,), 9.0, dtype=torch.float64), power=power)
    assert_close(by_number, by_tensor)


def test_weighting_the_whole_element_where_true_is_the_same():
    assert_close(weighted_bce(LOGITS, TARGETS, weight=10), bce(LOGITS, TARGETS) * (1 + 9 * TARGETS))


@pytest.mark.parametrize("alpha", [None, 0.25, 0.0])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_focal(gamma, alpha):
    def formula(z, y, c):
        p_t = sigmoid(z) if y else 1 - sigmoid(z)
        alpha_t = 1 if alpha is None else alpha if y else 1 - alpha
        return -alpha_t * (1 - p_t) ** gamma * math.log(p_t)

    ours = focal(LOGITS, TARGETS, gamma=gamma, alpha=alpha)
    assert_close(ours, elementwise(formula))
    assert_close(ours, sigmoid_focal_loss(LOGITS, TARGETS, alpha=-1 if alpha is None else alpha, gamma=gamma))


def test_focal_with_gamma_zero_is_bce():
    assert_close(focal(LOGITS, TARGETS, gamma=0), bce(LOGITS, TARGETS))


@pytest.mark.parametrize("margin", [0.0, 0.05, 0.3])
@pytest.mark.parametrize(("gamma_neg", "gamma_pos"), [(4.0, 1.0), (0.5, 0.0), (2.0, 3.0)])
def test_asymmetric(gamma_neg, gamma_pos, margin):
    def formula(z, y, c):
        p = sigmoid(z)
        pm = max(p - margin, 0)
        return -((1 - p) ** gamma_pos) * math.log(p) if y else -(pm**gamma_neg) * math.log(1 - pm)

    settings = {"gamma_neg": gamma_neg, "gamma_pos": gamma_pos, "margin": margin}
    assert_close(asymmetric(LOGITS, TARGETS, **settings), elementwise(formula))


def test_asymmetric_without_focus_and_margin_is_bce():
    assert_close(asymmetric(LOGITS, TARGETS, gamma_neg=0, gamma_pos=0, margin=0), bce(LOGITS, TARGETS))


def test_asymmetric_keeps_the_slope_of_a_confidently_wrong_positive():
    logits = torch.tensor([[-80.0, -1e4]], requires_grad=True)
    asymmetric(logits, torch.ones(1, 2)).sum().backward()
    assert_close(logits.grad, torch.tensor([[-1.0, -1.0]]))


def test_asymmetric_with_a_small_exponent_has_a_finite_gradient_at_the_margin():
    logits = torch.tensor([[-9.0, 0.0, 0.1]], requires_grad=True)
    asymmetric(logits, torch.zeros(1, 3), gamma_neg=0.5, margin=0.5).sum().backward()
    assert logits.grad.isfinite().all()
    assert logits.grad[0, 0] == 0


def test_asymmetric_detached_weights_are_constants():
    logits = LOGITS.clone().requires_grad_()
    value = asymmetric(logits, TARGETS, gamma_neg=2, margin=0, detach_focal=True)
    assert_close(value, asymmetric(LOGITS, TARGETS, gamma_neg=2, margin=0))
    value.sum().backward()
    p = LOGITS.sigmoid()
    # weight times the gradient of the cross-entropy
    assert_close(logits.grad, torch.where(TARGETS > 0, (1 - p) * (p - 1), p**2 * p))


def test_zlpr():
    def formula(z, y, u):
        negatives = sum(math.exp(a) for a, b in zip(z, y, strict=True) if not b)
        positives = sum(math.exp(-a) for a, b in zip(z, y, strict=True) if b)
        return math.log(1 + negatives) + math.log(1 + positives)

    assert_close(zlpr(LOGITS, TARGETS), by_row(formula))


def test_zlpr_of_a_worked_row():
    # log(1 + e^0 + e^1) + log(1 + e^-2)
    assert zlpr(torch.tensor([[0.0, 1.0, 2.0]]), torch.tensor([[0, 0, 1]])).item() == pytest.approx(1.6783727)


def softmax_formula(z, y, u):
    q, k = softmax(z), sum(y)
    return -sum(math.log(a) for a, b in zip(q, y, strict=True) if b) / k if k else 0.0


def test_softmax_ce():
    assert_close(softmax_ce(LOGITS, TARGETS), by_row(softmax_formula))


def test_softmax_ce_of_one_label_is_cross_entropy():
    labels = torch.tensor([0, 4, 2, 1, 3, 3, 0])
    own = softmax_ce(LOGITS, F.one_hot(labels, 5))
    assert_close(own, F.cross_entropy(LOGITS, labels, reduction="none"))


def kl_formula(z, y, u):
    q, k = softmax(z), sum(y)
    return sum(math.log(1 / k / a) / k for a, b in zip(q, y, strict=True) if b)


def number(u):
    return (u + math.sqrt(u * u + 4)) / 2


def test_softmax_count_mse():
    def formula(z, y, u):
        return kl_formula(z, y, u) + (u - sum(y)) ** 2

    assert_close(softmax_count(LOGITS, TARGETS, count=COUNT, penalty="mse"), by_row(formula))


def test_softmax_count_poisson():
    def formula(z, y, u):
        k = int(sum(y))
        return kl_formula(z, y, u) - math.log(number(u) ** k * math.exp(-number(u)) / math.factorial(k))

    assert_close(softmax_count(LOGITS, TARGETS, count=COUNT, penalty="poisson"), by_row(formula))


def test_softmax_count_product():
    def formula(z, y, u):
        return sum(jeffreys(b, number(u) * a, 1e-3) for a, b in zip(softmax(z), y, strict=True))

    assert_close(softmax_count(LOGITS, TARGETS, count=COUNT, penalty="product", eps=1e-3), by_row(formula))


@pytest.mark.parametrize("penalty", ["mse", "poisson", "product"])
@pytest.mark.parametrize("start", [-1e4, -60.0, 1e4])
def test_the_count_unit_is_never_dead(penalty, start):
    count = torch.tensor([start], requires_grad=True)
    logits, targets = torch.zeros(1, 4), torch.tensor([[1, 1, 0, 0]])
    softmax_count(logits, targets, count=count, penalty=penalty).backward()
    assert count.grad.isfinite().all()
    assert count.grad < -1e-5 if start < 0 else count.grad > 1e-5


@pytest.mark.parametrize("targets", [TARGETS, SOFT])
@pytest.mark.parametrize("eps", [1e-7, 0.05])
def test_abs_kl(eps, targets):
    expected = elementwise(lambda z, y, c: jeffreys(y, sigmoid(z), eps), targets)
    assert_close(abs_kl(LOGITS, targets, eps=eps), expected)


def test_abs_kl_is_both_divergences_together():
    # generalised KL(y, p) + KL(p, y) = sum of (y log(y/p) - y + p) + (p log(p/y) - p + y), with y at least eps
    y, p = TARGETS.clamp(min=1e-7), LOGITS.sigmoid()
    assert_close(abs_kl(LOGITS, TARGETS), y * (y / p).log() + p * (p / y).log())


@pytest.mark.parametrize(
    ("loss", "settings", "words"),
    [
        (weighted_bce, {"weight": 0}, "weight"),
        (weighted_bce, {"weight": "balancd"}, "balanced or sqrt"),
        (weighted_bce, {"weight": "sqrt"}, "label_counts"),
        (weighted_bce, {"weight": 2, "cap": -1}, "cap"),
        (weighted_bce, {"weight": 2, "power": -1}, "power"),
        (focal, {"gamma": -1}, "gamma"),
        (focal, {"gamma": float("nan")}, "gamma"),
        (focal, {"gamma": "abc"}, "gamma"),
        (focal, {"alpha": 1.5}, "alpha"),
        (asymmetric, {"gamma_neg": -1}, "gamma_neg"),
        (asymmetric, {"gamma_pos": -1}, "gamma_pos"),
        (asymmetric, {"margin": 1.1}, "margin"),
        (asymmetric, {"detach_focal": "no"}, "detach_focal"),
        (softmax_count, {"count": COUNT, "penalty": "msee"}, "mse or poisson or product, got 'msee'"),
        (softmax_count, {"count": COUNT, "penalty": "product", "eps": 0}, "eps"),
        (abs_kl, {"eps": 1}, "eps"),
    ],
)
def test_settings_outside_their_domain_are_refused(loss, settings, words):
    with pytest.raises(ValueError, match=words):
        loss(LOGITS, TARGETS, **settings)


def test_targets_of_another_shape_do_not_broadcast():
    with pytest.raises(ValueError, match=r"\(7, 1\)"):
        bce(LOGITS, TARGETS[:, :1])
