"""Lists of images, looked at by their first rows: the columns, how labels are spelled, where the images are."""

import csv
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mllc.data.image_names import IMAGE_SUFFIXES
from mllc.data.parquet_file import open_parquet, require_pyarrow
from mllc.errors import DataError

LABEL_COLUMNS = (
    *("labels", "label", "tags", "tag", "genres", "genre", "classes", "categories", "finding labels", "targets"),
    "attributes",
)
"""What a column of labels is called, in any case."""

VOCABULARIES = ("labels.txt", "label_names.txt", "names.txt", "classes.txt", "vocabulary.txt")
"""Files of label names that count where they are beside a list."""

FOLDERS = (".", "images", "Images", "img", "imgs", "JPEGImages", "data", "..", "../images", "../img", "../..")
"""Where the images of a list are looked for, from the list's own folder."""

VALUES = re.compile(r"\s*(.+?)((\s+(0|1|-1))+)\s*")
"""A line of an image and its values."""

ROWS = 50
"""How many are looked at."""


@dataclass(frozen=True)
class Table:
    """The first rows of a table; a cell is text, mostly."""

    header: Sequence[str]
    rows: Sequence[Sequence[Any]]

    def column(self, name: str) -> list[Any]:
        place = self.header.index(name)
        return [row[place] for row in self.rows if len(row) > place]

    @property
    def image_column(self) -> str | None:
        """The first column of which every cell is the name of an image file."""
        columns = (name for name in self.header if self.column(name))
        return next((name for name in columns if all(map(is_image, self.column(name)))), None)


def is_image(cell: Any) -> bool:
    """Whether a cell names an image file.

    >>> is_image("a/b.JPG"), is_image("3.5"), is_image(["a.jpg"])
    (True, False, False)
    """
    return isinstance(cell, str) and cell.strip().lower().endswith(IMAGE_SUFFIXES)


def read_table(file: Path) -> Table | None:
    """The first rows of a CSV, TSV or Parquet file; None where it is none."""
    if file.suffix.lower() == ".parquet":
        return _read_parquet(file)
    with file.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
        try:
            reader = csv.reader(stream, delimiter="\t" if file.suffix.lower() == ".tsv" else ",")
            header, *rows = [row for _, row in zip(range(ROWS + 1), reader, strict=False)] or [[]]
        except csv.Error:
            return None
    return Table(header, [row for row in rows if row])


def _read_parquet(file: Path) -> Table | None:
    require_pyarrow(file)
    try:
        with open_parquet(file) as source:
            first = next(source.iter_batches(batch_size=ROWS), None)
    except DataError:  # the reader says what is wrong with it
        return None
    if first is None:
        return None
    return Table(first.schema.names, list(zip(*(column.to_pylist() for column in first.columns), strict=True)))


def first_lines(file: Path, at_most: int = 20, limit: int = 1 << 16) -> list[str]:
    """The lines at the start of a text file that are not empty; none of a file that is no text."""
    with file.open("rb") as stream:
        start = stream.read(limit)
    if b"\0" in start:
        return []
    lines = start.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace").splitlines()
    if len(start) == limit and len(lines) > 1:
        lines.pop()  # cut off
    return [line for line in lines if line.strip()][:at_most]


def list_settings(file: Path, dataset: str) -> tuple[dict[str, Any], str]:
    """Settings of dataset=images, path_labels or celeba for a list in a file, and what to say of them.

    Where the first images are not found, the folder that they are in is left out: it has to be typed.
    """
    settings: dict[str, Any] = {}
    if dataset == "images":
        table = read_table(file)
        assert table is not None
        image = table.image_column
        assert image is not None
        images, settings = table.column(image), _columns(table, image)
    else:
        images = [found.group(1) for line in first_lines(file) if (found := VALUES.fullmatch(line))]
    where, said = ("images" if dataset == "celeba" else "root"), ""
    near = (file.parent / name for name in FOLDERS)
    root = next((at for at in near if any(os.path.isfile(at / one) for one in images[:3])), None)
    if root is None:
        said = f", whose images (the first: {images[0]}) are not found near it: type dataset.{where}=FOLDER"
    else:
        settings[where] = str(root)
    return settings, said


def vocabulary_of(file: Path) -> Path | None:
    """The file of label names beside a list, if there is one."""
    return next((file.parent / name for name in VOCABULARIES if (file.parent / name).is_file()), None)


def _columns(table: Table, image: str) -> dict[str, Any]:
    """The settings of the columns, where they differ from the YAML's."""
    settings: dict[str, Any] = {} if image == "image" else {"image_column": image}
    others = [name for name in table.header if name != image]
    named = [name for known in LABEL_COLUMNS for name in others if name.lower() == known]
    if not named and len(others) > 1:
        cells = [str(cell).strip() for name in others for cell in table.column(name)]
        return settings | ({"label_columns": "rest"} if set(cells) <= {"0", "1", "-1", "0.0", "1.0", ""} else {})
    for label in (named or others)[:1]:
        settings |= {} if label == "labels" else {"label_column": label}
        cells = [cell for cell in table.column(label) if isinstance(cell, str)]
        mark = next((mark for mark in "|;," if any(mark in cell for cell in cells)), "|")
        if mark != "|" and not any(cell.strip().startswith("[") for cell in cells):
            settings["separator"] = mark
    return settings
