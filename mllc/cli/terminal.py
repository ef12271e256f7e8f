"""What a command knows of the terminal, and says beside its output."""

import shutil
import sys

import typer


def on_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()  # None: closed by the caller


def width() -> int:
    return shutil.get_terminal_size((100, 24)).columns


def say(text: str) -> None:
    typer.echo(f"mllc: {text}", err=True)
