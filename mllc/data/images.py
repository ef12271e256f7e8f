"""Images listed in CSV files, one a split: a column of paths and a column of joined label names."""

import csv
import difflib
from collections.abc import Sequence
from pathlib import Path

from mllc.data.files import encoding, encoding_notes, existing_file
from mllc.data.image_dataset import check_image_settings, image_dataset
from mllc.data.image_list import Entry, image_root, inside, read_vocabulary, require_entries
from mllc.errors import ConfigError, DataError
from mllc.types import Dataset
from mllc.wording import counted


def images(
    *,
    root: str,
    train: str,
    test: str | None = None,
    val: str | None = None,
    size: int = 64,
    vocabulary: str | None = None,
    image_column: str = "image",
    label_column: str = "labels",
    separator: str = "|",
    on_bad_image: str = "error",
    cache: str = "auto",
    cache_folder: str | None = None,
) -> Dataset:
    """CSV files with a header, one a split, that name images and their labels (`a.jpeg,sea|sun`).

    root          the folder that the paths start from; they stay inside it
    size          height and width of the images, which are squeezed into the square, in pixels
    vocabulary    a file with one label name a line; None: all names that occur in the splits, sorted
    separator     between label names; an empty cell means no label
    on_bad_image  `error`, or `skip`: leave out the images that are missing or cannot be decoded, and say so
    cache         where decoded pixels are kept: see `image_dataset`
    cache_folder  for decoded images; None: $MLLC_CACHE or ~/.cache/mllc

    Images are uint8 RGB. Raises DataError, naming file and line, and ConfigError for wrong settings.
    """
    folder = image_root(root)
    check_image_settings(size, on_bad_image, cache)
    if not separator:
        raise ConfigError("dataset.separator is empty: one or more characters are needed, such as '|'")
    notes: list[str] = []
    lists = {
        split: _read(existing_file(path, f"dataset.{split}"), folder, image_column, label_column, separator, notes)
        for split, path in (("train", train), ("val", val), ("test", test))
        if path is not None
    }
    if vocabulary is None:
        notes += _separator_notes(lists, separator)
        names = sorted({name for entries in lists.values() for entry in entries for name in entry.labels})
        notes.append(f"no vocabulary is given: {counted(len(names), 'label name')} found in the splits")
    else:
        names = read_vocabulary(existing_file(vocabulary, "dataset.vocabulary"))
    column = {name: index for index, name in enumerate(names)}
    for entries in lists.values():
        _check_labels(entries, column, vocabulary, separator)
    return image_dataset(
        names,
        lists,
        folder,
        size=size,
        on_bad_image=on_bad_image,
        cache=cache,
        cache_at=cache_folder,
        notes=notes,
    )


SEPARATORS = (";", ",", "|", "/", " ")
"""Marks that are looked for where a cell seems to be separated by another than the one given."""


def _read(
    file: Path, root: Path, image_column: str, label_column: str, separator: str, notes: list[str]
) -> list[Entry]:
    entries: list[Entry] = []
    name = encoding(file)
    notes += encoding_notes(file, name)
    with file.open(encoding=name, newline="") as stream:
        reader = csv.reader(stream, strict=True)
        try:
            header = next(reader, [])
            image, label = (
                _column(file, header, column, setting)
                for column, setting in ((image_column, "image_column"), (label_column, "label_column"))
            )
            if image == label:
                others = ", ".join(name for name in header if name != label_column) or "none"
                raise DataError(
                    f"{file}: dataset.label_column={label_column} is the column of the images as well; type the one of "
                    f"the labels: dataset.label_column=NAME (other columns: {others})"
                )
            for row in reader:
                place = f"{file}, line {reader.line_num}"
                if not row:
                    continue
                if len(row) != len(header):
                    raise DataError(
                        f"{place}: {counted(len(row), 'value')}, but the header has {counted(len(header), 'column')}"
                    )
                path = inside(row[image], root, place)
                labels = [label.strip() for label in row[label].split(separator)] if row[label].strip() else []
                if "" in labels:
                    raise DataError(f"{place}: an empty label name in {row[label]!r}")
                entries.append(Entry(path, labels, place))
        except csv.Error as error:
            raise DataError(f"{file}, line {reader.line_num}: not CSV: {error}") from None
    require_entries(entries, file)
    return entries


def _column(file: Path, header: Sequence[str], column: str, setting: str) -> int:
    if column not in header:
        close = difflib.get_close_matches(column, header, n=1)
        hint = f"; did you mean dataset.{setting}={close[0]}?" if close else f"; type dataset.{setting}=NAME"
        raise DataError(f"{file}, line 1: there is no column {column!r} in the header {','.join(header)[:80]!r}{hint}")
    if header.count(column) > 1:
        raise DataError(f"{file}, line 1: the column {column!r} occurs more than once in the header")
    return header.index(column)


def _separator_notes(lists: dict[str, list[Entry]], separator: str) -> list[str]:
    """Where no cell holds the separator, and several hold the same other mark: whole cells have become labels."""
    cells = [entry.labels for entries in lists.values() for entry in entries]
    if any(len(labels) > 1 for labels in cells):
        return []
    marks = [mark for mark in SEPARATORS[:3] if mark != separator]  # the others are common within a name
    found = {mark: sum(mark in name for labels in cells for name in labels) for mark in marks}
    mark = max(found, key=found.__getitem__)
    told = f"no cell holds the separator {separator!r}, but {found[mark]} hold {mark!r}: if that separates labels, type"
    return [f"{told} {_setting(mark)}"] if found[mark] > 1 else []


def _setting(mark: str) -> str:
    return f"""'dataset.separator="{mark}"'"""


def _check_labels(entries: Sequence[Entry], column: dict[str, int], vocabulary: str | None, separator: str) -> None:
    for entry in entries:
        for name in entry.labels:
            if name not in column:
                close = difflib.get_close_matches(name, column, n=1)
                marks = [mark for mark in SEPARATORS if {part.strip() for part in name.split(mark)} <= column.keys()]
                hint = f"; did it mean {close[0]!r}?" if close else ""
                hint = f"; labels are separated by {separator!r} here; type {_setting(marks[0])}" if marks else hint
                raise DataError(f"{entry.place}: label {name!r} is not in dataset.vocabulary={vocabulary}{hint}")
