"""The fingerprint of a data set: a digest of its content, whatever it is called and wherever it lies."""

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from mllc.data.rows import Sparse
from mllc.types import Rows, Split

_CHUNK = 1024
_PAIRS = 1 << 16


def fingerprint(
    label_names: Iterable[str], *splits: Split | None, input_digests: Sequence[bytes | None] = (None,) * 3
) -> str:
    """Hex digest (32 digits) of label names, and of inputs, targets and mask of every split, with shapes and dtypes.

    Ids and paths do not enter: the same content in another folder is the same data set. Of sparse rows the entries that
    are not zero are digested, so that they and the same rows in a tensor differ. `input_digests` stand for the inputs
    of the splits where a reader knows a cheaper digest of their content, such as one of image files.
    """
    digest = hashlib.blake2b(digest_size=16)
    digest.update("\0".join(label_names).encode())
    for split, inputs in zip(splits, input_digests, strict=True):
        digest.update(b"\nsplit")
        if split is not None:
            if inputs is None:
                _add(digest, split.inputs)
            else:
                digest.update(b"\ninputs " + inputs)
            _add(digest, split.targets)
            _add(digest, split.mask)
    return digest.hexdigest()


def _add(digest: "hashlib.blake2b", rows: Rows | None) -> None:
    if rows is None:
        digest.update(b"\nnone")
        return
    if isinstance(rows, Sparse):
        _add_sparse(digest, rows)
        return
    described = False
    for start in range(0, len(rows), _CHUNK):
        stop = min(start + _CHUNK, len(rows))
        part = rows[start:stop] if isinstance(rows, Tensor) else rows[torch.arange(start, stop)]
        if not described:
            digest.update(f"\n{part.dtype} {(len(rows), *part.shape[1:])}".encode())
            described = True
        digest.update(part.contiguous().numpy().data)


def _add_sparse(digest: "hashlib.blake2b", rows: Sparse) -> None:
    """The arrays of the one form that equal rows have, in integers of one width."""
    matrix = rows.matrix
    digest.update(f"\nsparse {matrix.dtype} {matrix.shape}".encode())
    for array, dtype in ((matrix.indptr, "<i8"), (matrix.indices, "<i8"), (matrix.data, matrix.dtype)):
        for start in range(0, len(array), _PAIRS):
            digest.update(np.ascontiguousarray(array[start : start + _PAIRS], dtype).data)
