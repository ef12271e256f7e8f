"""Where a command writes a file: refused before work begins where that cannot be, and never left half-written."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mllc.errors import StoreError


def check_place(option: str, file: Path, example: str) -> None:
    """StoreError unless a file of that name can be written; `option` (`--out`) named it, `example` is a good name."""
    if file.is_dir():
        raise StoreError(f"{option} {file} is a folder; type the name of a file: {option} {file / example}")
    if not file.parent.is_dir():
        raise StoreError(
            f"{option} {file}: there is no folder {file.parent}; type {option} ANOTHER_FILE, or make it first"
        )
    if not os.access(file.parent, os.W_OK | os.X_OK) or (file.exists() and not file.is_file()):
        raise StoreError(f"{option} {file} cannot be written; type {option} ANOTHER_FILE")


@contextmanager
def replacing(option: str, file: Path) -> Iterator[Path]:
    """A file beside it that takes its place once it is complete; StoreError where writing it fails."""
    partial = file.with_name(f".{file.name}.partial")
    try:
        try:
            yield partial
            partial.replace(file)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise StoreError(
            f"{option} {file} cannot be written: {error.strerror or error}; type {option} ANOTHER_FILE"
        ) from None
