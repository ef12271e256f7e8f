"""The count unit: how an extra linear output u is read as an expected number of labels."""

import math

import torch
from torch import Tensor

FLOOR = 0.01
"""No expected number of labels is read or started below this."""


def log_count(count: Tensor, *, penalty: str) -> Tensor:
    """Logarithm of the expected number of labels Z that the raw unit `count`, (batch,), says.

    mse    Z = max(u, .01): the unit is the number itself
    other  Z = (u + sqrt(u^2 + 4)) / 2, that is log Z = asinh(u / 2): positive, nearly u for large u and -1/u for
           very negative u; unlike exp it does not overflow, and unlike a clip or softplus it keeps a gradient at any u
    """
    return count.clamp(min=FLOOR).log() if penalty == "mse" else torch.asinh(count / 2)


def initial_count(*, mean_cardinality: float, penalty: str = "poisson") -> float:
    """The bias with which a count unit starts at the training set's mean number of labels."""
    mean = max(mean_cardinality, FLOOR)
    return mean if penalty == "mse" else 2 * math.sinh(math.log(mean))
