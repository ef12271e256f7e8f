"""Scores and targets of anyone's model: what is taken, and what is refused in which words."""

import re

import numpy as np
import pytest
import torch

from mllc.data.scored import Scored
from mllc.errors import DataError

SCORES = [[2.0, -1.0, 0.5], [0.5, 3.0, -2.0]]
TARGETS = [[1, 0, 0], [0, 1, 1]]


def of(scores=SCORES, targets=TARGETS, unit="logits", **more):
    return Scored.of(scores, targets, unit=unit, **more)


def test_what_is_taken_keeps_its_values():
    found = of(np.array(SCORES, dtype=np.float64))
    assert found.scores.dtype == np.float64
    assert found.scores.tolist() == SCORES
    assert (found.targets.dtype, found.targets.tolist(), found.mask) == (np.uint8, TARGETS, None)
    assert found.label_names == ("label0", "label1", "label2")


@pytest.mark.parametrize(
    "make", [np.float16, np.float32, np.int32, lambda values: torch.tensor(values), lambda values: values]
)
def test_any_numbers_are_taken(make):
    assert (
        of(make(SCORES) if callable(make) and not isinstance(make, type) else np.array(SCORES, make)).scores.ndim == 2
    )


@pytest.mark.parametrize("kind", [bool, np.uint8, np.int64, np.float32])
def test_targets_of_any_kind(kind):
    assert of(targets=np.array(TARGETS, kind)).targets.tolist() == TARGETS


def test_unknown_targets_become_a_mask():
    found = of(targets=[[1.0, np.nan, 0.0], [-1.0, 1.0, 1.0]])
    assert found.mask.tolist() == [[True, False, True], [False, True, True]]
    assert found.targets.tolist() == [[1, 0, 0], [0, 1, 1]]


def test_a_mask_is_added_to_what_the_targets_say():
    found = of(targets=[[1, -1, 0], [0, 1, 1]], mask=[[1, 1, 1], [1, 1, 0]])
    assert found.mask.tolist() == [[True, False, True], [True, True, False]]
    assert found.targets.sum() == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"unit": None}, "the scores run from -2 to 3, outside of 0 to 1, so they are no probabilities: type --logits"),
        (
            {"unit": None, "scores": [[0.1, 0.2, 0.9], [0.1, 0.2, 0.3]]},
            "the scores run from 0.1 to 0.9, as probabilities do: type --probabilities if they come out of a sigmoid",
        ),
        (
            {"unit": "probabilities"},
            "the scores run from -2 to 3, and probabilities lie between 0 and 1; type --logits",
        ),
        ({"unit": "odds"}, "the unit 'odds' is unknown: logits or probabilities"),
        ({"scores": np.array(SCORES).T}, "scores have the shape (3, 2) and targets (2, 3): one of them is transposed"),
        ({"scores": np.zeros((2, 4))}, "the number of labels differs; save both of the same samples"),
        ({"scores": np.zeros((5, 3))}, "the number of samples differs"),
        ({"scores": np.zeros((5, 4))}, "the number of samples and of labels differs"),
        ({"scores": [0.5, 0.2]}, "scores are a single column of 2 values: give a row a sample, a column a label"),
        ({"scores": [[0.5], [0.2]]}, "scores are a single column of 2 values"),
        ({"targets": [4, 2]}, "class numbers become rows with numpy.eye(num_labels)[classes]"),
        (
            {"scores": np.zeros((1, 2, 3))},
            "scores have the shape (1, 2, 3) and targets (2, 3): give both as (samples, ",
        ),
        ({"scores": [[1.0, 2.0, 3.0]], "targets": [[1, 0, 1]]}, "give two samples at least"),
        ({"scores": np.zeros((0, 3)), "targets": np.zeros((0, 3))}, "give two samples at least"),
        (
            {"scores": [[1.0, 2.0], [3.0]]},
            "scores are no array of (samples, labels): setting an array element with a sequence",
        ),
        ({"scores": np.array([["a", "b", "c"]] * 2)}, "scores hold <U1, not numbers"),
        ({"scores": np.array(SCORES) + 1j}, "scores hold complex128, not numbers"),
        (
            {"scores": [[1.0, np.nan, 2.0], [np.inf, 0.0, 1.0]]},
            "2 of 6 scores are NaN or infinite, the first in row 0, col",
        ),
        (
            {"targets": [[1, 0, 0], [0, 2, 7]]},
            "targets hold 2 in row 1, column 1 (counted from 0), and 1 more value of",
        ),
        ({"targets": [[0.9, 0, 0], [0, 0.5, 1]]}, "save targets > 0.5 if these are shares"),
        (
            {"targets": [[1, -1, -1], [-1, 1, 1]]},
            "targets hold 1 and -1 and no 0, and -1 means unknown here; if it means",
        ),
        ({"targets": np.zeros((2, 3))}, "targets hold no 1: there is nothing to find"),
        ({"targets": np.ones((2, 3))}, "targets hold no 0: every answer is right"),
        ({"targets": np.full((2, 3), np.nan)}, "all are unknown"),
        ({"mask": [["yes", "no", "yes"], ["no", "no", "yes"]]}, "the entries of the mask hold <U3, not numbers"),
        ({"mask": np.ones((3, 3))}, "the mask has the shape (3, 3) and targets (2, 3)"),
        ({"label_names": ["a", "b"]}, "2 label names for 3 labels"),
    ],
)
def test_what_is_refused_and_how(change, message):
    with pytest.raises(DataError, match=re.escape(message)) as caught:
        of(**change)
    assert len(str(caught.value)) < 300


def test_a_tensor_with_a_gradient_is_refused_with_what_to_type():
    with pytest.raises(DataError, match=r"scores are no array of \(samples, labels\): .*detach\(\)"):
        of(torch.tensor(SCORES, requires_grad=True))


def test_one_million_mistakes_are_told_in_one_line():
    with pytest.raises(DataError) as caught:
        of(targets=np.full((2, 3), 0.25))
    assert "5 more values" in str(caught.value)
