"""What a page is made of: sections of texts, tables, pictures, facts and commands, as plain data."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

Key = float | str | None
"""What a cell is sorted by; None comes last, whichever way."""


@dataclass(frozen=True)
class Text:
    """A paragraph. look: lead (the one to read first), or none."""

    text: str
    look: str = ""
    kind: ClassVar[str] = "text"


@dataclass(frozen=True)
class Notes:
    """Remarks, each a list item."""

    texts: Sequence[str]
    kind: ClassVar[str] = "notes"


@dataclass(frozen=True)
class Steps:
    """What to do, in this order."""

    texts: Sequence[str]
    kind: ClassVar[str] = "steps"


@dataclass(frozen=True)
class Heading:
    """A column's title, and in a few words what it says; a column of numbers is sorted from the largest at first."""

    title: str
    about: str = ""
    number: bool = True


@dataclass(frozen=True)
class Cell:
    """A cell's text, what it is sorted by, and its look: a class of page.css."""

    text: str
    key: Key = None
    look: str = ""


@dataclass(frozen=True)
class Table:
    """A table that can be sorted.

    name     unique on its page; letters, digits and -
    caption  what it is of; the sentence that introduces it to who cannot see it
    groups   the lines of each tbody; the first is sorted, the others (baselines) stay below it
    order    the column that the lines are already sorted by, from the smallest
    head     the column that names each line
    filtered whether there is a field to filter its lines by
    """

    name: str
    caption: str
    headings: Sequence[Heading]
    groups: Sequence[Sequence[Sequence[Cell]]]
    order: int | None = None
    head: int = 0
    filtered: bool = False
    kind: ClassVar[str] = "table"


@dataclass(frozen=True)
class Numbers:
    """A number of every label, or None where it is undefined; digits: decimals shown, None for as many as there are."""

    title: str
    values: Sequence[float | None]
    digits: int | None = None

    def written(self, label: int) -> str:
        value = self.values[label]
        return "" if value is None else f"{value:.10g}" if self.digits is None else f"{value:.{self.digits}f}"


@dataclass(frozen=True)
class Labels:
    """Figures of every label, of one model or for some rows of a comparison, to be searched and sorted.

    names    of the labels, those with the largest number first
    numbers  columns that do not depend on the row
    order    which of `numbers` that is
    rows     names of the compared rows
    figures  what it is -> row -> label -> thousandths, or None where it is undefined
    """

    name: str
    caption: str
    names: Sequence[str]
    numbers: Sequence[Numbers]
    order: int
    rows: Sequence[str] = ()
    figures: dict[str, list[list[int | None]]] = field(default_factory=dict)
    kind: ClassVar[str] = "labels"
    page: ClassVar[int] = 50
    """Labels shown at a time."""

    @property
    def shown(self) -> range:
        """The rows that are shown at first, as columns."""
        return range(min(len(self.rows), 8))

    @property
    def first(self) -> list[list[str]]:
        """The labels shown at first: name, numbers, and the first figure of each row."""
        figures = next(iter(self.figures.values()), [])
        return [
            [
                name,
                *(one.written(label) for one in self.numbers),
                *("" if (one := figures[row][label]) is None else f"{one / 1000:.3f}" for row in self.shown),
            ]
            for label, name in enumerate(self.names[: self.page])
        ]


@dataclass(frozen=True)
class Drawing:
    """A picture: its title, a caption that says what is seen, and an <svg> element whose ids are unique on the page."""

    title: str
    caption: str
    svg: str
    kind: ClassVar[str] = "drawing"


@dataclass(frozen=True)
class Facts:
    """Names and their values."""

    pairs: Sequence[tuple[str, str]]
    kind: ClassVar[str] = "facts"


@dataclass(frozen=True)
class Commands:
    """Lines to be typed into a shell."""

    lines: Sequence[str]
    kind: ClassVar[str] = "commands"


@dataclass(frozen=True)
class Fold:
    """What is shown when asked for."""

    title: str
    parts: "Sequence[Part]"
    kind: ClassVar[str] = "fold"


Part = Text | Notes | Steps | Table | Labels | Drawing | Facts | Commands | Fold


@dataclass(frozen=True)
class Section:
    """A heading with what stands under it; name: unique on the page, letters, digits and -."""

    name: str
    title: str
    parts: Sequence[Part] = ()
    sections: "Sequence[Section]" = field(default=())


@dataclass(frozen=True)
class Document:
    """A page. about: one line under the title."""

    title: str
    about: str
    sections: Sequence[Section]
    parts: Sequence[Part] = ()
