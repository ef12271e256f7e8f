"""Powers of numbers from 0 on, whose slope is finite at 0 too."""

import torch
from torch import Tensor


def power(x: Tensor, exponent: float) -> Tensor:
    """x^exponent for x >= 0; below an exponent of 1, where the slope is infinite at 0, x is kept off 0.

    Fast for the exponents that losses have by default: the general power takes as long as ten products.

    >>> power(torch.tensor([0.0, 2.0]), 4)
    tensor([ 0., 16.])
    """
    if exponent == 1:
        return x
    if exponent == 4:
        return x.square().square()
    return (x.clamp(min=torch.finfo(x.dtype).tiny) if exponent < 1 and exponent != 0 else x) ** exponent
