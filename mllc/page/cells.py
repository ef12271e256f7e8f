"""Cells that several tables of a comparison have."""

from mllc.page.document import Cell, Heading, Key
from mllc.report.comparison import Row
from mllc.report.conclusion import decimals, number
from mllc.report.tables import duration

SPLITS = {"test": "test", "val": "validation", None: "validation"}

ROW = Heading("row", number=False)
EMPTY = Cell("")


def figure(value: float | None, metric: str = "") -> Cell:
    return Cell(number(value, digits=decimals(metric)), value)


def whole(value: int) -> Cell:
    return Cell(str(value), value)


def time(row: Row) -> Cell:
    return Cell(duration(row.seconds), row.seconds) if row.runs else EMPTY


def sort_key(value: object) -> Key:
    """Numbers are sorted as such; other values by their text."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
