"""What a command knows of the terminal, and says beside its output."""

import logging
import shutil
import sys

import typer


def on_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()  # None: closed by the caller


def width() -> int:
    return shutil.get_terminal_size((100, 24)).columns


def say(text: str) -> None:
    typer.echo(f"mllc: {text}", err=True)


class Told(logging.Handler):
    """Says what the package logs."""

    def emit(self, record: logging.LogRecord) -> None:
        say(record.getMessage())


def tell(level: int = logging.WARNING) -> None:
    """From now on what the package logs, of this level and above, is said as everything else is."""
    log = logging.getLogger("mllc")
    told = [handler for handler in log.handlers if isinstance(handler, Told)] or [Told()]
    told[0].setLevel(level)
    log.setLevel(level)
    if told[0] not in log.handlers:
        log.addHandler(told[0])
