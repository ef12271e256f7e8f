"""Vectors and their labels in NumPy's .npz archives, one a split; nothing in them is executed."""

import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from mllc.data.files import existing_file, same_file_notes
from mllc.data.label_arrays import MOST_LABELS, is_lists, list_labels, matrix_targets
from mllc.data.rows import target_rows
from mllc.data.vectors import AT_ONCE, Vectors, encoded, vector_dataset
from mllc.errors import ConfigError, DataError
from mllc.types import Dataset, Samples, Targets
from mllc.wording import counted, listed

KINDS = ("auto", "matrix", "lists")

NUMBERS = "biuf"
"""Kinds of dtypes that are read: bool, integers, floats."""


def npz(
    *,
    train: str,
    test: str | None = None,
    val: str | None = None,
    features: str = "features",
    labels: str = "labels",
    labels_as: str = "auto",
    label_names: str = "label_names",
    ids: str = "ids",
    num_labels: int | None = None,
    standardize: bool = True,
    group: str | None = None,
) -> Dataset:
    """Archives of arrays, one a split, as numpy.savez writes them.

    features     name of the array of the vectors, (samples, features)
    labels       name of the array of the labels. As a matrix: (samples, labels), 0, 1 or NaN (unknown). As lists:
                 (samples, most labels of one), the numbers of the true labels, filled up with -1; or two arrays,
                 NAME_indptr and NAME_indices: sample i has indices[indptr[i]:indptr[i + 1]]
    labels_as    matrix, lists or auto: lists where a number other than 0 and 1 occurs
    label_names  name of an array of names, in the training file, if there is one; else label0, label1, ...
    ids          name of an array of the samples' names, if there is one
    num_labels   of lists without names; None: as the largest number of all files has it
    standardize  each feature gets mean 0 and variance 1, by the training file
    group        name of an array of the samples' groups (split.group)

    Raises DataError, naming file and array or row (from 1), for what cannot be understood.
    """
    if labels_as not in KINDS:
        raise ConfigError(f"dataset.labels_as={labels_as}: auto, matrix or lists is needed")
    if num_labels is not None and not 0 < num_labels <= MOST_LABELS:
        raise ConfigError(f"dataset.num_labels={num_labels}: 1 to {MOST_LABELS:,} are possible")
    given = {"train": train, "val": val, "test": test}
    files = {split: existing_file(path, f"dataset.{split}") for split, path in given.items() if path is not None}
    optional = {"label_names": label_names, "ids": ids}
    arrays = {split: _read(file, features, labels, optional, group) for split, file in files.items()}
    names = arrays["train"].get("label_names")
    num_labels = num_labels if names is None else len(names)
    notes = same_file_notes(files)
    truth: dict[str, tuple[Targets, Tensor | None]] = {}
    if labels_as == "lists" or (labels_as == "auto" and any(_are_lists(found) for found in arrays.values())):
        with _doubted(files, arrays if labels_as == "auto" else {}):
            num_labels, truth = _list_targets(files, arrays, labels, num_labels, notes)
    else:
        for split, found in arrays.items():
            truth[split] = matrix_targets(files[split], found["labels"], len(found["features"]))
        num_labels = num_labels or truth["train"][0].shape[1]
        for split, (targets, _) in truth.items():
            if targets.shape[1] != num_labels:
                raise DataError(f"{files[split]}: {labels} has {counted(targets.shape[1], 'label')}, not {num_labels}")
    parts = {
        split: Vectors(files[split], found["features"], *truth[split], found.get("ids"), found.get("group"))
        for split, found in arrays.items()
    }
    names = [f"label{label}" for label in range(num_labels)] if names is None else names
    return vector_dataset(names, parts, standardize=standardize, notes=notes)


def samples(path: Path, settings: Mapping[str, Any], encoding: Mapping[str, Any]) -> Iterator[Samples]:
    """The vectors of an archive in the form of the data set, read a chunk at a time; in Fortran's order as a whole."""
    file, row = existing_file(path, "INPUT"), 0
    name = settings.get("features") or "features"
    with _archive(file) as archive:
        ids = _texts(file, settings["ids"], archive) if settings.get("ids") in archive.files else None
        _require(file, archive, name)
    with _unreadable(file), zipfile.ZipFile(file) as zipped, zipped.open(f"{name}.npy") as stream:
        shape, fortran, dtype = _header(stream)
        if len(shape) != 2 or dtype.kind not in NUMBERS:
            raise DataError(f"{file}: {name} is {dtype} of shape {shape}; numbers (samples, features) are expected")
        if ids is not None and len(ids) != shape[0]:
            raise DataError(f"{file}: {shape[0]} rows of features, but {len(ids)} of ids")
        whole = np.frombuffer(stream.read(), dtype).reshape(shape, order="F") if fortran else None
        while row < shape[0]:
            size = min(AT_ONCE, shape[0] - row)
            if whole is None:
                rows = np.frombuffer(stream.read(size * shape[1] * dtype.itemsize), dtype).reshape(size, shape[1])
            else:
                rows = whole[row : row + size]
            chosen = [f"{file.name}:{row + one}" for one in range(size)] if ids is None else ids[row : row + size]
            yield Samples(list(chosen), encoded(rows, encoding, file, row))
            row += size
    if not row:
        raise DataError(f"{file}: there are no samples in it")


