"""The few operations that take the time of the figures; on a CPU by numpy, where torch is several times slower."""

import numpy as np
import torch
from torch import Tensor

CHUNK = 1 << 21
"""Entries handled at once (one row at least): few enough for a processor's cache, and little memory beside them all."""

BY_NUMPY = "cpu"
"""The device on which numpy helps out. On any other torch does it all, as tests have it do on a CPU."""


def copied(rows: Tensor, dtype: torch.dtype) -> Tensor:
    """A contiguous copy; that of some columns, given transposed, on a CPU in tiles that stay in its cache."""
    if rows.device.type != BY_NUMPY or rows.is_contiguous():
        return rows.to(dtype, copy=True, memory_format=torch.contiguous_format)
    copy = torch.empty(rows.shape, dtype=dtype)
    for start in range(0, rows.shape[1], 1024):
        tile = slice(start, start + 1024)
        copy[:, tile] = rows[:, tile]
    return copy


def ascending(values: Tensor) -> Tensor:
    """The rows sorted; on a CPU in place and by numpy, whose vectorised sort without indices is ten times as fast."""
    if values.device.type != BY_NUMPY:
        return values.sort(1).values
    values.numpy().sort(axis=1)
    return values


def select(values: Tensor, where: Tensor) -> Tensor:
    """values[where]; on a CPU by numpy, which is six times as fast at it where little is selected."""
    if values.device.type != BY_NUMPY:
        return values[where]
    return torch.from_numpy(np.asarray(values.numpy()[where.numpy()]))


def count(values: Tensor, axis: int) -> Tensor:
    """values.sum(axis) of bool, int64; on a CPU in the narrowest numbers that hold it."""
    if values.device.type != BY_NUMPY:
        return values.sum(axis)
    narrow = np.uint16 if values.shape[axis] < 1 << 16 else np.uint32
    return torch.from_numpy(values.numpy().view(np.uint8).sum(axis, dtype=narrow).astype(np.int64))
