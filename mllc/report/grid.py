"""Tables that fit a terminal: columns are dropped, the least important first, until the rest fits."""

import io
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

T = TypeVar("T")


@dataclass(frozen=True)
class Column(Generic[T]):
    """One column.

    title  its lines
    cell   the text of an item
    drop   columns that do not fit are dropped from the largest number down; 0: never
    wrap   the least width to which it may be wrapped; None: never, unless nothing is left to drop
    """

    title: str
    cell: Callable[[T], str]
    drop: int = 0
    right: bool = True
    wrap: int | None = None


def fit(
    items: Sequence[T],
    columns: Sequence[Column[T]],
    width: int,
    *,
    style: Callable[[T], str],
    section: Callable[[T], object],
) -> tuple[Table, int]:
    """The table of `items` within `width`, and how many columns were dropped for it.

    Columns stand closer before any is dropped. A gap parts neighbours of different `section`.
    """
    kept, gap = list(columns), 2
    while (widths := _widths(items, kept, width, gap)) is None:
        if gap == 2:
            gap = 1
        else:
            kept.remove(max(kept, key=lambda column: column.drop))
    padding = (0, gap - 1, 0, 0)
    table = Table(box=box.SIMPLE_HEAD, padding=padding, pad_edge=False, show_edge=False, header_style="bold")
    lines = max(column.title.count("\n") for column in kept)
    for column, most in zip(kept, widths, strict=True):
        title = "\n" * (lines - column.title.count("\n")) + column.title
        justify = "right" if column.right else "left"
        table.add_column(title, justify=justify, min_width=min(most, width), max_width=most, overflow="fold")
    for item, following in zip(items, [*items[1:], None], strict=True):
        ends = following is not None and section(item) != section(following)
        table.add_row(*(Text(column.cell(item)) for column in kept), style=style(item), end_section=ends)
    return table, len(columns) - len(kept)


def to_text(parts: Iterable[Table | tuple[str, str]], width: int, color: bool) -> str:
    """Tables and (paragraph, style) pairs as text of at most `width` columns, with escape codes only if `color`."""
    buffer = io.StringIO()
    plain = None if color else True  # None: NO_COLOR decides
    console = Console(file=buffer, width=width, force_terminal=color, no_color=plain, highlight=False)
    for part in parts:
        if isinstance(part, Table):
            console.print(part)
        else:
            console.print(Text(textwrap.fill(part[0], width, subsequent_indent="  "), style=part[1]))
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines()) + "\n"


def _widths(items: Sequence[T], kept: Sequence[Column[T]], width: int, gap: int) -> list[int] | None:
    """Width of each column, or None if they do not fit and one can still be dropped."""
    widths = [_widest([column.title, *map(column.cell, items)]) for column in kept]
    over = sum(widths) + gap * (len(kept) - 1) - width
    for i, column in reversed(list(enumerate(kept))):
        least = widths[i] if column.wrap is None else min(widths[i], column.wrap)
        narrowed = max(widths[i] - max(over, 0), least)
        over -= widths[i] - narrowed
        widths[i] = narrowed
    return None if over > 0 and any(column.drop for column in kept) else widths


def _widest(texts: Iterable[str]) -> int:
    return max(cell_len(line) for text in texts for line in text.split("\n"))
