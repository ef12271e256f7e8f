"""Baselines look at no input; their figures are known in closed form."""

import math

import pytest
import torch

from mllc.metrics import baselines
from mllc.types import LabelStatistics, Predictions, Split

TARGETS = torch.tensor([[1, 0, 1], [0, 0, 1], [0, 0, 1], [0, 0, 0]], dtype=torch.uint8)
MASK = torch.tensor([[True] * 3] * 3 + [[True, False, True]])
SPLIT = Split(torch.zeros(4, 2), TARGETS, ("a", "b", "c", "d"), MASK)


def statistics(*counts, samples=10):
    return LabelStatistics(torch.tensor(counts).float(), samples, sum(counts) / samples)


def test_all_zeros_and_all_ones():
    for make, expected in ((baselines.all_zeros, False), (baselines.all_ones, True)):
        found = make(SPLIT)
        assert found.decisions.dtype == torch.bool
        assert (found.decisions == expected).all()
        assert ((found.scores > 0) == found.decisions).all()
        assert found.scores.unique().numel() == 1
        assert found.targets is TARGETS
        assert found.mask is MASK


def test_label_prior_orders_by_prior_and_decides_at_one_half():
    found = baselines.label_prior(SPLIT, statistics(2, 5, 9))
    assert found.scores.shape == (4, 3)
    assert found.scores.dtype == torch.float32
    assert found.scores[0].tolist() == pytest.approx([math.log(2.5 / 8.5), 0.0, math.log(9.5 / 1.5)])
    assert found.decisions[2].tolist() == [False, False, True]


@pytest.mark.parametrize("samples", [1, 10, 10_000_000])
def test_label_prior_is_finite_for_labels_never_or_always_true(samples):
    found = baselines.label_prior(SPLIT, statistics(0, samples, 0, samples=samples))
    assert found.scores.isfinite().all()
    assert found.decisions[0].tolist() == [False, True, False]


def test_predictions_are_truth_as_well():
    found = baselines.all_zeros(Predictions(torch.zeros(4, 3), TARGETS.bool(), TARGETS))
    assert found.mask is None
