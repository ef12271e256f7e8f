"""Decision rules: from a model's outputs to the labels it predicts, (batch, labels) of bool.

A rule belongs to an objective and knows the training split only: it asks by name for the objective's settings
(`threshold`, `k`, `penalty`) and for training statistics (`mean_cardinality`). Ties go to the label that comes first.
"""

import math

import torch
from torch import Tensor

from mllc.losses.checks import check_number
from mllc.losses.counts import log_count
from mllc.types import Outputs


def above(outputs: Outputs, *, threshold: float = 0.5) -> Tensor:
    """sigmoid(z) > threshold, compared on the logit scale; threshold in (0, 1)."""
    check_number("threshold", threshold, low=0, high=1, open_ends=True)
    return outputs["logits"] > math.log(threshold / (1 - threshold))


def softmax_above(outputs: Outputs, *, mean_cardinality: float) -> Tensor:
    """softmax(z) > 1 / (2 k), k the mean number of labels in training: half of what a true label should get."""
    lowest = -math.log(2 * mean_cardinality) if mean_cardinality > 0 else math.inf
    return outputs["logits"].log_softmax(-1) > lowest


def product_above(outputs: Outputs, *, penalty: str = "poisson") -> Tensor:
    """Z softmax(z) > 1/2: labels whose expected count, by the count unit's Z, is nearer to 1 than to 0."""
    count = log_count(outputs["count"], penalty=penalty)
    return count.unsqueeze(-1) + outputs["logits"].log_softmax(-1) > -math.log(2)


def top_count(outputs: Outputs, *, penalty: str = "poisson") -> Tensor:
    """The round(Z) labels with the largest logits, Z the count unit's expected number (none where it rounds to 0)."""
    return _top(outputs["logits"], log_count(outputs["count"], penalty=penalty).exp().round().unsqueeze(-1))


def top_k(outputs: Outputs, *, mean_cardinality: float, k: int | None = None) -> Tensor:
    """The k labels with the largest logits; k None: the training split's mean number of labels, rounded, at least 1."""
    if k is not None and (not isinstance(k, int) or isinstance(k, bool) or k < 1):
        raise ValueError(f"k must be a whole number of at least 1, or null, got {k!r}")
    return _top(outputs["logits"], max(1, round(mean_cardinality)) if k is None else k)


def _top(logits: Tensor, number: Tensor | int) -> Tensor:
    order = logits.sort(dim=-1, descending=True, stable=True).indices
    chosen = (torch.arange(logits.shape[-1], device=logits.device) < number).expand_as(logits)
    return torch.zeros_like(logits, dtype=torch.bool).scatter(-1, order, chosen)


RULES = {rule.__name__: rule for rule in (above, softmax_above, product_above, top_count, top_k)}
