"""The text files of extreme classification: a header with the counts, features numbered from 0; one file, or a pair."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mllc.data.assemble import assemble
from mllc.data.files import existing_file, same_file_notes
from mllc.data.rows import Sparse
from mllc.data.svmlight import LARGEST_INDEX, read_lines
from mllc.data.svmlight_table import (
    Ragged,
    Table,
    check_scale,
    dense_chunks,
    feature_matrix,
    label_names,
    lines_table,
    read_table,
    targets,
)
from mllc.errors import DataError
from mllc.types import Dataset, Samples, Split
from mllc.wording import are, counted

FEATURES, LABELS = "_X_Xf", "_X_Y"
"""What the names of the two files of a pair differ in."""


@dataclass(frozen=True)
class Header:
    """The first line: `samples features labels`, or `samples columns` of one file of a pair."""

    file: Path
    samples: int
    columns: int
    labels: int | None


def extreme(
    *,
    train: str,
    test: str | None = None,
    val: str | None = None,
    train_labels: str | None = None,
    test_labels: str | None = None,
    val_labels: str | None = None,
    vocabulary: str | None = None,
    scale: str = "none",
) -> Dataset:
    """Files of the Extreme Classification Repository, sparse, in the forms in which data sets were released.

    train   `samples features labels`, then rows `label,label index:value ...`; or the first of a pair, `trn_X_Xf.txt`:
            `samples features`, then rows `index:value ...`
    train_labels  of a pair the second, `trn_X_Y.txt`: `samples labels`, then rows `label:1 ...`; None: by the name of
            the first. test, val, test_labels and val_labels likewise
    vocabulary    a file with one label name a line; None: label0, label1, ...
    scale         `unit`: each row is divided by its Euclidean norm

    Labels and features are numbered from 0. A row may be empty: a sample without labels or without features.
    Raises DataError, naming file and line, for what cannot be understood and for a header that the rows contradict.
    """
    check_scale(scale)
    given = {"train": (train, train_labels), "val": (val, val_labels), "test": (test, test_labels)}
    splits: dict[str, Any] = {}
    notes: list[str] = []
    first, files = None, {}
    for split, (path, labels) in given.items():
        if path is not None:
            part = _read(split, path, labels)
            first, files[split] = first or part, part.table.file
            _same_counts(first, part)
            splits[split] = _split(split, part, scale)
            empty = int((np.diff(part.table.features.starts) == 0).sum())
            notes += [f"{part.table.file.name}: {counted(empty, 'sample')} without features"] if empty else []
        elif labels is not None:
            raise DataError(
                f"dataset.{split}_labels={labels}: type dataset.{split}=FILE, that of the features, as well"
            )
    assert first is not None, "train is always given"
    notes = same_file_notes(files) + notes
    encoding = {"num_features": first.num_features, "scale": scale}
    said_by = f"{first.holder.file}, line 1: as the header says"
    names = label_names(vocabulary, first.num_labels, said_by)
    return assemble("features", names, notes=notes, encoding=encoding, **splits)


def samples(path: Path, settings: Mapping[str, Any], encoding: Mapping[str, Any]) -> Iterator[Samples]:
    """The samples of a file of either form as the features of the data set; their labels are not looked at."""
    header = _header(existing_file(path, "INPUT"), "the run reads dataset=extreme")
    if header.columns != encoding["num_features"]:
        raise DataError(
            f"{path}, line 1: the header says {counted(header.columns, 'feature')}, but the model was trained on "
            f"{encoding['num_features']}"
        )
    row = 0
    for lines in read_lines(path, skip=1):
        left = header.samples - row
        if not lines.blank[left:].all():
            raise DataError(f"{path}: the header says {counted(header.samples, 'sample')}, but there are more rows")
        table = lines_table(path, [lines], keep_blank=True).first(left)
        for inputs in dense_chunks(feature_matrix(table, 0, header.columns, encoding["scale"])):
            yield Samples([f"{path.name}:{row + number}" for number in range(len(inputs))], inputs)
            row += len(inputs)
    if row < header.samples:
        raise DataError(
            f"{path}: the header says {counted(header.samples, 'sample')}, but there {are(row)} {counted(row, 'row')}"
        )


@dataclass(frozen=True, eq=False)
class _Part:
    """A split as its files have it: `labels` are those of the rows of `holder`, which said how many there are."""

    table: Table
    holder: Table
    labels: Ragged
    num_features: int
    num_labels: int


def _read(split: str, path: str, labels: str | None) -> _Part:
    file = existing_file(path, f"dataset.{split}")
    header = _header(file)
    if not header.columns:
        raise DataError(f"{file}, line 1: the header says 0 features")
    table = _table(header)
    if header.labels is None:
        _refuse_labels(table)
        other = _header(_label_file(file, labels, f"dataset.{split}_labels"))
        holder = _label_table(other, header)
        return _Part(table, holder, holder.features, header.columns, other.columns)
    if labels is not None:
        raise DataError(
            f"dataset.{split}_labels={labels}: {file} holds its labels itself, as its header `samples features labels` "
            "says; leave out one of the two"
        )
    return _Part(table, table, table.labels, header.columns, header.labels)


def _same_counts(first: _Part, part: _Part) -> None:
    if (first.num_features, first.num_labels) != (part.num_features, part.num_labels):
        raise DataError(
            f"{part.table.file} has {counted(part.num_features, 'feature')} and {counted(part.num_labels, 'label')}, "
            f"but {first.table.file} has {first.num_features} and {first.num_labels}"
        )


def _split(name: str, part: _Part, scale: str) -> Split:
    said_by = f"as the header of {part.holder.file.name} says"
    return Split(
        Sparse(feature_matrix(part.table, 0, part.num_features, scale)),
        targets(part.holder, part.labels, part.num_labels, said_by),
        tuple(f"{name}:{row}" for row in range(len(part.table))),
    )


def _header(file: Path, advice: str = "for files without a header type dataset=libsvm") -> Header:
    with file.open("rb") as stream:
        line = stream.readline(1000).removeprefix(b"\xef\xbb\xbf")
    words = line.split()
    if len(words) not in (2, 3) or not all(map(bytes.isdigit, words)):
        raise DataError(
            f"{file}, line 1: the header `samples features labels`, or `samples features` of a pair of files, is "
            f"expected, not {line[:40].decode('utf-8', 'replace').rstrip()!r}; {advice}"
        )
    large = next((word for word in words if len(word) > 10 or int(word) > LARGEST_INDEX), None)
    if large is not None:
        what = ("samples", "features" if len(words) == 3 else "columns", "labels")[words.index(large)]
        raise DataError(
            f"{file}, line 1: the header says {large[:40].decode()} {what}; at most {LARGEST_INDEX:,} are possible"
        )
    samples, columns, *labels = map(int, words)
    return Header(file, samples, columns, labels[0] if labels else None)


def _table(header: Header) -> Table:
    """All rows, as many as the header says; blank lines behind the last one are none."""
    table = read_table(header.file, skip=1, keep_blank=True)
    surplus = len(table) - header.samples
    held = np.diff(table.features.starts) + np.diff(table.labels.starts)
    if surplus < 0 or held[header.samples :].any():
        raise DataError(
            f"{header.file}: the header says {counted(header.samples, 'sample')}, but there "
            f"{are(len(table))} {counted(len(table), 'row')}; is the file complete?"
        )
    return table.first(header.samples) if surplus else table


def _refuse_labels(table: Table) -> None:
    rows = np.flatnonzero(np.diff(table.labels.starts))
    if len(rows):
        raise DataError(
            f"{table.place(int(rows[0]))}: `index:value` is expected, not the label {table.labels.columns[0]}: a "
            "header of two counts is that of a file without labels"
        )


def _label_file(file: Path, given: str | None, setting: str) -> Path:
    if given is not None:
        return existing_file(given, setting)
    derived = file.with_name(file.name.replace(FEATURES, LABELS))
    if derived == file or not derived.is_file():
        looked = "" if derived == file else f" (there is no {derived.name} beside it)"
        raise DataError(f"{file} holds no labels, as its header says: type {setting}=FILE{looked}")
    return derived


def _label_table(header: Header, features: Header) -> Table:
    if header.labels is not None or header.samples != features.samples:
        counts = f"{header.samples} {header.columns}" + (f" {header.labels}" if header.labels is not None else "")
        raise DataError(
            f"{header.file}, line 1: `{features.samples} LABELS` is expected, not {counts!r}: {features.file} has "
            f"{counted(features.samples, 'sample')}"
        )
    table = _table(header)
    _refuse_labels(table)
    wrong = np.flatnonzero(table.values != 1)
    if len(wrong):
        place = int(wrong[0])
        raise DataError(
            f"{table.place(table.features.row_of(place))}: label {table.features.columns[place]} has the value "
            f"{table.values[place]:g}; a label that is true is written `label:1`"
        )
    return table
