"""Where a page is written: refused before work begins where that cannot be, and never left half-written."""

import os
from pathlib import Path

from mllc.errors import StoreError


def check_place(file: Path) -> None:
    """StoreError unless a file of that name can be written."""
    if file.is_dir():
        raise StoreError(f"--html {file} is a folder; type the name of a file: --html {file / 'report.html'}")
    if file.suffix.lower() not in (".html", ".htm"):
        raise StoreError(f"--html {file} has not the ending of a page; type --html {file.with_suffix('.html')}")
    if not file.parent.is_dir():
        raise StoreError(f"--html {file}: there is no folder {file.parent}; type --html ANOTHER_FILE, or make it first")
    if not os.access(file.parent, os.W_OK | os.X_OK) or (file.exists() and not file.is_file()):
        raise StoreError(f"--html {file} cannot be written; type --html ANOTHER_FILE")


def save(file: Path, text: str) -> None:
    """Writes the file whole or not at all; StoreError where that fails."""
    partial = file.with_name(f".{file.name}.partial")
    content = text.encode(errors="replace")  # the name of a folder need not be Unicode
    try:
        try:
            partial.write_bytes(content)
            partial.replace(file)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise StoreError(f"--html {file} cannot be written: {error.strerror}; type --html ANOTHER_FILE") from None
