"""Where a page is written: refused before work begins where that cannot be, and never left half-written."""

from pathlib import Path

from mllc import place
from mllc.errors import StoreError


def check_place(file: Path) -> None:
    """StoreError unless a page of that name can be written."""
    if not file.is_dir() and file.suffix.lower() not in (".html", ".htm"):
        raise StoreError(f"--html {file} has not the ending of a page; type --html {file.with_suffix('.html')}")
    place.check_place("--html", file, "report.html")


def save(file: Path, text: str) -> None:
    """Writes the file whole or not at all; StoreError where that fails."""
    with place.replacing("--html", file) as partial:
        partial.write_bytes(text.encode(errors="replace"))  # the name of a folder need not be Unicode
