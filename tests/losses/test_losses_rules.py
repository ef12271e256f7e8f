import math

import pytest
import torch
from torch.testing import assert_close

from mllc.losses import rules, scores
from mllc.losses.counts import initial_count, log_count

LOGITS = torch.tensor([[2.0, 1.0, 1.0, -3.0], [0.0, 0.0, 0.0, 0.0]])


def chosen(decisions):
    return [[label for label, on in enumerate(row) if on] for row in decisions.tolist()]


def test_above_compares_on_the_logit_scale():
    logits = torch.tensor([[0.0, 1e-30, -1e-30, 1.3862, 1.3864, 17.0, 20.0]])
    assert chosen(rules.above({"logits": logits})) == [[1, 3, 4, 5, 6]]
    assert chosen(rules.above({"logits": logits}, threshold=0.8)) == [[4, 5, 6]]
    # a float32 sigmoid is 1.0 for both
    close = 1 - 1e-8
    assert chosen(rules.above({"logits": logits}, threshold=close)) == [[6]]


@pytest.mark.parametrize("threshold", [0, 1, 1.5, -0.1, math.nan, "half"])
def test_above_refuses_a_threshold_outside_the_open_interval(threshold):
    with pytest.raises(ValueError, match="threshold"):
        rules.above({"logits": LOGITS}, threshold=threshold)


def test_softmax_above():
    # row 1: q = .57, .21, .21, .004; row 2: a quarter each
    assert chosen(rules.softmax_above({"logits": LOGITS}, mean_cardinality=1.0)) == [[0], []]
    assert chosen(rules.softmax_above({"logits": LOGITS}, mean_cardinality=2.2)) == [[0], [0, 1, 2, 3]]
    assert chosen(rules.softmax_above({"logits": LOGITS}, mean_cardinality=4.0)) == [[0, 1, 2], [0, 1, 2, 3]]
    assert chosen(rules.softmax_above({"logits": LOGITS}, mean_cardinality=0.0)) == [[], []]


def test_top_k_breaks_ties_by_label_order():
    assert chosen(rules.top_k({"logits": LOGITS}, k=2, mean_cardinality=3.0)) == [[0, 1], [0, 1]]
    assert chosen(rules.top_k({"logits": LOGITS}, mean_cardinality=2.7)) == [[0, 1, 2], [0, 1, 2]]
    assert chosen(rules.top_k({"logits": LOGITS}, mean_cardinality=0.2)) == [[0], [0]]
    assert chosen(rules.top_k({"logits": LOGITS}, k=9, mean_cardinality=1.0)) == [[0, 1, 2, 3]] * 2


def test_ties_among_many_labels_go_to_the_first():
    assert chosen(rules.top_k({"logits": torch.zeros(1, 3000)}, k=5, mean_cardinality=1.0)) == [[0, 1, 2, 3, 4]]


@pytest.mark.parametrize("k", [0, -1, 1.5, True, "two"])
def test_top_k_refuses_what_is_no_number_of_labels(k):
    with pytest.raises(ValueError, match="k must be"):
        rules.top_k({"logits": LOGITS}, k=k, mean_cardinality=1.0)


def test_top_count_rounds_the_expected_number():
    logits = LOGITS[:1].expand(6, 4)
    count = torch.tensor([-5.0, 0.4, 0.6, 1.6, 3.4, 1e4])
    expected = [[], [], [0], [0, 1], [0, 1, 2], [0, 1, 2, 3]]
    assert chosen(rules.top_count({"logits": logits, "count": count}, penalty="mse")) == expected
    # Z = 1/u + u, so that u = Z - 1/Z
    number = torch.tensor([0.01, 0.4, 0.6, 1.6, 3.4, 1e4])
    outputs = {"logits": logits, "count": number - 1 / number}
    assert chosen(rules.top_count(outputs)) == expected


def test_product_above():
    outputs = {"logits": LOGITS, "count": torch.tensor([3.0, 1.9])}
    assert chosen(rules.product_above(outputs, penalty="mse")) == [[0, 1, 2], []]
    outputs = {"logits": LOGITS, "count": torch.tensor([1.0, 2.1])}
    assert chosen(rules.product_above(outputs, penalty="mse")) == [[0], [0, 1, 2, 3]]


def test_count_is_read_as_documented():
    unit = torch.tensor([-1e4, -1.0, 0.005, 0.0, 3.0, 1e4], dtype=torch.float64)
    assert_close(log_count(unit, penalty="mse").exp(), unit.clamp(min=0.01))
    assert_close(log_count(unit, penalty="poisson").exp(), (unit + (unit**2 + 4).sqrt()) / 2, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("penalty", ["mse", "poisson", "product"])
@pytest.mark.parametrize("mean", [0.3, 2.0, 40.0])
def test_count_starts_at_the_mean_number_of_labels(penalty, mean):
    bias = initial_count(mean_cardinality=mean, penalty=penalty)
    assert math.exp(log_count(torch.tensor(bias, dtype=torch.float64), penalty=penalty)) == pytest.approx(mean)
    assert math.isfinite(initial_count(mean_cardinality=0.0, penalty=penalty))


def test_softmax_scores_are_the_log_odds_of_the_softmax():
    logits = 4 * torch.randn(50, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    odds = [[math.log(math.exp(z) / (sum(map(math.exp, row)) - math.exp(z))) for z in row] for row in logits.tolist()]
    assert_close(scores.softmax({"logits": logits}), torch.tensor(odds, dtype=torch.float64))


def test_softmax_scores_do_not_saturate():
    # the softmax of all of these is 1.0 in float32
    logits = torch.zeros(5, 4)
    logits[:, 2] = torch.tensor([20.0, 30.0, 90.0, 1e3, 1e4])
    top = scores.softmax({"logits": logits})[:, 2]
    assert_close(top, logits[:, 2] - math.log(3))


def test_softmax_scores_keep_ties():
    score = scores.softmax({"logits": torch.tensor([[5.0, 5.0, -9.0, -9.0]])})[0]
    assert score[0] == score[1]
    assert score[2] == score[3]


def test_softmax_scores_of_a_single_label_are_finite():
    assert scores.softmax({"logits": torch.tensor([[3.0], [-2.0]])}).isfinite().all()


def test_product_scores_are_the_log_of_the_expected_count():
    count = torch.tensor([3.0, 2.0])
    expected = (count.unsqueeze(1) * LOGITS.softmax(1)).log()
    assert_close(scores.product({"logits": LOGITS, "count": count}, penalty="mse"), expected)
