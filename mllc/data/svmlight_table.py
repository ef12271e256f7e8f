"""A whole file of `label,label index:value ...` rows as sparse arrays, and those arrays as features and targets."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from mllc.data.files import existing_file
from mllc.data.image_list import read_vocabulary
from mllc.data.label_arrays import MOST_LABELS
from mllc.data.rows import Matrix, Sparse, target_rows
from mllc.data.svmlight import Lines, read_lines
from mllc.errors import ConfigError, DataError
from mllc.wording import are, counted

SCALES = ("none", "unit")


class Ragged(NamedTuple):
    """Row i holds columns[starts[i] : starts[i + 1]]: int64 (rows + 1,) and int32."""

    starts: np.ndarray
    columns: np.ndarray

    def row_of(self, place: int) -> int:
        return int(np.searchsorted(self.starts, place, side="right")) - 1


@dataclass(frozen=True, eq=False)
class Table:
    """The rows of a file.

    features   indices as the file has them; `values` float32 beside them
    numbers    int64, the line of each row
    num_blank  lines without any word, whether they are rows or not
    """

    file: Path
    labels: Ragged
    features: Ragged
    values: np.ndarray
    numbers: np.ndarray
    num_blank: int

    def __len__(self) -> int:
        return len(self.numbers)

    def first(self, rows: int) -> "Table":
        """The first rows, where the others hold nothing."""
        labels, features = (
            ragged._replace(starts=ragged.starts[: rows + 1]) for ragged in (self.labels, self.features)
        )
        return replace(self, labels=labels, features=features, numbers=self.numbers[:rows])

    def place(self, row: int) -> str:
        return f"{self.file}, line {self.numbers[row]}"


def read_table(file: Path, *, skip: int = 0, keep_blank: bool = False) -> Table:
    """All rows behind the first `skip` lines; blank lines are rows only where `keep_blank` says so.

    Raises DataError, naming file and line, for what `read_lines` refuses.
    """
    return lines_table(file, read_lines(file, skip), keep_blank)


def lines_table(file: Path, parts: Iterable[Lines], keep_blank: bool = False) -> Table:
    """The same of lines that have been read."""
    fields: dict[str, list[np.ndarray]] = {name: [] for name in Lines._fields}
    for part in parts:
        for name, array in zip(Lines._fields, part, strict=True):
            fields[name].append(array)
    # One field after another, so that only one is there twice.
    values = _joined(fields.pop("values"), np.float32)
    indices, labels = _joined(fields.pop("indices"), np.int32), _joined(fields.pop("labels"), np.int32)
    blank = _joined(fields.pop("blank"), bool)
    kept = np.full(len(blank), True) if keep_blank else ~blank
    numbers = _joined(fields.pop("numbers"), np.int64)[kept]
    label_starts, starts = (_starts(fields.pop(name), kept) for name in ("label_ends", "feature_ends"))
    return Table(file, Ragged(label_starts, labels), Ragged(starts, indices), values, numbers, int(blank.sum()))


def feature_matrix(table: Table, base: int, num_features: int, scale: str) -> Matrix:
    """(rows, features) float32, column `index - base`; scale `unit`: each row has a Euclidean norm of 1, or is 0.

    Takes the table's arrays as its own. Raises DataError for an index outside base ... base + num_features - 1.
    """
    indices = table.features.columns
    wrong = np.flatnonzero((indices < base) | (indices >= num_features + base))
    if len(wrong):
        place = int(wrong[0])
        raise DataError(
            f"{table.place(table.features.row_of(place))}: index {indices[place]} is not among the features {base} "
            f"to {num_features + base - 1}"
        )
    indices -= base
    if scale == "unit":
        _to_unit(table)
    return csr_matrix((table.values, indices, table.features.starts), shape=(len(table), num_features))


def targets(table: Table, labels: Ragged, num_labels: int, said_by: str) -> Sparse:
    """uint8 (rows, labels) of the table's labels, or of what else of it holds them.

    Raises DataError for a label that is not below num_labels; `said_by` is where that number comes from.
    """
    wrong = np.flatnonzero(labels.columns >= num_labels)
    if len(wrong):
        place = int(wrong[0])
        raise DataError(
            f"{table.place(labels.row_of(place))}: label {labels.columns[place]} is not among the labels 0 "
            f"to {num_labels - 1} ({said_by})"
        )
    return target_rows(labels.starts, labels.columns, num_labels)


def dense_chunks(matrix: Matrix) -> Iterator[Tensor]:
    """The rows, float32, some at a time: up to 1024, and up to 32 million entries."""
    size = max(1, min(1024, (1 << 25) // max(matrix.shape[1], 1)))
    for start in range(0, matrix.shape[0], size):
        yield torch.from_numpy(matrix[start : start + size].toarray())


def check_scale(scale: str) -> None:
    """ConfigError for a scale that there is not."""
    if scale not in SCALES:
        raise ConfigError(f"dataset.scale={scale}: {' or '.join(SCALES)} is needed")


def label_names(vocabulary: str | None, num_labels: int | None = None, said_by: str = "") -> list[str]:
    """Those of the file, of which there are as many (None: any number); without one label0, label1, ...

    Raises DataError for another number of names, and for more labels than are possible; `said_by` is where that number
    comes from.
    """
    if vocabulary is None:
        assert num_labels is not None
        if num_labels > MOST_LABELS:
            raise DataError(f"{said_by}: {num_labels:,} labels: at most {MOST_LABELS:,} are possible")
        return [f"label{label}" for label in range(num_labels)]
    names = read_vocabulary(existing_file(vocabulary, "dataset.vocabulary"))
    if num_labels not in (None, len(names)):
        raise DataError(
            f"dataset.vocabulary={vocabulary} has {counted(len(names), 'name')}, but there "
            f"{are(num_labels)} {counted(num_labels, 'label')}"
        )
    return names


def _to_unit(table: Table) -> None:
    rows = np.repeat(np.arange(len(table)), np.diff(table.features.starts))
    squares = np.bincount(rows, np.square(table.values, dtype=np.float64), minlength=len(table))
    table.values[:] = table.values / np.sqrt(np.where(squares > 0, squares, 1))[rows]


def _joined(parts: list[np.ndarray], dtype: type) -> np.ndarray:
    return np.concatenate(parts) if parts else np.zeros(0, dtype)


def _starts(ends: list[np.ndarray], kept: np.ndarray) -> np.ndarray:
    """Starts of the kept rows (the others hold nothing) from each part's ends."""
    offsets = np.cumsum([0, *(part[-1] for part in ends)])
    joined = _joined([part + offset for part, offset in zip(ends, offsets[:-1], strict=True)], np.int64)
    return np.append(0, joined[kept])
