"""Rows that are not one tensor in memory: a selection, an array mapped from disk, a sparse matrix.

Rows may have methods of their own: `stream(batches, pin=...) -> Arriving` for reading ahead (see mllc.data.ahead), and
`joined(others) -> Rows` for what is better than a view where all parts are of one type. `decoded` is True where every
batch is decoded anew.
"""

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from mllc.data.ahead import Arriving, stream
from mllc.types import Rows, Targets

R = TypeVar("R", bound=Rows)
Matrix = Any
"""A scipy.sparse.csr_matrix (SciPy has no types to check against)."""

TENSOR_LIMIT_BYTES = 1 << 29
"""Rows of a split up to this size are fed from one tensor, which is faster; larger ones stay sparse or on disk."""


class Selected:
    """Some rows of others, in the order of `index`, without copying them."""

    def __init__(self, rows: Rows, index: Tensor):
        self.rows, self.index = rows, index

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, index: Tensor, /) -> Tensor:
        return self.rows[self.index[index]]

    def stream(self, batches: Iterable[Tensor], *, pin: bool = False) -> Arriving:
        return stream(self.rows, (self.index[batch] for batch in batches), pin=pin)


class Mapped:
    """Rows of an array on disk (a memory map): only what a batch asks for is read."""

    def __init__(self, array: np.ndarray):
        self._array = array

    def __len__(self) -> int:
        return len(self._array)

    def __getitem__(self, index: Tensor, /) -> Tensor:
        # NumPy copies rows of many bytes eight times as fast as PyTorch, and lets other threads work meanwhile.
        return torch.from_numpy(self._array[index.numpy()])


class Sparse:
    """Rows of a sparse matrix, given as dense ones of its dtype: float32 features, or uint8 targets.

    matrix  (samples, columns), brought into the one form that equal rows have: columns rising, no zero stored
    """

    def __init__(self, matrix: Matrix):
        matrix.sum_duplicates()
        if not matrix.data.all():
            matrix.eliminate_zeros()
        self.matrix = matrix

    @property
    def shape(self) -> tuple[int, int]:
        return self.matrix.shape

    def __len__(self) -> int:
        return self.matrix.shape[0]

    def __getitem__(self, index: Tensor, /) -> Tensor:
        return self.on(index, torch.device("cpu"))

    def on(self, index: Tensor, device: torch.device) -> Tensor:
        """Dense rows on the device; only what is not zero is sent there. `index` is on the CPU."""
        starts, width = self.matrix.indptr, self.matrix.shape[1]
        first = starts[index.numpy()].astype(np.int64)
        lengths = starts[index.numpy() + 1] - first
        ends = np.cumsum(lengths)
        taken = np.arange(ends[-1] if len(ends) else 0) + np.repeat(first - ends + lengths, lengths)
        places = np.repeat(np.arange(len(index)) * width, lengths) + self.matrix.indices[taken]
        sent = (torch.from_numpy(places), torch.from_numpy(self.matrix.data[taken]))
        if device.type == "cuda":
            sent = tuple(part.pin_memory().to(device, non_blocking=True) for part in sent)
        rows = torch.zeros(len(index), width, dtype=sent[1].dtype, device=device)
        rows.view(-1)[sent[0]] = sent[1]
        return rows


class Joined:
    """The rows of several parts, one part after the other, without copying them."""

    def __init__(self, parts: Sequence[Rows]):
        self._parts = tuple(parts)
        self._ends = torch.tensor([len(part) for part in parts]).cumsum(0)

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, index: Tensor, /) -> Tensor:
        return _put_together(index, [(here, self._parts[number][own]) for number, here, own in self._divided(index)])

    def _divided(self, index: Tensor) -> list[tuple[int, Tensor, Tensor]]:
        """Of each part that rows are asked of: its number, their places in `index`, their indices in the part."""
        part_of = torch.searchsorted(self._ends, index, right=True)
        divided = []
        for number in part_of.unique().tolist() or [0]:
            here = (part_of == number).nonzero()[:, 0]
            divided.append((number, here, index[here] - (int(self._ends[number - 1]) if number else 0)))
        return divided


