"""Advice: the rule of thumb for the weight of the positives."""

import math

import pytest

from mllc.advice import OWN_POWER, TUNED_POWER, positive_weight
from mllc.errors import DataError


@pytest.mark.parametrize(("num_labels", "mean_true"), [(1000, 2.0), (50, 20), (374, 3.52)])
def test_the_weight_is_a_power_of_negatives_over_positives(num_labels, mean_true):
    odds = math.log((num_labels - mean_true) / mean_true)
    weight = positive_weight(num_labels, mean_true)
    assert [math.log(one) / odds for one in weight] == pytest.approx([OWN_POWER, TUNED_POWER])
    assert (weight.own, weight.tuned) == tuple(weight)
    assert all(1 <= one <= math.exp(odds) for one in weight), "at most balanced"


def test_more_labels_and_fewer_true_ones_weigh_more():
    weights = [positive_weight(*numbers).own for numbers in ((20, 2), (200, 2), (200, 1), (4000, 1))]
    assert weights == sorted(set(weights))


@pytest.mark.parametrize("mean_true", [2.0, 2.9, 4.0])
def test_where_most_labels_are_true_nothing_is_weighted(mean_true):
    assert positive_weight(4, mean_true) == (1, 1)


@pytest.mark.parametrize("mean_true", [0, -1.0, 4.5, math.nan])
def test_numbers_that_no_data_has(mean_true):
    with pytest.raises(DataError, match=f"4 labels with a mean of {mean_true} true ones"):
        positive_weight(4, mean_true)