def _list_targets(
    files: Mapping[str, Path],
    arrays: Mapping[str, Mapping[str, Any]],
    labels: str,
    num_labels: int | None,
    notes: list[str],
) -> tuple[int, dict[str, tuple[Targets, Tensor | None]]]:
    """The number of labels (given, or as the largest number has it), and the targets of each split's lists."""
    lists = {
        split: list_labels(files[split], found["labels"], found.get("starts"), len(found["features"]))
        for split, found in arrays.items()
    }
    if num_labels is None:
        num_labels = max(int(columns.max(initial=-1)) for _, columns in lists.values()) + 1
        notes.append(f"{counted(num_labels, 'label')}, as the largest number has it")
    for split, (_, columns) in lists.items():
        if columns.max(initial=-1) >= num_labels:
            largest = f"label {columns.max()}, but there are {num_labels}, numbered from 0"
            raise DataError(f"{files[split]}: {labels} has {largest}")
    return num_labels, {
        split: (target_rows(starts, columns, num_labels), None) for split, (starts, columns) in lists.items()
    }


@contextmanager
def _doubted(files: Mapping[str, Path], arrays: Mapping[str, Mapping[str, Any]]) -> Iterator[None]:
    """To what is wrong with lists is added which value had them taken for lists: it may be the one wrong value."""
    try:
        yield
    except DataError as error:
        for split, found in arrays.items():
            if "starts" not in found and is_lists(found["labels"]) and found["labels"].ndim == 2:
                row, column = np.argwhere((found["labels"] != 0) & (found["labels"] != 1))[0]
                value = found["labels"][row, column]
                raise DataError(
                    f"{error}; read as lists because of {value} in row {row + 1} of {files[split]}: if it is a matrix, "
                    "type dataset.labels_as=matrix"
                ) from None
        raise


def _read(file: Path, features: str, labels: str, optional: Mapping[str, str], group: str | None) -> dict[str, Any]:
    """The arrays of a file: features, labels (or starts and labels), and what else it has."""
    with _archive(file) as archive:
        found: dict[str, Any] = {"features": _numbers(file, features, archive)}
        if found["features"].ndim != 2:
            shape = found["features"].shape
            raise DataError(f"{file}: {features} is of shape {shape}; (samples, features) is expected")
        starts, indices = f"{labels}_indptr", f"{labels}_indices"
        if labels not in archive.files and starts in archive.files:
            found |= {"starts": _numbers(file, starts, archive), "labels": _numbers(file, indices, archive)}
        else:
            found["labels"] = _numbers(file, labels, archive)
        for what, name in optional.items():
            if name in archive.files or name != what:
                found[what] = _texts(file, name, archive)
        _require_names(file, optional["label_names"], found.get("label_names", ()))
        if group is not None:
            found["group"] = _texts(file, group, archive)
    return found


@contextmanager
def _unreadable(file: Path) -> Iterator[None]:
    """DataError for what zipfile and NumPy say of a file that is not what it should be."""
    try:
        yield
    except DataError:
        raise
    except (OSError, ValueError, EOFError, KeyError, SyntaxError, TypeError, RuntimeError, MemoryError) as error:
        raise DataError(f"{file}: cannot be read as .npz: {(str(error).splitlines() or ['?'])[0][:200]}") from None
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, OverflowError) as error:
        raise DataError(f"{file}: cannot be read as .npz: {str(error)[:200]}") from None


@contextmanager
def _archive(file: Path) -> Iterator[Any]:
    with _unreadable(file), file.open("rb") as stream:  # which NumPy leaves open where it is no archive
        begin = stream.read(8)
        if not begin.startswith((b"PK", b"\x93NUMPY")):  # NumPy would advise to unpickle it
            raise DataError(f"{file}: not an .npz archive (it begins with {begin!r})")
        stream.seek(0)
        archive = np.load(stream, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise DataError(f"{file}: an archive of arrays is expected, as numpy.savez writes it, not a single array")
        with archive:
            yield archive


def _require(file: Path, archive: Any, name: str) -> None:
    if name not in archive.files:
        raise DataError(f"{file}: there is no array {name!r} in it, but {listed(archive.files, 8) or 'none'}")


def _array(file: Path, name: str, archive: Any) -> np.ndarray:
    _require(file, archive, name)
    try:
        return archive[name]
    except ValueError as error:
        if "allow_pickle" in str(error):
            raise DataError(
                f"{file}: {name} holds Python objects, which are not loaded; save numbers, or text as an array of "
                "strings: names.astype(str)"
            ) from None
        raise


def _numbers(file: Path, name: str, archive: Any) -> np.ndarray:
    found = _array(file, name, archive)
    if found.dtype.kind not in NUMBERS:
        raise DataError(f"{file}: {name} is of dtype {found.dtype}; numbers are expected")
    return found


def _texts(file: Path, name: str, archive: Any) -> list[str]:
    found = _array(file, name, archive)
    if found.ndim != 1 or found.dtype.kind not in "Uiu":
        raise DataError(
            f"{file}: {name} is {found.dtype} of shape {found.shape}; a row of strings or integers is expected"
        )
    return [str(value) for value in found.tolist()]


def _require_names(file: Path, array: str, names: Sequence[str]) -> None:
    seen: dict[str, int] = {}
    for row, name in enumerate(names, 1):
        if not name.strip():
            raise DataError(f"{file}, row {row} of {array}: a label without a name, {name!r}")
        if seen.setdefault(name, row) != row:
            raise DataError(f"{file}, row {row} of {array}: label {name!r} occurs already in row {seen[name]}")


def _are_lists(found: Mapping[str, Any]) -> bool:
    return "starts" in found or is_lists(found["labels"])


def _header(stream: Any) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(stream)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in read:
        raise ValueError(f"version {version} of the array format")
    return read[version](stream)
