"""The columns of a Parquet file that hold vectors, names and labels, as arrays."""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from mllc.data.label_arrays import matrix_targets
from mllc.data.vectors import AT_ONCE
from mllc.errors import DataError
from mllc.wording import counted, listed


def _require(file: Path, source: Any, name: str, setting: str) -> None:
    names = source.schema_arrow.names
    if names.count(name) > 1:
        raise DataError(f"{file}: {setting}={name}: the column occurs more than once")
    if name not in names:
        raise DataError(f"{file}: {setting}={name}: there is no such column, but {listed(names, 8)}")


def _feature_columns(file: Path, source: Any, name: str) -> list[str]:
    """The list column of that name, or the numbered ones in the order of their numbers."""
    names = source.schema_arrow.names
    if name in names:
        _require(file, source, name, "dataset.features")
        return [name]
    numbered = [
        (int(match[1]), one) for one in names if (match := re.fullmatch(re.escape(name) + r"_?([0-9]{1,9})", one))
    ]
    if not numbered:
        raise DataError(
            f"{file}: dataset.features={name}: there is no such column, and none called {name}0, {name}1, ..., but "
            f"{listed(names, 8)}"
        )
    numbered.sort()
    if numbered[0][0] > 1:
        raise DataError(f"{file}: the numbered columns begin with {numbered[0][1]!r}; numbers from 0 or 1 are expected")
    for (before, first), (after, second) in pairwise(numbered):
        if before == after:
            raise DataError(f"{file}: the columns {first!r} and {second!r} have the same number")
        if after != before + 1:
            missing = f"{first.rstrip('0123456789')}{before + 1}"
            raise DataError(f"{file}: column {missing!r} is missing between {first!r} and {second!r}")
    return [one for _, one in numbered]


def feature_chunks(file: Path, source: Any, name: str, ids: str | None) -> Iterator[tuple[np.ndarray, list[str]]]:
    """Chunks of rows (samples, features), and their ids where there is a column of them."""
    columns, row = _feature_columns(file, source, name), 0
    if ids is not None:
        _require(file, source, ids, "dataset.ids")
    for batch in source.iter_batches(batch_size=AT_ONCE, columns=[*columns, *([] if ids is None else [ids])]):
        arrays = [_numbers(file, batch.column(column), column, row) for column in columns]
        if len(arrays) == 1 and arrays[0].ndim == 2:
            rows = arrays[0]
        else:
            rows = np.stack([part.reshape(-1) for part in arrays], axis=1)
        yield rows, [] if ids is None else _names(file, batch.column(ids), ids, row)
        row += len(rows)


def _numbers(file: Path, column: Any, name: str, row: int) -> np.ndarray:
    """A column of numbers (rows,), or of lists of one length (rows, length)."""
    import pyarrow as pa

    if column.null_count:
        place = column.is_null().to_pylist().index(True)
        raise DataError(f"{file}, row {row + place + 1}: {name} is null; a number is expected")
    lists = pa.types.is_list(column.type) or pa.types.is_large_list(column.type)
    lists = lists or pa.types.is_fixed_size_list(column.type)
    values = column.flatten() if lists else column
    if not (pa.types.is_integer(values.type) or pa.types.is_floating(values.type)):
        raise DataError(f"{file}: {name} is of type {column.type}; numbers, or lists of numbers, are expected")
    if values.null_count:
        raise DataError(f"{file}, row {row + _row_of_null(column, values) + 1}: there is a null in {name}")
    array = values.to_numpy(zero_copy_only=False)
    if not lists:
        return array
    lengths = column.value_lengths().to_numpy(zero_copy_only=False)
    wrong = np.flatnonzero(lengths != lengths[:1])
    if len(wrong):
        place = int(wrong[0])
        length = counted(int(lengths[place]), "number")
        raise DataError(f"{file}, row {row + place + 1}: {name} has {length}, but row {row + 1} has {lengths[0]}")
    return array.reshape(len(column), -1) if len(column) else array.reshape(0, 0)


