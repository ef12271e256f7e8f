"""Settings as numbers, or as tensors of the numbers of several models that are trained as one, which broadcast.

Such tensors hold numbers that were checked one by one, all of them 0 or none. They take the general formula, where a
number of Python may take a faster one.
"""

import math
from typing import TypeVar

import torch
from torch import Tensor

Number = float | Tensor
N = TypeVar("N", float, Tensor)


def is_zero(number: Number) -> bool:
    """Whether the part of a formula that the number rules is switched off."""
    return not isinstance(number, Tensor) and number == 0


def log(number: Number) -> Number:
    """The natural logarithm."""
    return number.log() if isinstance(number, Tensor) else math.log(number)


def power(x: Tensor, exponent: Number) -> Tensor:
    """x^exponent for x >= 0; below an exponent of 1, where the slope is infinite at 0, x is kept off 0.

    Fast for the exponents that losses have by default: the general power takes as long as ten products.

    >>> power(torch.tensor([0.0, 2.0]), 4)
    tensor([ 0., 16.])
    """
    if isinstance(exponent, Tensor):
        return x.clamp(min=torch.finfo(x.dtype).tiny) ** exponent
    if exponent == 1:
        return x
    if exponent == 4:
        return x.square().square()
    return (x.clamp(min=torch.finfo(x.dtype).tiny) if exponent < 1 and exponent != 0 else x) ** exponent
