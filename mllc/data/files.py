"""Opening the files that a user names: missing ones are refused by their setting, encodings are told."""

import codecs
from pathlib import Path

from mllc.errors import DataError


def existing_file(path: str | Path, setting: str) -> Path:
    """The path of a file that is there and not empty.

    Raises DataError, naming the setting (`dataset.train`) that holds the path.
    """
    file = Path(path).expanduser()
    if not file.exists():
        where = "" if file.is_absolute() else f" in {Path.cwd()}"
        raise DataError(f"{setting}={path}: there is no such file{where}")
    if not file.is_file():
        raise DataError(f"{setting}={path}: not a file; type {setting}=FILE")
    try:
        with file.open("rb") as stream:
            empty = not stream.read(1)
    except OSError as error:
        raise DataError(f"{setting}={path}: cannot be read: {error.strerror}") from None
    if empty:
        raise DataError(f"{setting}={path}: the file is empty")
    return file


def is_file(path: Path) -> bool:
    """Whether there is such a file; False for a name that none can have: too long, or with a byte of zero."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def encoding(file: Path) -> str:
    """`utf-8-sig` (UTF-8 with or without its mark) where the whole file is valid UTF-8, else `latin-1`."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with file.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8-sig"


def encoding_notes(file: Path, name: str) -> list[str]:
    """What to tell of an encoding: nothing of UTF-8."""
    return [] if name == "utf-8-sig" else [f"{file.name} is not UTF-8; read as Latin-1"]
