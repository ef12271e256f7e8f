"""What `mllc list` prints: the tables, and all about one choice."""

import inspect
from collections.abc import Sequence
from pathlib import Path

from mllc.config import catalogue

WIDE = 140
"""Columns of a terminal from which on a table also says the settings and needs of losses."""


def listing(kind: str, config_dir: Path | None = None, width: int | None = None) -> str:
    """A table of `width` columns for one of catalogue.KINDS; without one, all fields, with tabs between them."""
    group = catalogue.KINDS[kind]
    titles, rows = (group, *catalogue.columns(group)), catalogue.rows(group, config_dir)
    if width is None:
        return "".join("\t".join(row) + "\n" for row in (titles, *rows))

    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    fitting = [column for column, title in enumerate(titles) if width >= WIDE or title not in ("settings", "needs")]
    left_out = len(titles) - len(fitting)
    titles, *rows = [[row[column] for column in fitting] for row in (titles, *rows)]
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for title in titles:
        table.add_column(
            title, style="bold" if title == group else None, overflow="fold", no_wrap=title in (group, "rule")
        )
    for row in rows:
        table.add_row(*row)
    console = Console(width=width)
    with console.capture() as capture:
        console.print(table, markup=False)
    more = f"Settings and needs: in a terminal of {WIDE} columns, or with | cat\n" if left_out else ""
    return capture.get() + f"{more}All about one: mllc list {kind} NAME\n"


def about(kind: str, name: str, config_dir: Path | None = None, allow: Sequence[str] = ()) -> str:
    """The docstring of what a choice's YAML names, and the YAML."""
    from mllc.config.targets import target

    group = catalogue.KINDS[kind]
    file = catalogue.find(group, name, config_dir)
    said = ""
    if group != "sweep":
        function = target(catalogue.settings(group, name, config_dir), allow=allow)
        said = (
            f"{function.__module__}.{function.__name__}{inspect.signature(function)}\n\n{inspect.getdoc(function)}\n\n"
        )
    return f"{said}{catalogue.shown(file)}\n\n{file.read_text()}"
