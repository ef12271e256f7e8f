"""Attribute lists, as CelebA and DeepFashion have them: a count, a header, then `path 1 -1 0 ...`; and partition lists.

A list may hold 289 000 images of 1000 values each: rows are read one at a time, and a row is kept as bits.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, overload

import numpy as np

from mllc.data.files import encoding as text_encoding
from mllc.data.files import existing_file
from mllc.data.image_list import Entry, inside
from mllc.data.image_samples import entry_samples, image_samples
from mllc.errors import DataError
from mllc.types import Samples
from mllc.wording import counted

UTF_8_MARK = b"\xef\xbb\xbf"
_COUNT = re.compile(rb"[0-9]{1,12}")


class Row(NamedTuple):
    """An image and its values, int8 (values,): 1 true, -1 false, 0 unknown; `place` is file and line."""

    image: str
    values: np.ndarray
    place: str


class Flagged(Sequence[str]):
    """Those of `names` whose flag is set, kept as one bit a name."""

    __slots__ = ("_bits", "_names")

    def __init__(self, names: Sequence[str], flags: np.ndarray):
        self._names, self._bits = names, np.packbits(flags).tobytes()

    def __len__(self) -> int:
        return int.from_bytes(self._bits).bit_count()

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index):
        return [*self][index]

    def __iter__(self) -> Iterator[str]:
        flags = np.unpackbits(np.frombuffer(self._bits, np.uint8), count=len(self._names))
        return (self._names[index] for index in np.flatnonzero(flags).tolist())


class Listing:
    """An open list: its head, then its rows. A CSV file (Kaggle's form) has a header only, other files a count first.

    count   how many rows the first line announces; None where there is no count
    header  the fields of the header line
    found   how many rows have been read
    """

    def __init__(self, file: Path, lines: Iterator[tuple[int, bytes]], headed: bool):
        self.file, self._lines, self._csv, self.found = file, lines, is_csv(file), 0
        self._coding = text_encoding(file).removesuffix("-sig")
        self.count = self._read_count() if headed and not self._csv else None
        number, line = next(self._lines, (2, b"")) if headed or self._csv else (0, b"none")
        self.header = [self.text(field) for field in self._fields(line)]
        if not self.header:
            raise DataError(f"{file}, line {number}: a header is expected there; is the file cut off?")

    def text(self, raw: bytes) -> str:
        """Decoded, as the whole file is."""
        return raw.decode(self._coding)

    def lines(self) -> Iterator[tuple[int, list[bytes]]]:
        """Each further line that is not empty: its number and its fields."""
        for number, line in self._lines:
            if fields := self._fields(line):
                self.found += 1
                yield number, fields

    def rows(self, num_values: int, unknown: bool) -> Iterator[Row]:
        """The rows, of `num_values` values each; 0 is allowed if `unknown`. DataError, naming the line, for others."""
        for number, line in self._lines:
            head, *tail = (line.replace(b",", b" ") if self._csv else line).split(None, 1) or [b""]
            if not head:
                continue
            place, values = f"{self.file}, line {number}", _values(tail[0] if tail else b"")
            if len(values) != num_values or (values > 1).any() or not (unknown or values.all()):
                raise DataError(f"{place}: {_wrong(line, num_values, self._csv, unknown)}")
            self.found += 1
            yield Row(self.text(head), values, place)

    def notes(self, what: str) -> list[str]:
        """What to tell of a count that contradicts the rows, after they have been read."""
        if self.count in (None, self.found):
            return []
        return [
            f"{self.file.name}: its first line announces {counted(self.count, what)}, but "
            f"{counted(self.found, 'whole row')} follow{'s' * (self.found == 1)}"
        ]

    def _fields(self, line: bytes) -> list[bytes]:
        return [field.strip() for field in line.split(b",")] if self._csv and line.strip() else line.split()

    def _read_count(self) -> int:
        _, line = next(self._lines, (1, b""))
        if not _COUNT.fullmatch(line.strip()):
            raise DataError(
                f"{self.file}, line 1: the number of rows is expected there (a header in line 2, then a row a line), "
                f"not {self.text(line).strip()[:60]!r}"
            )
        return int(line)


def is_csv(file: Path) -> bool:
    """Whether a list is in Kaggle's form: no count, commas."""
    return file.suffix.lower() == ".csv"


@contextmanager
def open_list(file: Path, headed: bool = True) -> Iterator[Listing]:
    """The list in a file, its head read; `headed` says whether a file that is no CSV has a head."""
    with file.open("rb") as stream:
        if stream.read(3) != UTF_8_MARK:
            stream.seek(0)
        yield Listing(file, enumerate(stream, 1), headed)


def is_list(file: Path) -> bool:
    """Whether a file looks like such a list: a count in its first line, or Kaggle's `image_id,...`."""
    with file.open("rb") as stream:
        first = stream.readline(1 << 16).removeprefix(UTF_8_MARK).strip()
    return first.lower().startswith(b"image_id,") if is_csv(file) else bool(_COUNT.fullmatch(first))


def list_samples(
    path: Path, root: Path | None, settings: Mapping[str, Any], encoding: Mapping[str, Any]
) -> Iterator[Samples]:
    """The images that such a list names, or those of `image_samples`, a chunk at a time; values are not looked at.

    root  where the paths start; None: in the folder of the list
    """
    if path.is_dir() or path.suffix.lower() not in (".txt", ".csv") or not is_list(existing_file(path, "INPUT")):
        return image_samples(path, {**settings, "root": root}, encoding)
    return entry_samples(_images_of(path, root or path.parent), root or path.parent, settings, encoding)


def _images_of(file: Path, root: Path) -> Iterator[Entry]:
    with open_list(file) as listing:
        for number, fields in listing.lines():
            place = f"{file}, line {number}"
            yield Entry(inside(listing.text(fields[0]), root, place), (), place)
    if not listing.found:
        raise DataError(f"{file}: it lists no images")


def read_partition(listing: Listing, splits: Mapping[str, str]) -> dict[str, str]:
    """Image -> split, of rows of an image and a word of `splits` (word -> split).

    DataError, naming the line, for other rows and for an image that occurs twice.
    """
    found: dict[str, str] = {}
    for number, fields in listing.lines():
        image, *words = map(listing.text, fields)
        if len(words) != 1 or words[0] not in splits:
            raise DataError(
                f"{listing.file}, line {number}: an image and one of {', '.join(splits)} are expected, "
                f"not {' '.join([image, *words])[:80]!r}"
            )
        if image in found:
            raise DataError(f"{listing.file}, line {number}: {image!r} occurs already in an earlier line")
        found[image] = splits[words[0]]
    if not found:
        raise DataError(f"{listing.file}: it lists no images")
    return found


class Partition:
    """Puts rows into the splits that a partition list names; without a list all of them are train."""

    def __init__(self, file: Path | None, split_of: Mapping[str, str]):
        self._file, self._split_of, self._seen = file, split_of, dict[str, str]()

    def split(self, row: Row) -> str:
        """DataError for an image that the list does not name, and for one that came before."""
        if row.image in self._seen:
            raise DataError(f"{row.place}: {row.image!r} occurs already in {self._seen[row.image]}")
        self._seen[row.image] = row.place
        if self._file is None:
            return "train"
        if row.image not in self._split_of:
            raise DataError(
                f"{row.place}: {row.image!r} is not in {self._file}, so that it is in no split; add it there, or leave "
                "it out here"
            )
        return self._split_of[row.image]

    def notes(self) -> list[str]:
        """What to tell after all rows."""
        if self._file is None:
            return ["no partition list is found: all images are train, other splits are carved from it"]
        missing = len(self._split_of) - len(self._seen)
        return [f"{self._file.name}: {counted(missing, 'image')} without attributes left out"] if missing else []


def named_or_found(given: str | None, setting: str, folder: Path, candidates: Sequence[str]) -> Path | None:
    """The file that a setting names, else the first of the candidates in the folder that is there, else None."""
    if given is not None:
        return existing_file(given, setting)
    there = (folder / candidate for candidate in candidates)
    return next((existing_file(path, setting) for path in there if path.is_file()), None)


_CODES = np.full(256, 2, np.int8)
_CODES[[ord("1"), ord("-"), ord("0")]] = 1, -1, 0


def _values(text: bytes) -> np.ndarray:
    """The values 1, -1, 0 of a line, int8; 2 stands for anything else.

    With `-` for `-1` each value is one byte, and bytes of length 1 are not made but shared: 1000 values take 25 us.
    """
    if text.count(b"-") != text.count(b"-1"):
        return np.array([2], np.int8)
    fields = text.replace(b"-1", b"-").split()
    joined = b"".join(fields)
    if len(joined) != len(fields):
        return np.array([2], np.int8)
    return _CODES[np.frombuffer(joined, np.uint8)]


def _wrong(line: bytes, num_values: int, csv: bool, unknown: bool) -> str:
    """What is wrong with a row."""
    _, *fields = [field.strip() for field in line.split(b",")] if csv else line.split()
    allowed = ("1", "-1", "0") if unknown else ("1", "-1")
    for place, field in enumerate(fields, 1):
        text = field.decode("latin-1")
        if text not in allowed and len(fields) >= num_values:
            return f"value {place} is {text[:40]!r}; allowed are {', '.join(allowed)} (and no space in the path)"
    return (
        f"an image and {counted(len(fields), 'value')}, but {num_values} are expected, one an attribute; is it cut off?"
    )
