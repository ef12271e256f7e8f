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
    """Says what the package warns of."""

    def emit(self, record: logging.LogRecord) -> None:
        say(record.getMessage())


def tell_warnings() -> None:
    """From now on the package's warnings are said as everything else is."""
    log = logging.getLogger("mllc")
    if not any(isinstance(handler, Told) for handler in log.handlers):
        log.addHandler(Told(logging.WARNING))
