"""Labels as arrays: a matrix of 0 and 1, or lists of the numbers of the true ones."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mllc.errors import DataError
from mllc.wording import counted

MOST_LABELS = 10_000_000
"""Beyond that a number is taken for a slip: every label has a name and a unit of the network."""


def is_lists(labels: np.ndarray) -> bool:
    """Whether whole numbers other than 0 and 1 occur."""
    return labels.dtype.kind in "iu" and bool(((labels != 0) & (labels != 1)).any())


def matrix_targets(file: Path, labels: np.ndarray, samples: int) -> tuple[Tensor, Tensor | None]:
    """uint8 targets (samples, labels), and the mask of the known ones (None: all) of 0, 1 or NaN (unknown).

    Raises DataError, naming file and row (from 1), for anything else.
    """
    if labels.ndim != 2 or len(labels) != samples:
        raise DataError(f"{file}: labels of shape {labels.shape}; ({samples}, labels) is expected")
    known = ~np.isnan(labels) if labels.dtype.kind == "f" else np.ones_like(labels, bool)
    wrong = np.argwhere(known & (labels != 0) & (labels != 1))
    if len(wrong):
        row, column = wrong[0]
        raise DataError(
            f"{file}, row {row + 1}: label {column} is {labels[row, column]:g}; a label is 0, 1 or NaN (unknown); for "
            "lists of labels type dataset.labels_as=lists"
        )
    targets = torch.from_numpy(np.where(known, labels, 0).astype(np.uint8))
    return targets, None if known.all() else torch.from_numpy(known)


def list_labels(
    file: Path, labels: np.ndarray, starts: np.ndarray | None, samples: int
) -> tuple[np.ndarray, np.ndarray]:
    """Row i of a ragged list has labels[starts[i] : starts[i + 1]]: int64 (samples + 1,) and int32, checked.

    labels  with `starts` one after another; without (None) as (samples, most of one), filled up with -1
    Raises DataError, naming file and row (from 1), for a number that is no label, or there twice.
    """
    if labels.dtype.kind not in "iu" or (starts is not None and starts.dtype.kind not in "iu"):
        raise DataError(f"{file}: labels of dtype {labels.dtype}; lists of labels are whole numbers")
    if starts is None:
        if labels.ndim != 2 or len(labels) != samples:
            raise DataError(f"{file}: labels of shape {labels.shape}; ({samples}, most labels of one) is expected")
        held = labels != -1
        starts, labels = np.append(0, np.cumsum(held.sum(axis=1))), labels[held]
    if labels.ndim != 1 or starts.ndim != 1:
        raise DataError(f"{file}: labels of shape {labels.shape}, starts of shape {starts.shape}; rows are expected")
    starts = starts.astype(np.int64)
    rises = len(starts) == samples + 1 and starts[0] == 0 and starts[-1] == labels.size and (np.diff(starts) >= 0).all()
    if not rises:
        raise DataError(
            f"{file}: the starts of the labels are {counted(len(starts), 'number')} that should rise from 0 to "
            f"{labels.size}, one more than the {samples} samples"
        )
    rows = np.repeat(np.arange(samples), np.diff(starts))
    wrong = np.flatnonzero((labels < 0) | (labels >= MOST_LABELS))
    if len(wrong):
        raise DataError(
            f"{file}, row {rows[wrong[0]] + 1}: label {labels[wrong[0]]}; labels are numbered from 0 (-1 fills up)"
        )
    keys = np.sort(rows << 32 | labels.astype(np.int64))
    twice = keys[1:][keys[1:] == keys[:-1]]
    if len(twice):
        raise DataError(f"{file}, row {(twice[0] >> 32) + 1}: label {twice[0] & 0xFFFFFFFF} occurs twice")
    return starts, labels.astype(np.int32)
