"""Tables that list samples: CSV, TSV or Parquet, by the file's suffix; one row at a time, with its place."""

import csv
import difflib
from collections.abc import Iterator, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

from mllc.data.files import encoding
from mllc.data.image_names import IMAGE_SUFFIXES
from mllc.data.parquet_file import open_parquet
from mllc.errors import DataError
from mllc.wording import counted

TSV = frozenset({".tsv", ".tab"})
SEPARATED = {
    "\t": "tabs: name the file .tsv",
    ";": "semicolons: save it with commas",
    ",": "commas: name the file .csv",
}
"""Marks that other programs, or other suffixes, have between columns, and what to do about them."""

PARQUET = frozenset({".parquet", ".pq"})


class Table(NamedTuple):
    """A table whose header has been read.

    columns   their names, in order
    encoding  of a CSV or TSV file, as `files.encoding` tells it; None for Parquet
    """

    file: Path
    columns: tuple[str, ...]
    encoding: str | None


class Row(NamedTuple):
    """The cells of the columns that were asked for; of CSV and TSV always text.

    place  for messages: the file, and the line that the row starts in (CSV, TSV) or the row's number from 1 (Parquet)
    """

    place: str
    cells: tuple[Any, ...]


def open_table(file: Path) -> Table:
    """Reads the header. DataError for a file that is not of the kind that its suffix says (any other: CSV)."""
    if file.suffix.lower() in PARQUET:
        with open_parquet(file) as source:
            return Table(file, tuple(source.schema_arrow.names), None)
    name = encoding(file)
    with file.open(encoding=name, newline="") as stream:
        reader = _reader(stream, file)
        try:
            return Table(file, tuple(next(reader, [])), name)
        except csv.Error as error:
            raise _not_csv(file, 1, reader.line_num, error) from None


def rows(table: Table, columns: Sequence[str]) -> Iterator[Row]:
    """The cells of `columns` (those of the table that are needed), row by row; empty lines are passed over.

    Raises DataError, naming the line, for a row that is not as long as the header.
    """
    return _parquet_rows(table, columns) if table.encoding is None else _text_rows(table, columns)


def require_column(table: Table, column: str, setting: str, hint: str = "") -> None:
    """DataError, with what to type, for a column that is not in the table, or there twice.

    setting  what names the column: `dataset.image_column`
    """
    if table.columns.count(column) > 1:
        raise DataError(f"{_header(table)}: the column {column!r} occurs more than once in the header")
    if column in table.columns:
        return
    close = difflib.get_close_matches(column, table.columns, n=1)
    advice = f"; did you mean {setting}={close[0]}?" if close else f"; type {setting}=NAME{hint}"
    if close and close[0] != close[0].strip():
        advice = f"; take out the blanks around {close[0]!r} there"
    header = ",".join(table.columns)
    if "\0" in header:
        advice = "; it is no text; if it is UTF-16, save it as UTF-8"
    elif len(table.columns) == 1 and (mark := next((mark for mark in SEPARATED if mark in header), None)):
        advice = f"; its columns seem to be separated by {SEPARATED[mark]}"
    elif table.encoding and any(name.lower().endswith(IMAGE_SUFFIXES) for name in table.columns):
        advice = f"; that seems to be a row: put a header in front of it, such as {column},labels"
    raise DataError(f"{_header(table)}: there is no column {column!r} in the header {header[:80]!r}{advice}")


def _header(table: Table) -> str:
    return f"{table.file}, line 1" if table.encoding else f"{table.file}"


def _reader(stream: Iterator[str], file: Path) -> Any:
    return csv.reader(stream, strict=True, delimiter="\t" if file.suffix.lower() in TSV else ",")


def _not_csv(file: Path, line: int, stop: int, error: csv.Error) -> DataError:
    """Of a row that begins in `line`; `stop` is where the parser gave up: a quote that is left open takes in lines."""
    kind = "TSV" if file.suffix.lower() in TSV else "CSV"
    what = "a quoted cell that does not end" if str(error) == "unexpected end of data" else str(error)
    to = f" (in a row from line {line} to {stop}: a quote is left open?)" if stop > line else ""
    return DataError(f"{file}, line {line}: not {kind}: {what}{to}")


def _text_rows(table: Table, columns: Sequence[str]) -> Iterator[Row]:
    file, width = table.file, len(table.columns)
    first, *others = (table.columns.index(column) for column in columns)
    pick = itemgetter(first, *others) if others else lambda row: (row[first],)
    with file.open(encoding=table.encoding, newline="") as stream:
        reader, line = _reader(stream, file), 1
        try:
            next(reader, [])
            line = reader.line_num + 1
            for row in reader:
                place, line = f"{file}, line {line}", reader.line_num + 1  # a quoted cell may span lines
                if not row:
                    continue
                if len(row) != width:
                    raise DataError(
                        f"{place}: {counted(len(row), 'value')}, but the header has {counted(width, 'column')}"
                    )
                cells = pick(row)
                if "\0" in "".join(cells):
                    raise DataError(f"{place}: bytes of zero: no text; save it as UTF-8")
                yield Row(place, cells)
        except csv.Error as error:
            raise _not_csv(file, line, reader.line_num, error) from None


def _parquet_rows(table: Table, columns: Sequence[str]) -> Iterator[Row]:
    with open_parquet(table.file) as source:
        number = 0
        for batch in source.iter_batches(batch_size=1024, columns=list(columns)):
            values = [batch.column(column).to_pylist() for column in columns]
            for cells in zip(*values, strict=True):
                number += 1
                yield Row(f"{table.file}, row {number}", cells)
