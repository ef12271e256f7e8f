"""Opening the files that a user names: missing ones are refused by their setting, encodings are told."""

import codecs
import filecmp
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from mllc.errors import DataError

NO_TEXT = (
    codecs.BOM_UTF16_LE,
    codecs.BOM_UTF16_BE,
    b"\x1f\x8b",
    b"PK\x03\x04",
    b"BZh",
    b"\xfd7zXZ",
    b"\x28\xb5\x2f\xfd",
)
"""How UTF-16, gzip, zip, bzip2, xz and Zstandard begin."""


def existing_file(path: str | Path, setting: str) -> Path:
    """The path of a file that is there and not empty.

    Raises DataError, naming the setting (`dataset.train`) that holds the path, or the argument INPUT.
    """
    file = Path(os.path.expanduser(path))  # os.path: pathlib raises for a name too long, or an unknown ~user
    said = f"INPUT {path}" if setting == "INPUT" else f"{setting}={path}"
    if not os.path.exists(file):
        where = "" if file.is_absolute() else f" in {Path.cwd()}"
        raise DataError(f"{said}: there is no such file{where}")
    if not file.is_file():
        what = "a folder" if file.is_dir() else "not a file"
        raise DataError(f"{said}: {what}; {'a file is needed' if setting == 'INPUT' else f'type {setting}=FILE'}")
    try:
        with file.open("rb") as stream:
            empty = not stream.read(1)
    except OSError as error:
        raise DataError(f"{said}: cannot be read: {error.strerror}") from None
    if empty:
        raise DataError(f"{said}: the file is empty")
    return file


def text_lines(file: Path) -> Iterator[tuple[str, str]]:
    """The lines with something in them, without space around, each with its place; DataError for a byte of zero."""
    with file.open(encoding=encoding(file)) as lines:
        for number, line in enumerate(lines, 1):
            text, place = line.strip(), f"{file}, line {number}"
            if "\0" in text:
                raise DataError(f"{place}: bytes of zero: no text; if the file is UTF-16, save it as UTF-8")
            if text:
                yield text, place


def require_text(file: Path) -> None:
    """DataError for a file that begins as no text in UTF-8 or Latin-1 does."""
    with file.open("rb") as stream:
        start = stream.read(1 << 12)
    if b"\0" in start or start.startswith(NO_TEXT):
        raise DataError(f"{file}: not plain text (is it UTF-16, or compressed?)")


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


def same_file_notes(files: Mapping[str, Path]) -> list[str]:
    """Notes on the files of val and test (split -> file) that hold the same as that of train."""
    return [
        f"dataset.{split} holds the same as dataset.train: its figures are of samples trained on"
        for split, file in files.items()
        if split != "train" and filecmp.cmp(files["train"], file, shallow=False)
    ]
