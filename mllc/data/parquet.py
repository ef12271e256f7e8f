"""Vectors and their labels in Parquet files, one a split: a list column, or numbered columns, of features."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from mllc.data.files import existing_file, same_file_notes
from mllc.data.image_list import read_vocabulary
from mllc.data.label_arrays import list_labels
from mllc.data.parquet_columns import all_features, feature_chunks, label_column, texts
from mllc.data.parquet_file import open_parquet
from mllc.data.rows import target_rows
from mllc.data.vectors import Vectors, encoded, vector_dataset
from mllc.errors import DataError
from mllc.types import Dataset, Samples, Targets
from mllc.wording import are, counted, listed


def parquet(
    *,
    train: str,
    test: str | None = None,
    val: str | None = None,
    features: str = "features",
    labels: str | Sequence[str] = "labels",
    vocabulary: str | None = None,
    ids: str | None = None,
    standardize: bool = True,
    group: str | None = None,
) -> Dataset:
    """Parquet files, one a split, read by pyarrow (pip install 'mllc[parquet]').

    features     a column of lists of numbers, all of one length; or what numbered columns begin with, NAME0, NAME1, ...
                 or NAME_0, NAME_1, ...
    labels       a column of lists of names or of numbers from 0 (an empty list: no label); or a list of columns, which
                 hold 0, 1 or null (unknown)
    vocabulary   a file with one label name a line; None: the names that occur in the files, sorted, or label0, label1
    ids          the column of the samples' names; None: they are numbered
    standardize  each feature gets mean 0 and variance 1, by the training file
    group        the column of the samples' groups (split.group)

    Raises DataError, naming file and column or row (from 1), for what cannot be understood.
    """
    given = {"train": train, "val": val, "test": test}
    files = {split: existing_file(path, f"dataset.{split}") for split, path in given.items() if path is not None}
    names = None if vocabulary is None else read_vocabulary(existing_file(vocabulary, "dataset.vocabulary"))
    notes = same_file_notes(files)
    vectors, truth, others = {}, {}, {}
    for split, file in files.items():
        with open_parquet(file) as source:
            vectors[split] = all_features(file, source, features)
            others[split] = [
                None if name is None else texts(file, source, name, setting)
                for name, setting in ((ids, "dataset.ids"), (group, "split.group"))
            ]
            truth[split] = label_column(file, source, labels)
    if isinstance(labels, str):
        names, known = _of_lists(files, truth, names, notes)
    else:
        if names is not None and len(names) != len(labels):
            raise DataError(
                f"dataset.vocabulary={vocabulary} has {counted(len(names), 'name')}, but there {are(len(labels))} "
                f"{counted(len(labels), 'column')}"
            )
        names, known = names or list(labels), truth
    parts = {split: Vectors(file, vectors[split], *known[split], *others[split]) for split, file in files.items()}
    return vector_dataset(names, parts, standardize=standardize, notes=notes)


def samples(path: Path, settings: Mapping[str, Any], encoding: Mapping[str, Any]) -> Iterator[Samples]:
    """The vectors of a file in the form of the data set, a chunk at a time; only their columns (and ids) are read."""
    file, row = existing_file(path, "INPUT"), 0
    ids = settings.get("ids")
    with open_parquet(file) as source:
        ids = ids if ids in source.schema_arrow.names else None
        for rows, names in feature_chunks(file, source, settings.get("features") or "features", ids):
            inputs = encoded(rows, encoding, file, row)
            yield Samples(names or [f"{file.name}:{row + number}" for number in range(len(rows))], inputs)
            row += len(rows)
    if not row:
        raise DataError(f"{file}: there are no samples in it")


def _of_lists(
    files: Mapping[str, Path], lists: Mapping[str, tuple[np.ndarray, Any]], names: list[str] | None, notes: list[str]
) -> tuple[list[str], dict[str, tuple[Targets, Tensor | None]]]:
    """Label names, and targets of lists of names or of numbers."""
    import pyarrow as pa

    kinds = {split: pa.types.is_integer(values.type) for split, (_, values) in lists.items() if len(values)}
    if len(set(kinds.values())) > 1:
        raise DataError(
            f"the labels are numbers in one file and names in another: {listed(list(map(str, files.values())))}"
        )
    numbers = {}
    if not any(kinds.values()):
        spelled = {split: values.to_pylist() for split, (_, values) in lists.items()}
        for split, values in spelled.items():
            nameless = next((number for number, name in enumerate(values) if not name.strip()), None)
            if nameless is not None:
                row = int(np.searchsorted(lists[split][0], nameless, side="right"))
                raise DataError(f"{files[split]}, row {row}: a label without a name, {values[nameless]!r}")
        if names is None:
            names = sorted({name for values in spelled.values() for name in values})
            notes.append(f"no vocabulary is given: {counted(len(names), 'label name')} found in the splits")
        place = {name: number for number, name in enumerate(names)}
        for split, values in spelled.items():
            strange = next((number for number, name in enumerate(values) if name not in place), None)
            if strange is not None:
                row = int(np.searchsorted(lists[split][0], strange, side="right"))
                raise DataError(f"{files[split]}, row {row}: label {values[strange]!r} is not in dataset.vocabulary")
            numbers[split] = np.array([place[name] for name in values], np.int64)
    else:
        numbers = {split: values.to_numpy(zero_copy_only=False) for split, (_, values) in lists.items()}
        numbers = {split: values.astype(np.int64) for split, values in numbers.items()}
    checked = {
        split: list_labels(files[split], numbers[split], starts, len(starts) - 1)
        for split, (starts, _) in lists.items()
    }
    if names is None:
        num_labels = max(int(columns.max(initial=-1)) for _, columns in checked.values()) + 1
        notes.append(f"{counted(num_labels, 'label')}, as the largest number has it")
        names = [f"label{label}" for label in range(num_labels)]
    known: dict[str, tuple[Targets, Tensor | None]] = {}
    for split, (starts, columns) in checked.items():
        wrong = np.flatnonzero(columns >= len(names))
        if len(wrong):
            row = int(np.searchsorted(starts, wrong[0], side="right"))
            raise DataError(
                f"{files[split]}, row {row}: label {columns[wrong[0]]} is not among those of "
                f"dataset.vocabulary, 0 to {len(names) - 1}"
            )
        known[split] = target_rows(starts, columns, len(names)), None
    return names, known
