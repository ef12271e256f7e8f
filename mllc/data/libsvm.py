"""The multi-label form of LIBSVM's text files: `2,3 1:0.09 7:1`, labels and then what is not zero."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mllc.data.assemble import assemble
from mllc.data.files import existing_file, same_file_notes
from mllc.data.rows import Sparse
from mllc.data.svmlight import read_lines
from mllc.data.svmlight_counts import count_features, count_labels
from mllc.data.svmlight_table import (
    Table,
    check_scale,
    dense_chunks,
    feature_matrix,
    label_names,
    lines_table,
    read_table,
    targets,
)
from mllc.errors import ConfigError, DataError
from mllc.types import Dataset, Samples, Split
from mllc.wording import counted

SCALED = 10
"""Larger values do not come from a program that scaled or standardized them."""


def libsvm(
    *,
    train: str,
    test: str | None = None,
    val: str | None = None,
    index_base: str | int = "auto",
    num_features: int | None = None,
    num_labels: int | None = None,
    vocabulary: str | None = None,
    scale: str = "none",
) -> Dataset:
    """Files of rows `label,label index:value ...`, one a split; a row without labels begins with a space or an index.

    index_base    number of the first feature: 0, 1 or `auto`: 0 where an index 0 occurs in any of the files, else 1
    num_features  None: as the largest index of all files has it
    num_labels    labels are numbered from 0; None: as the largest label of all files, or the vocabulary, has it
    vocabulary    a file with one label name a line; None: label0, label1, ...
    scale         `unit`: each row is divided by its Euclidean norm

    Features and targets stay sparse. Raises DataError, naming file and line, for what cannot be understood.
    """
    check_scale(scale)
    if str(index_base) not in ("auto", "0", "1"):
        raise ConfigError(f"dataset.index_base={index_base}: auto, 0 or 1 is needed")
    given = {"train": train, "val": val, "test": test}
    files = {split: existing_file(path, f"dataset.{split}") for split, path in given.items() if path is not None}
    tables = {split: _read(file) for split, file in files.items()}
    base, notes = _base(tables.values(), str(index_base))
    notes = same_file_notes(files) + notes
    for table in tables.values():
        if table.num_blank:
            notes.append(f"{table.file.name}: {counted(table.num_blank, 'blank line')} skipped")
    if num_features is None:
        num_features = count_features([*tables.values()], base)
        notes.append(f"{counted(num_features, 'feature')}, as the largest index has it")
    if scale == "none":
        notes += _unscaled(tables["train"], num_features)
    said_by = f"dataset.num_labels={num_labels}"
    if num_labels is None and vocabulary is not None:
        num_labels, said_by = len(label_names(vocabulary)), f"dataset.vocabulary={vocabulary}"
    elif num_labels is None:
        num_labels = count_labels([*tables.values()])
        said_by = "the largest label of the files"
        notes.append(f"{counted(num_labels, 'label')}, as the largest number has it")
        if num_labels == 0:
            raise DataError("there are no labels in the files: `label,label index:value ...` is expected")
    names = label_names(vocabulary, num_labels, said_by)
    splits: dict[str, Any] = {
        split: Split(
            Sparse(feature_matrix(table, base, num_features, scale)),
            targets(table, table.labels, num_labels, said_by),
            tuple(f"{split}:{row}" for row in range(len(table))),
        )
        for split, table in tables.items()
    }
    encoding = {"num_features": num_features, "index_base": base, "scale": scale}
    return assemble("features", names, notes=notes, encoding=encoding, **splits)


def samples(path: Path, settings: Mapping[str, Any], encoding: Mapping[str, Any]) -> Iterator[Samples]:
    """The samples of a file as the features of the data set; their labels, if there are any, are not looked at."""
    row = 0
    for lines in read_lines(existing_file(path, "INPUT")):
        table = lines_table(path, [lines])
        matrix = feature_matrix(table, encoding["index_base"], encoding["num_features"], encoding["scale"])
        for inputs in dense_chunks(matrix):
            yield Samples([f"{path.name}:{row + number}" for number in range(len(inputs))], inputs)
            row += len(inputs)
    if not row:
        raise DataError(f"{path}: there are no samples in it")


def _read(file: Path) -> Table:
    with file.open("rb") as stream:
        words = stream.readline(100).split()
    if len(words) == 3 and all(map(bytes.isdigit, words)):
        raise DataError(
            f"{file}, line 1: {b' '.join(words).decode()!r} is the header of the extreme-classification form; type "
            "dataset=extreme"
        )
    table = read_table(file)
    if not len(table):
        raise DataError(f"{file}: there are no rows in it")
    return table


def _unscaled(table: Table, num_features: int) -> list[str]:
    """What to tell of dense features in units of their own, which other formats standardize."""
    largest = float(np.abs(table.values).max(initial=0))
    if 2 * len(table.values) <= len(table) * num_features or largest <= SCALED:
        return []
    return [
        f"features are used as they are, up to {largest:g} in size, though most are not 0: dense features are "
        "standardized by dataset=npz, parquet or arff; dataset.scale=unit makes each row of length 1"
    ]


def _base(tables: Iterable[Table], said: str) -> tuple[int, list[str]]:
    """The number of the first feature, the same for all files, and what to tell of it."""
    lowest = [int(table.features.columns.min()) for table in tables if len(table.features.columns)]
    if not lowest:
        raise DataError("there are no features in the files: `index:value` is expected behind the labels")
    if said != "auto":
        return int(said), []
    if min(lowest) == 0:
        return 0, ["features are numbered from 0, for an index 0 occurs; dataset.index_base=1 would refuse it"]
    return 1, ["features are numbered from 1, for no index is 0; otherwise type dataset.index_base=0"]
