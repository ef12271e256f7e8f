"""Vectors that another program has computed, such as embeddings: checked, standardized, made a data set."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mllc.data.assemble import assemble
from mllc.errors import DataError
from mllc.types import Dataset, Split, Targets
from mllc.wording import counted

AT_ONCE = 1024
"""Rows that are read or standardized at a time."""


@dataclass(frozen=True, eq=False)
class Vectors:
    """A split as its file has it: features of any numeric dtype (samples, features); no ids: they are numbered."""

    file: Path
    features: np.ndarray
    targets: Targets
    mask: Tensor | None = None
    ids: Sequence[str] | None = None
    groups: Sequence[str] | None = None


def vector_dataset(
    label_names: Sequence[str], parts: Mapping[str, Vectors], *, standardize: bool, notes: Sequence[str]
) -> Dataset:
    """The data set of splits of the same number of features; `standardize`: to mean 0 and variance 1, by train.

    Raises DataError, naming file and row (from 1), for a feature that is not finite and for an id that is there twice.
    """
    train, told = parts["train"], [*notes]
    for part in parts.values():
        _check(part, train)
    num_features = train.features.shape[1]
    encoding: dict[str, Any] = {"num_features": num_features, "centers": [], "deviations": []}
    if standardize:
        centers, deviations = _moments(train.features)
        encoding |= {"centers": centers.tolist(), "deviations": deviations.tolist()}
        told.append(f"{counted(num_features, 'feature')} standardized by the training file")
    splits: dict[str, Any] = {}
    for split, part in parts.items():
        rows = np.empty(part.features.shape, np.float32)
        for start in range(0, len(rows), AT_ONCE):
            rows[start : start + AT_ONCE] = _standardized(part.features[start : start + AT_ONCE], encoding)
        ids = part.ids or [f"{split}:{row}" for row in range(len(rows))]
        groups = None if part.groups is None else tuple(part.groups)
        splits[split] = Split(torch.from_numpy(rows), part.targets, tuple(ids), part.mask, groups)
    return assemble("features", label_names, notes=told, encoding=encoding, **splits)


def encoded(features: np.ndarray, encoding: Mapping[str, Any], file: Path, first: int) -> Tensor:
    """Float32 rows in the form of the data set; `first` is the place of the first row in its file.

    Raises DataError, naming file and row (from 1), for another number of features and for one that is not finite.
    """
    if features.ndim != 2 or features.shape[1] != encoding["num_features"]:
        raise DataError(
            f"{file}: features of shape {tuple(features.shape)}; (samples, {encoding['num_features']}) is expected"
        )
    _require_finite(features, file, first)
    return torch.from_numpy(_standardized(features, encoding))


def chunks(total: int) -> Iterator[slice]:
    """Slices of AT_ONCE rows."""
    return (slice(start, start + AT_ONCE) for start in range(0, total, AT_ONCE))


def _check(part: Vectors, train: Vectors) -> None:
    if part.features.ndim != 2 or not part.features.shape[1]:
        raise DataError(f"{part.file}: features of shape {part.features.shape}; (samples, features) is expected")
    if not len(part.features):
        raise DataError(f"{part.file}: there are no samples in it")
    if part.features.shape[1] != train.features.shape[1]:
        raise DataError(
            f"{part.file} has {counted(part.features.shape[1], 'feature')}, but {train.file} has "
            f"{train.features.shape[1]}"
        )
    for what, found in (("targets", part.targets), ("ids", part.ids), ("groups", part.groups)):
        if found is not None and len(found) != len(part.features):
            raise DataError(
                f"{part.file}: {counted(len(part.features), 'row')} of features, but {len(found)} of {what}"
            )
    for rows in chunks(len(part.features)):
        _require_finite(part.features[rows], part.file, rows.start)
    seen: dict[str, int] = {}
    for row, name in enumerate(part.ids or (), 1):
        if seen.setdefault(name, row) != row:
            raise DataError(f"{part.file}, row {row}: the id {name!r} occurs already in row {seen[name]}")


def _standardized(features: np.ndarray, encoding: Mapping[str, Any]) -> np.ndarray:
    rows = features.astype(np.float64)
    if encoding["centers"]:
        rows = (rows - np.array(encoding["centers"])) / np.array(encoding["deviations"])
    return rows.astype(np.float32)


def _require_finite(features: np.ndarray, file: Path, first: int) -> None:
    with np.errstate(over="ignore"):
        found = features.astype(np.float32) if features.dtype.itemsize > 4 else features
    wrong = np.argwhere(~np.isfinite(found))
    if len(wrong):
        row, column = wrong[0]
        raise DataError(
            f"{file}, row {first + row + 1}: feature {column} is {features[row, column]:g}; a finite number is expected"
        )


def _moments(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each column, in float64, a chunk of rows at a time."""
    total = max(len(features), 1)
    mean = np.zeros(features.shape[1])
    squares = np.zeros(features.shape[1])
    for part in chunks(len(features)):
        mean += features[part].sum(axis=0, dtype=np.float64) / total
    for part in chunks(len(features)):
        squares += np.square(features[part] - mean).sum(axis=0) / total
    deviation = np.sqrt(squares)
    deviation[~(deviation > 1e-9 * np.abs(mean))] = 1  # a constant, give or take rounding
    return mean, deviation
