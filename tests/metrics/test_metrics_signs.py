"""Signs of scores that were saved wrongly."""

import pytest
import torch

from mllc.metrics.signs import better_columns, inverted, look


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([[0.0, 1.0, 1.0], [1.0, 0.0, 0.0]], "decisions"),
        ([[-1.0, 1.0], [1.0, -1.0]], "decisions"),
        ([[2.0, 2.0], [2.0, 2.0]], None),
        ([[0.1, 0.9, 0.3], [0.2, 0.7, 0.8]], "probabilities"),
        ([[0.1, 0.6, 0.3], [0.2, 0.7, 0.1]], "softmax"),
        ([[0.4, 0.6], [0.2, 0.8]], "probabilities"),  # two labels that exclude each other sum to 1 after a sigmoid too
        ([[0.1, 0.9, 1.1], [0.2, 0.7, 0.8]], None),
        ([[-0.1, 0.9, 0.3], [0.2, 0.7, 0.8]], None),
    ],
)
def test_look(scores, expected):
    assert look(torch.tensor(scores)) == expected


def targets(samples=500, labels=12, seed=0):
    draw = torch.Generator().manual_seed(seed)
    return (torch.rand(samples, labels, generator=draw) < 0.1).float(), draw


def test_inverted():
    true, draw = targets()
    scores = torch.randn(true.shape, generator=draw) + 3 * true
    assert inverted(-scores, true)
    assert not inverted(scores, true)
    assert not inverted(torch.randn(true.shape, generator=draw), true)
    mask = torch.ones_like(true, dtype=torch.bool)
    assert inverted(-scores, true, mask)


def test_columns_in_another_order_are_found():
    true, draw = targets()
    order = torch.randperm(12, generator=draw)
    scores = (torch.randn(true.shape, generator=draw) + 2 * true)[:, order]
    place = order.argsort()
    expected = place.where(place != torch.arange(12), -1)
    assert better_columns(scores, true).tolist() == expected.tolist()


def test_columns_in_order_and_noise_are_left_alone():
    true, draw = targets()
    assert set(better_columns(torch.randn(true.shape, generator=draw) + true, true).tolist()) == {-1}
    assert set(better_columns(torch.randn(true.shape, generator=draw), true).tolist()) == {-1}


def test_labels_with_few_positives_and_constant_columns_are_left_alone():
    true, draw = targets()
    scores = (torch.randn(true.shape, generator=draw) + 3 * true).roll(1, 1)
    true[:, 0] = 0
    true[:4, 0] = 1
    scores[:, 5] = 1.0
    found = better_columns(scores, true)
    assert (found[0], found[4]) == (-1, -1)
    assert found[1:4].tolist() == [2, 3, 4]


def test_unknown_targets_do_not_break_it():
    true, draw = targets()
    mask = torch.rand(true.shape, generator=draw) < 0.8
    scores = (torch.randn(true.shape, generator=draw) + 3 * true).roll(1, 1)
    assert better_columns(scores, true, mask).tolist() == [*range(1, 12), 0]


def test_more_labels_than_pairs_can_be_compared(monkeypatch):
    monkeypatch.setattr("mllc.metrics.signs.MOST_LABELS", 5)
    true, _ = targets()
    assert set(better_columns(true.roll(1, 1), true).tolist()) == {-1}