def _put_together(index: Tensor, parts: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    """Rows of several parts at their places among those of `index`."""
    if len(parts) == 1:
        return parts[0][1]
    first = parts[0][1]
    rows = first.new_empty((len(index), *first.shape[1:]))
    for here, found in parts:
        rows[here] = found
    return rows


def join(parts: Sequence[Rows]) -> Rows:
    """The rows of all parts, one part after the other: of small tensors a tensor, sparse of sparse, else a view."""
    if any(isinstance(part, Sparse) for part in parts) and all(isinstance(part, Sparse | Tensor) for part in parts):
        return join_targets(parts)  # type: ignore[arg-type]
    tensors = [part for part in parts if isinstance(part, Tensor)]
    if len(tensors) == len(parts) and sum(tensor.nbytes for tensor in tensors) <= TENSOR_LIMIT_BYTES:
        return torch.cat(tensors)
    if any(isinstance(part, Selected) for part in parts):
        return _join_selections(parts)
    own = getattr(parts[0], "joined", None)
    if own is not None and len({type(part) for part in parts}) == 1:
        return own(parts[1:])
    return Joined(parts)


def _join_selections(parts: Sequence[Rows]) -> Selected:
    """A selection of what they select from, each of these once: splits are selections, often all of the same rows."""
    sources: list[Rows] = []
    starts: dict[int, int] = {}
    indices, end = [], 0
    for part in parts:
        source, index = (part.rows, part.index) if isinstance(part, Selected) else (part, torch.arange(len(part)))
        if id(source) not in starts:
            sources.append(source)
            starts[id(source)], end = end, end + len(source)
        indices.append(index + starts[id(source)])
    return Selected(join(sources) if len(sources) > 1 else sources[0], torch.cat(indices))


def join_targets(parts: Sequence[Targets]) -> Targets:
    """The targets of all parts, one part after the other: a tensor, or sparse where one of them is."""
    if not any(isinstance(part, Sparse) for part in parts):
        return torch.cat([dense(part) for part in parts])
    from scipy.sparse import csr_matrix, vstack

    matrices = [part.matrix if isinstance(part, Sparse) else csr_matrix(dense(part).numpy()) for part in parts]
    return Sparse(vstack(matrices, format="csr"))


def select(rows: Rows, index: Tensor) -> Rows:
    """The rows at `index`: a tensor of a tensor, sparse ones of sparse ones, else a view (of no view)."""
    if isinstance(rows, Selected):
        return Selected(rows.rows, rows.index[index])
    return select_targets(rows, index) if isinstance(rows, Tensor | Sparse) else Selected(rows, index)


def select_targets(targets: Targets, index: Tensor) -> Targets:
    """The targets at `index`, as dense or sparse as they were."""
    return Sparse(targets.matrix[index.numpy()]) if isinstance(targets, Sparse) else targets[index]


def feature_rows(matrix: Matrix, *, sparse: bool) -> Rows:
    """A sparse matrix as float32 rows, sparse or (where hardly an entry is 0) one tensor."""
    matrix = matrix.astype(np.float32)
    return Sparse(matrix) if sparse else torch.from_numpy(matrix.toarray())


def target_rows(starts: np.ndarray, labels: np.ndarray, num_labels: int) -> Sparse:
    """Targets, uint8, of which row i has the labels `labels[starts[i] : starts[i + 1]]`, none twice."""
    from scipy.sparse import csr_matrix

    return Sparse(csr_matrix((np.ones(len(labels), np.uint8), labels, starts), shape=(len(starts) - 1, num_labels)))


def dense(rows: Rows) -> Tensor:
    """All rows as one tensor."""
    return rows if isinstance(rows, Tensor) else rows[torch.arange(len(rows))]


def dense_if_small(rows: R, limit_bytes: int | None = None) -> R | Tensor:
    """Sparse rows as one tensor, which is faster, up to `limit_bytes` (None: TENSOR_LIMIT_BYTES); others unchanged."""
    if not isinstance(rows, Sparse):
        return rows
    limit = TENSOR_LIMIT_BYTES if limit_bytes is None else limit_bytes
    size = len(rows) * rows.shape[1] * rows.matrix.dtype.itemsize
    return torch.from_numpy(rows.matrix.toarray()) if size <= limit else rows


def positive_pairs(targets: Targets) -> tuple[np.ndarray, np.ndarray]:
    """The samples and the labels, int64, of what is true; samples rise, and within one its labels."""
    if isinstance(targets, Sparse):
        matrix = targets.matrix
        return np.repeat(np.arange(len(targets)), np.diff(matrix.indptr)), matrix.indices.astype(np.int64)
    pairs = dense(targets).nonzero().numpy()
    return pairs[:, 0], pairs[:, 1]


def mapped_rows(array: np.memmap) -> Rows:
    """An array on disk as rows: one tensor up to TENSOR_LIMIT_BYTES, else mapped."""
    return torch.from_numpy(np.array(array)) if array.nbytes <= TENSOR_LIMIT_BYTES else Mapped(array)