def _row_of_null(column: Any, values: Any) -> int:
    """The first row, from 0, of a column of lists with a null among its numbers or names, which are `values`."""
    ends = np.cumsum(column.value_lengths().to_numpy(zero_copy_only=False))
    return int(np.searchsorted(ends, values.is_null().to_pylist().index(True), side="right"))


def all_features(file: Path, source: Any, name: str) -> np.ndarray:
    total, rows, start = source.metadata.num_rows, None, 0
    for part, _ in feature_chunks(file, source, name, None):
        if rows is None:
            rows = np.empty((total, part.shape[1]), np.float64 if part.dtype.itemsize > 4 else np.float32)
        if part.shape[1] != rows.shape[1]:
            length = counted(part.shape[1], "number")
            raise DataError(f"{file}, row {start + 1}: {name} has {length}, but row 1 has {rows.shape[1]}")
        rows[start : start + len(part)] = part
        start += len(part)
    if rows is None:
        raise DataError(f"{file}: there are no rows in it")
    return rows


def texts(file: Path, source: Any, name: str, setting: str) -> list[str]:
    """A column as text; `setting` named it."""
    _require(file, source, name, setting)
    return _names(file, source.read(columns=[name]).column(name), name, 0)


def _names(file: Path, column: Any, name: str, row: int) -> list[str]:
    """A column of strings or integers as text; its first row is `row`, from 0."""
    import pyarrow as pa

    type_ = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not any(is_known(type_) for is_known in (pa.types.is_string, pa.types.is_large_string, pa.types.is_integer)):
        raise DataError(f"{file}: {name} is of type {column.type}; strings or integers are expected")
    values = column.to_pylist()
    if None in values:
        raise DataError(f"{file}, row {row + values.index(None) + 1}: {name} is null; a name is expected")
    return [str(value) for value in values]


def label_column(file: Path, source: Any, labels: str | Sequence[str]) -> tuple[Any, Any]:
    """Of a column of lists their starts and their values (strings, integers); of several the targets and the mask."""
    import pyarrow as pa

    if not isinstance(labels, str):
        columns = []
        for name in labels:
            _require(file, source, name, "dataset.labels")
            column = source.read(columns=[name]).column(name)
            if not (
                pa.types.is_boolean(column.type)
                or pa.types.is_integer(column.type)
                or pa.types.is_floating(column.type)
            ):
                raise DataError(f"{file}: the label {name!r} is of type {column.type}; 0, 1 or null is expected")
            values = [np.nan if value is None else float(value) for value in column.to_pylist()]
            columns.append(np.array(values, np.float32))
        return matrix_targets(file, np.stack(columns, axis=1), source.metadata.num_rows)
    _require(file, source, labels, "dataset.labels")
    column = source.read(columns=[labels]).column(labels).combine_chunks()
    if not (pa.types.is_list(column.type) or pa.types.is_large_list(column.type)):
        raise DataError(
            f"{file}: {labels} is of type {column.type}; lists are expected; for columns of 0 and 1 type "
            "'dataset.labels=[A,B]'"
        )
    if column.null_count:
        row = column.is_null().to_pylist().index(True)
        raise DataError(f"{file}, row {row + 1}: {labels} is null; an empty list says that there is no label")
    lengths = column.value_lengths().to_numpy(zero_copy_only=False)
    values = column.flatten()
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    known = (pa.types.is_string, pa.types.is_large_string, pa.types.is_integer, pa.types.is_null)
    if not any(is_known(values.type) for is_known in known):
        raise DataError(
            f"{file}: {labels} is of type {column.type}; lists of names (strings) or of whole numbers are expected"
        )
    if values.null_count:
        raise DataError(f"{file}, row {_row_of_null(column, values) + 1}: there is a null in {labels}")
    return np.append(0, np.cumsum(lengths, dtype=np.int64)), values
