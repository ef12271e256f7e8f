"""Samples with the same inputs, or of the same name, in one split or in two."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
import torch

from mllc.data.rows import Sparse
from mllc.types import Rows, Split

MOST_EXAMPLES = 5
CHUNK = 1024


@dataclass(frozen=True)
class Copies:
    """Samples that repeat an earlier one: of their own split, or of the first of two splits.

    count         how many
    other_labels  how many of them have other labels than the sample that they repeat
    examples      the names of the first few, each beside the one that it repeats
    """

    count: int
    other_labels: int
    examples: tuple[tuple[str, str], ...]


def copies(
    splits: Mapping[str, Split], labels: Mapping[str, Sequence[bytes]]
) -> tuple[dict[str, Copies], dict[tuple[str, str], Copies]]:
    """Equal inputs within each split, and in the later of two splits those that the earlier one has.

    labels  of each split the samples' label sets, see `mllc.inspection.labels.label_sets`
    Inputs are compared by a 128-bit digest of each sample: of numbers as they are read, of pixels as they are decoded.
    """
    sparse = all(isinstance(split.inputs, Sparse) for split in splits.values())
    digests = {name: list(row_digests(split.inputs, sparse)) for name, split in splits.items()}
    ids = {name: split.ids for name, split in splits.items()}
    return _repeated(digests, labels, ids)


def same_ids(splits: Mapping[str, Split]) -> dict[tuple[str, str], Copies]:
    """Equal names, by (split, split): of two splits, or of one twice; only where there are any."""
    ids = {name: split.ids for name, split in splits.items()}
    none = {name: [b""] * len(names) for name, names in ids.items()}
    within, across = _repeated(
        {name: [one.encode(errors="replace") for one in of] for name, of in ids.items()}, none, ids
    )
    found = {(name, name): one for name, one in within.items()} | across
    return {pair: one for pair, one in found.items() if one.count}


def row_digests(rows: Rows, sparse: bool) -> Iterator[bytes]:
    """A digest of each row; `sparse`: of what is not zero in it. Zeros of either sign are the same."""
    if sparse and isinstance(rows, Sparse):
        matrix = rows.matrix
        places, values = matrix.indices.astype(np.int64), matrix.data
        for start, end in pairwise(matrix.indptr.tolist()):
            yield _digest(places[start:end].tobytes() + values[start:end].tobytes())
        return
    for index in torch.arange(len(rows)).split(CHUNK):
        part = rows[index]
        part = part + 0.0 if part.is_floating_point() else part
        for row in part.contiguous().numpy():
            yield _digest(row.tobytes())


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16).digest()


def _repeated(
    keys: Mapping[str, Sequence[bytes]], labels: Mapping[str, Sequence[bytes]], ids: Mapping[str, Sequence[str]]
) -> tuple[dict[str, Copies], dict[tuple[str, str], Copies]]:
    first: dict[str, dict[bytes, int]] = {}
    within: dict[str, Copies] = {}
    for name, own in keys.items():
        places = first[name] = {}
        pairs = [(row, place) for row, key in enumerate(own) if (place := places.setdefault(key, row)) != row]
        within[name] = _copies(pairs, (name, name), labels, ids)
    across: dict[tuple[str, str], Copies] = {}
    for one, other in combinations(keys, 2):
        pairs = [(row, first[one][key]) for row, key in enumerate(keys[other]) if key in first[one]]
        across[one, other] = _copies(pairs, (other, one), labels, ids)
    return within, across


def _copies(
    pairs: Sequence[tuple[int, int]],
    names: tuple[str, str],
    labels: Mapping[str, Sequence[bytes]],
    ids: Mapping[str, Sequence[str]],
) -> Copies:
    """`pairs` are rows of the splits `names`: a copy, and what it repeats."""
    copy, original = names
    return Copies(
        count=len(pairs),
        other_labels=sum(labels[copy][row] != labels[original][place] for row, place in pairs),
        examples=tuple((ids[copy][row], ids[original][place]) for row, place in pairs[:MOST_EXAMPLES]),
    )
