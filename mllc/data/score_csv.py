"""A CSV of numbers, a row a sample: separator, header and columns of ids are found out, and said. numpy alone."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from mllc.data.files import encoding
from mllc.errors import DataError
from mllc.wording import counted

WORDS = dict.fromkeys(("?", "", "na", "n/a", "null", "none"), np.nan) | {"true": 1.0, "false": 0.0}
"""What may stand in the place of a number, in lower case; NaN is unknown."""

ID_TITLES = ("", "id", "index", "unnamed: 0")
"""Titles, in lower case, that make a first column of numbers an id and no label."""

Line = tuple[int, list[str]]
"""Its number in the file, and its cells."""


@dataclass(frozen=True, eq=False)
class Table:
    """What a CSV holds.

    values  float64 (rows, columns), NaN where a cell is empty or unknown
    titles  of the columns; None: no header
    ids     what the columns of ids say of each row; None: no such column
    notes   what was left out
    """

    values: np.ndarray
    titles: tuple[str, ...] | None
    ids: tuple[str, ...] | None
    notes: tuple[str, ...]


def read_csv(file: Path, place: str) -> Table:
    """Reads numbers that are separated by commas, semicolons, tabs or blanks.

    A first line with words above numbers is a header, and so is one that counts 0, 1, 2, ... as pandas does. First
    columns of words, or with one of ID_TITLES, are ids. DataError, naming `place` and the line, for a cell that is no
    number and for lines of different lengths.
    """
    try:
        with file.open(encoding=encoding(file), newline="") as stream:
            first = next((line for line in stream if line.strip()), "")
            stream.seek(0)
            delimiter = next((mark for mark in "\t;," if mark in first), " ")
            reader = csv.reader(stream, delimiter=delimiter, skipinitialspace=True)
            return _table(((reader.line_num, cells) for cells in reader if cells), file.name, place)
    except (csv.Error, OSError) as error:
        raise DataError(f"{place} cannot be read as CSV: {error}") from None


def check_agreement(scores: Table, targets: Table) -> None:
    """DataError where headers or ids say that the columns or the rows of two files are not the same ones."""
    for mine, other, kind in (scores.titles, targets.titles, "column"), (scores.ids, targets.ids, "row"):
        if mine is None or other is None or len(mine) != len(other) or mine == other:
            continue
        i = next(i for i, both in enumerate(zip(mine, other, strict=True)) if len(set(both)) == 2)
        raise DataError(
            f"{kind} {i + 1} is {mine[i]!r} in SCORES and {other[i]!r} in TARGETS: write both with the same {kind}s in "
            "the same order, or without names if only these differ"
        )


def _table(lines: Iterator[Line], name: str, place: str) -> Table:
    head = list(islice(lines, 2))
    titled = bool(head) and _is_header(head[0][1], head[-1][1] if len(head) == 2 else None)
    titles = [cell.strip() for cell in head[0][1]] if titled else None
    body = head[titled:]
    if not body:
        raise DataError(f"{place}: no row of numbers in it")
    start, width = _ids(titles, body[0][1]), len(head[0][1])
    if start == width:
        raise DataError(
            f"{place}, line {body[-1][0]}: {body[-1][1][-1]!r} is no number; give each label a column of numbers with "
            "a decimal point, 0 and 1 in the targets"
        )
    values, ids = [], []
    for number, cells in (*body, *lines):
        if len(cells) != width:
            raise DataError(
                f"{place}, line {number}: {counted(len(cells), 'column')}, but line {head[0][0]} has {width}; "
                "decimals are written with a point"
            )
        values.append(_numbers(cells[start:], f"{place}, line {number}", start))
        ids.append(" ".join(cells[:start]))
    dropped = [repr(titles[i]) if titles else f"number {i + 1}" for i in range(start)]
    notes = tuple(f"{name}: column {title} is taken for an id and left out" for title in dropped)
    return Table(np.stack(values), tuple(titles[start:]) if titles else None, tuple(ids) if start else None, notes)


def _is_header(first: list[str], second: list[str] | None) -> bool:
    if second is None:
        return not any(map(_is_number, first))
    if first[0].strip().lower() in ID_TITLES[1:]:
        return True
    counting = first[not _is_number(first[0]) or not first[0].strip() :]
    if len(counting) > 2 and counting == [str(i) for i in range(len(counting))]:
        return True
    return any(not _is_number(one) and _is_number(two) for one, two in zip(first, second, strict=False))


def _ids(titles: list[str] | None, cells: list[str]) -> int:
    """How many columns at the start are ids."""
    words = next((i for i, cell in enumerate(cells) if _is_number(cell)), len(cells))
    return words or int(titles is not None and len(titles) > 1 and titles[0].lower() in ID_TITLES)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return cell.strip().lower() in WORDS
    return True


def _numbers(cells: list[str], place: str, start: int) -> np.ndarray:
    try:
        return np.fromiter(map(float, cells), np.float64, len(cells))
    except ValueError:
        for i, cell in enumerate(cells, start=start + 1):
            if not _is_number(cell):
                raise DataError(
                    f"{place}, column {i}: {cell!r} is no number; give each label a column of numbers, ? where unknown"
                ) from None
        return np.array([WORDS[word] if (word := cell.strip().lower()) in WORDS else float(cell) for cell in cells])
