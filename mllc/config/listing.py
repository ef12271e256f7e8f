"""The tables of `mllc list`."""

from pathlib import Path

from mllc.config import catalogue


def listing(kind: str, config_dir: Path | None = None, width: int | None = None) -> str:
    """A table of `width` columns for one of catalogue.KINDS; without one, tabs between the fields."""
    group = catalogue.KINDS[kind]
    titles, rows = (group, *catalogue.columns(group)), catalogue.rows(group, config_dir)
    if width is None:
        return "".join("\t".join(row) + "\n" for row in (titles, *rows))

    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for title in titles:
        table.add_column(title, style="bold" if title == group else None, no_wrap=title in (group, "rule"))
    for row in rows:
        table.add_row(*row)
    console = Console(width=width)
    with console.capture() as capture:
        console.print(table, markup=False)
    return capture.get()
