"""Predictions that look at no input: what every figure must be compared with."""

from typing import Protocol

import torch
from torch import Tensor

from mllc.types import LabelStatistics, Predictions


class Truth(Protocol):
    """What is true of a split: a Split and its Predictions both are."""

    @property
    def targets(self) -> Tensor: ...

    @property
    def mask(self) -> Tensor | None: ...


def all_zeros(truth: Truth) -> Predictions:
    """No label for any sample; every score is -1."""
    return _constant(torch.full((truth.targets.shape[1],), -1.0), truth)


def all_ones(truth: Truth) -> Predictions:
    """Every label for every sample; every score is 1."""
    return _constant(torch.ones(truth.targets.shape[1]), truth)


def label_prior(truth: Truth, statistics: LabelStatistics) -> Predictions:
    """The best constant: each label scores the log-odds of its prior in training, and is predicted above one half.

    log((n + 1/2) / (S - n + 1/2)) for n positives among S training samples: finite for n = 0 and n = S, and on the same
    side of 0 as the odds without the halves. Source: Haldane (1956), Anscombe (1956).
    """
    positives = statistics.label_counts.double()
    odds = (positives + 0.5) / (statistics.num_samples - positives + 0.5)
    return _constant(odds.log().float(), truth)


def _constant(label_scores: Tensor, truth: Truth) -> Predictions:
    """The same scores for every sample, decided at 0."""
    scores = label_scores.to(truth.targets.device).expand(truth.targets.shape)
    return Predictions(scores, scores > 0, truth.targets, truth.mask)
