"""Signs that scores are not what they are taken for: mistakes in saving that look like a bad model."""

import torch
from torch import Tensor

from mllc.metrics.collapse import useful
from mllc.metrics.ranking import average_precision, chance_average_precision

SURE = 5.0
"""Standard errors of a correlation from which it is no chance: 3e-7 of a random one are larger."""

ENOUGH = 5
"""Positives of a label under which no correlation is told."""

MOST_LABELS = 4000
"""Labels up to which all pairs of columns are compared: the matrix of pairs is square."""


def look(scores: Tensor) -> str | None:
    """What the values are: decisions (two values), softmax (rows of probabilities that sum to 1), probabilities, None.

    >>> look(torch.tensor([[0.0, 1.0]])), look(torch.tensor([[0.7, 0.2, 0.1]])), look(torch.tensor([[0.7, 0.9, 0.1]]))
    ('decisions', 'softmax', 'probabilities')
    """
    low, high = scores.min(), scores.max()
    if low < high and ((scores == low) | (scores == high)).all():
        return "decisions"
    if low < 0 or high > 1:
        return None
    sums = scores.sum(1)
    return "softmax" if scores.shape[1] > 2 and ((sums - 1).abs() < 0.01).all() else "probabilities"


def inverted(scores: Tensor, targets: Tensor, mask: Tensor | None = None) -> bool:
    """Whether the scores rank usefully once their sign is changed (see `mllc.metrics.collapse.useful`).

    >>> inverted(torch.tensor([[0.1], [0.7], [0.8], [0.9]]), torch.tensor([[1], [0], [0], [0]]))
    True
    """
    chance = chance_average_precision(targets, mask).nanmean()
    return useful(float(average_precision(-scores, targets, mask).nanmean()), float(chance))


def better_columns(scores: Tensor, targets: Tensor, mask: Tensor | None = None) -> Tensor:
    """For each label the column of `scores` that goes with its targets best, if that is not its own: int64 (labels,).

    -1 where it is the label's own, where no correlation is SURE, or where the label has not ENOUGH positives or
    negatives. Unknown targets count as false; -1 for all labels if there are more than MOST_LABELS.

    >>> targets = torch.eye(2).repeat(40, 1)
    >>> better_columns(targets.flip(1), targets).tolist(), better_columns(targets, targets).tolist()
    ([1, 0], [-1, -1])
    """
    num_samples, num_labels = targets.shape
    nowhere = torch.full((num_labels,), -1)
    if num_labels > MOST_LABELS:
        return nowhere
    true = targets.bool() if mask is None else targets.bool() & mask
    positives = true.sum(0)
    correlation = _standard(true).T @ _standard(scores) / num_samples
    found = correlation.max(dim=1)
    known = (positives >= ENOUGH) & (num_samples - positives >= ENOUGH) & (found.values > SURE / num_samples**0.5)
    other = found.indices != torch.arange(num_labels)
    return found.indices.where(known & other & (found.values > correlation.diagonal()), nowhere)


def _standard(values: Tensor) -> Tensor:
    """Columns of mean 0 and standard deviation 1 (0 where a column is constant), float32."""
    centred = values.float() - values.float().mean(0)
    return centred / centred.square().mean(0).sqrt().clamp(min=1e-12)
