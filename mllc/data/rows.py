"""Rows that are not one tensor in memory: a selection, an array mapped from disk, a sparse matrix."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from mllc.types import Rows

Matrix = Any
"""A scipy.sparse.csr_matrix (SciPy has no types to check against)."""

TENSOR_LIMIT_BYTES = 1 << 29
"""Rows of a split up to this size are held as one tensor, which is faster; larger ones stay sparse or on disk."""


class Selected:
    """Some rows of others, in the order of `index`, without copying them."""

    def __init__(self, rows: Rows, index: Tensor):
        self._rows, self._index = rows, index

    def __len__(self) -> int:
        return len(self._index)

    def __getitem__(self, index: Tensor, /) -> Tensor:
        return self._rows[self._index[index]]


class Mapped:
    """Rows of an array on disk (a memory map): only what a batch asks for is read."""

    def __init__(self, array: np.ndarray):
        self._array = array

    def __len__(self) -> int:
        return len(self._array)

    def __getitem__(self, index: Tensor, /) -> Tensor:
        return torch.from_numpy(self._array[index.numpy()])


class Sparse:
    """Rows of a sparse matrix, given as dense float32."""

    def __init__(self, matrix: Matrix):
        self._matrix = matrix

    def __len__(self) -> int:
        return self._matrix.shape[0]

    def __getitem__(self, index: Tensor, /) -> Tensor:
        return torch.from_numpy(self._matrix[index.numpy()].toarray())


def select(rows: Rows, index: Tensor) -> Rows:
    """The rows at `index`: a tensor of a tensor, else a view."""
    return rows[index] if isinstance(rows, Tensor) else Selected(rows, index)


def feature_rows(matrix: Matrix) -> Rows:
    """A sparse matrix as float32 rows: one tensor up to TENSOR_LIMIT_BYTES, else sparse."""
    matrix = matrix.astype(np.float32)
    samples, features = matrix.shape
    if samples * features * 4 <= TENSOR_LIMIT_BYTES:
        return torch.from_numpy(matrix.toarray())
    return Sparse(matrix)


def image_rows(array: np.memmap) -> Rows:
    """An array on disk as rows: one tensor up to TENSOR_LIMIT_BYTES, else mapped."""
    return torch.from_numpy(np.array(array)) if array.nbytes <= TENSOR_LIMIT_BYTES else Mapped(array)
