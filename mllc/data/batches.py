"""The batches of one epoch, as index tensors."""

from collections.abc import Iterator

import torch
from torch import Tensor


def batches(num_samples: int, batch_size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Every sample once, in random order, `batch_size` at a time; int64 (batch,).

    The last batch may be smaller; it is left out where it would hold a single sample, because batch normalisation
    cannot train on one.

    >>> [len(batch) for batch in batches(10, 4, torch.Generator())]
    [4, 4, 2]
    >>> [len(batch) for batch in batches(9, 4, torch.Generator())]
    [4, 4]
    """
    order = torch.randperm(num_samples, generator=generator)
    return (index for index in order.split(batch_size) if len(index) > 1 or batch_size == 1)
