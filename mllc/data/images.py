"""Images listed in CSV files, one a split: a column of paths and a column of joined label names."""

import csv
import difflib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from mllc.data.assemble import assemble
from mllc.data.files import encoding, encoding_notes, existing_file
from mllc.data.image_cache import cache_folder, decoded
from mllc.data.rows import image_rows, select
from mllc.errors import ConfigError, DataError
from mllc.types import Dataset, Split
from mllc.wording import counted, listed


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
    cache: str | None = None,
) -> Dataset:
    """CSV files with a header, one a split, that name images and their labels (`a.jpeg,sea|sun`).

    root          the folder that the paths start from; they stay inside it
    size          height and width of the images, which are squeezed into the square, in pixels
    vocabulary    a file with one label name a line; None: all names that occur in the splits, sorted
    separator     between label names; an empty cell means no label
    on_bad_image  `error`, or `skip`: leave out the images that are missing or cannot be decoded, and say so
    cache         the folder for decoded images; None: $MLLC_CACHE or ~/.cache/mllc

    Images are uint8 RGB. Raises DataError, naming file and line, and ConfigError for wrong settings.
    """
    folder = Path(root).expanduser()
    if not folder.is_dir():
        raise DataError(f"dataset.root={root}: there is no such folder")
    if size < 1:
        raise ConfigError(f"dataset.size={size}: 1 pixel or more is needed")
    if not separator:
        raise ConfigError("dataset.separator is empty: one or more characters are needed, such as '|'")
    if on_bad_image not in ("error", "skip"):
        raise ConfigError(f"dataset.on_bad_image={on_bad_image}: error or skip is needed")
    notes: list[str] = []
    lists = {
        split: _read(existing_file(path, f"dataset.{split}"), folder, image_column, label_column, separator, notes)
        for split, path in (("train", train), ("val", val), ("test", test))
        if path is not None
    }
    _note_shared(lists, notes)
    if vocabulary is None:
        notes += _separator_notes(lists, separator)
        names = sorted({name for entries in lists.values() for entry in entries for name in entry.labels})
        notes.append(f"no vocabulary is given: {counted(len(names), 'label name')} found in the splits")
    else:
        names = _vocabulary(existing_file(vocabulary, "dataset.vocabulary"))
    column = {name: index for index, name in enumerate(names)}
    for entries in lists.values():
        _check_labels(entries, column, vocabulary, separator)
    splits = {
        split: _split(split, entries, column, folder, size, on_bad_image == "skip", cache_folder(cache), notes)
        for split, entries in lists.items()
    }
    return assemble("images", names, notes=notes, **splits)


SEPARATORS = (";", ",", "|", "/", " ")
"""Marks that are looked for where a cell seems to be separated by another than the one given."""


class _Entry(NamedTuple):
    """A row of a list: the image as written, its labels, where it stands."""

    image: str
    labels: list[str]
    place: str


def _read(
    file: Path, root: Path, image_column: str, label_column: str, separator: str, notes: list[str]
) -> list[_Entry]:
    entries: list[_Entry] = []
    seen: dict[str, str] = {}
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
                path = os.path.normpath(row[image])
                if not row[image].strip():
                    raise DataError(f"{place}: no image is named")
                if os.path.relpath(root / path, root).split(os.sep)[0] == os.pardir:
                    raise DataError(f"{place}: {row[image]!r} leads out of dataset.root={root}")
                if path in seen:
                    raise DataError(f"{place}: {row[image]!r} occurs already in {seen[path]}")
                seen[path] = place
                labels = [label.strip() for label in row[label].split(separator)] if row[label].strip() else []
                if "" in labels:
                    raise DataError(f"{place}: an empty label name in {row[label]!r}")
                entries.append(_Entry(path, labels, place))
        except csv.Error as error:
            raise DataError(f"{file}, line {reader.line_num}: not CSV: {error}") from None
    if not entries:
        raise DataError(f"{file}: there are no rows behind the header")
    return entries


def _column(file: Path, header: Sequence[str], column: str, setting: str) -> int:
    if column not in header:
        close = difflib.get_close_matches(column, header, n=1)
        hint = f"; did you mean dataset.{setting}={close[0]}?" if close else f"; type dataset.{setting}=NAME"
        raise DataError(f"{file}, line 1: there is no column {column!r} in the header {','.join(header)[:80]!r}{hint}")
    if header.count(column) > 1:
        raise DataError(f"{file}, line 1: the column {column!r} occurs more than once in the header")
    return header.index(column)


def _vocabulary(file: Path) -> list[str]:
    names: dict[str, int] = {}
    with file.open(encoding=encoding(file)) as stream:
        for number, line in enumerate(stream, 1):
            name = line.strip()
            if name in names:
                raise DataError(f"{file}, line {number}: label {name!r} occurs already in line {names[name]}")
            if name:
                names[name] = number
    return list(names)


def _separator_notes(lists: dict[str, list[_Entry]], separator: str) -> list[str]:
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


def _check_labels(entries: Sequence[_Entry], column: dict[str, int], vocabulary: str | None, separator: str) -> None:
    for entry in entries:
        for name in entry.labels:
            if name not in column:
                close = difflib.get_close_matches(name, column, n=1)
                marks = [mark for mark in SEPARATORS if {part.strip() for part in name.split(mark)} <= column.keys()]
                hint = f"; did it mean {close[0]!r}?" if close else ""
                hint = f"; labels are separated by {separator!r} here; type {_setting(marks[0])}" if marks else hint
                raise DataError(f"{entry.place}: label {name!r} is not in dataset.vocabulary={vocabulary}{hint}")


def _note_shared(lists: dict[str, list[_Entry]], notes: list[str]) -> None:
    train = {entry.image for entry in lists["train"]}
    for split, entries in lists.items():
        shared = [entry.image for entry in entries if entry.image in train]
        if split != "train" and shared:
            verb = "is" if len(shared) == 1 else "are"
            notes.append(f"{counted(len(shared), 'image')} of {split} {verb} in train as well: {listed(shared)}")


def _split(
    split: str,
    entries: list[_Entry],
    column: dict[str, int],
    root: Path,
    size: int,
    skip: bool,
    cache: Path,
    notes: list[str],
) -> Split:
    pixels, unreadable = decoded([root / entry.image for entry in entries], size, cache)
    if unreadable:
        index, reason = next(iter(unreadable.items()))
        bad = f"{entries[index].place}: {entries[index].image}: {reason}"
        if not skip:
            more = f" (and {len(unreadable) - 1} more)" if len(unreadable) > 1 else ""
            raise DataError(f"{bad}{more}; type dataset.on_bad_image=skip to leave out such images")
        notes.append(f"{counted(len(unreadable), 'image')} of {split} skipped; the first: {bad}")
    targets = torch.zeros(len(entries), len(column), dtype=torch.uint8)
    for row, entry in enumerate(entries):
        targets[row, [column[name] for name in entry.labels]] = 1
    ids = tuple(entry.image for entry in entries)
    if not unreadable:
        return Split(image_rows(pixels), targets, ids)
    kept = torch.tensor([row for row in range(len(entries)) if row not in unreadable], dtype=torch.int64)
    return Split(select(image_rows(pixels), kept), targets[kept], tuple(ids[row] for row in kept.tolist()))
