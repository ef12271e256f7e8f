"""The fingerprint of a data set: a digest of its content, whatever it is called and wherever it lies."""

import hashlib
from collections.abc import Iterable

import torch
from torch import Tensor

from mllc.types import Rows, Split

_CHUNK = 1024


def fingerprint(label_names: Iterable[str], *splits: Split | None) -> str:
    """Hex digest (32 digits) of label names, and of inputs, targets and mask of every split, with shapes and dtypes.

    Ids and paths do not enter: the same content in another folder is the same data set.
    """
    digest = hashlib.blake2b(digest_size=16)
    digest.update("\0".join(label_names).encode())
    for split in splits:
        digest.update(b"\nsplit")
        if split is not None:
            for rows in (split.inputs, split.targets, split.mask):
                _add(digest, rows)
    return digest.hexdigest()


def _add(digest: "hashlib.blake2b", rows: Rows | None) -> None:
    if rows is None:
        digest.update(b"\nnone")
        return
    described = False
    for start in range(0, len(rows), _CHUNK):
        stop = min(start + _CHUNK, len(rows))
        part = rows[start:stop] if isinstance(rows, Tensor) else rows[torch.arange(start, stop)]
        if not described:
            digest.update(f"\n{part.dtype} {(len(rows), *part.shape[1:])}".encode())
            described = True
        digest.update(part.contiguous().numpy().data)
