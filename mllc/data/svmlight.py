"""Text of rows `label,label index:value index:value ...`: checked and parsed a chunk of many lines at a time.

The grammar of a line is that of its separators: which may follow which, and which word between them may be empty. A
chunk that breaks it, or holds a number that is not plain, or one twice in a row, is read again line by line: there the
line and what is wrong with it is found, or nothing is, and the slow result counts.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mllc.data.decimal_text import NUMBER, PAD, decimals, whole_numbers
from mllc.errors import DataError

CHUNK_BYTES = 1 << 17
"""Text parsed at once: what is made of it stays in a processor's cache."""

LARGEST_INDEX = (1 << 31) - 2
_LARGEST_VALUE = float(np.finfo(np.float32).max)


class Lines(NamedTuple):
    """Consecutive lines; those that hold nothing, comments apart, have a row as well.

    label_ends    int64 (rows,): row i has labels[label_ends[i - 1] : label_ends[i]], in the order of the text
    labels        int32
    feature_ends  int64 (rows,), of indices and values
    indices       int32, as they are in the text
    values        float32, finite
    numbers       int64 (rows,), the number of each line
    blank         bool (rows,), True for lines without any word
    """

    label_ends: np.ndarray
    labels: np.ndarray
    feature_ends: np.ndarray
    indices: np.ndarray
    values: np.ndarray
    numbers: np.ndarray
    blank: np.ndarray


_COMMA, _SPACE, _COLON, _POINT, _END, _OTHER = range(1, 7)
_KINDS = bytearray([_OTHER] * 256)
for _character in b"0123456789+-eE":
    _KINDS[_character] = 0
for _character, _kind in zip(b", :.\n", (_COMMA, _SPACE, _COLON, _POINT, _END), strict=True):
    _KINDS[_character] = _kind

_FOLLOWS = {
    # before the word: what may come behind it
    _END: (_COMMA, _SPACE, _COLON, _END),
    _COMMA: (_COMMA, _SPACE, _END),
    _SPACE: (_COLON,),
    _COLON: (_POINT, _SPACE, _END),
    _POINT: (_SPACE, _END),
}
_ALLOWED, _IS_LABEL, _MAY_BE_EMPTY = (np.zeros(64, bool) for _ in range(3))
for _before, _kinds in _FOLLOWS.items():
    _ALLOWED[[8 * _before + kind for kind in _kinds]] = True
for _before in (_END, _COMMA):
    _IS_LABEL[[8 * _before + kind for kind in (_COMMA, _SPACE, _END)]] = True
for _before, _kind in ((_END, _SPACE), (_END, _END), (_COLON, _POINT), (_POINT, _SPACE), (_POINT, _END)):
    _MAY_BE_EMPTY[8 * _before + _kind] = True  # no labels, a blank line; `.5` and `5.`


def read_lines(file: Path, skip: int = 0) -> Iterator[Lines]:
    """The lines of a file behind the first `skip`, about CHUNK_BYTES at a time.

    A label and an index are digits, a value is a decimal number; words are separated by spaces or tabs; what follows a
    `#` is a comment. Raises DataError, naming file and line, for anything else, and for a label or an index that occurs
    twice in a line.
    """
    first = 1
    with file.open("rb") as stream:
        if stream.read(3) != b"\xef\xbb\xbf":
            stream.seek(0)
        for _ in range(skip):
            stream.readline()
            first += 1
        rest = b""
        while chunk := stream.read(CHUNK_BYTES):
            chunk = rest + chunk
            cut = chunk.rfind(b"\n") + 1
            rest = chunk[cut:]
            if cut:
                lines = _parse(file, chunk[:cut], first)
                first += len(lines.numbers)
                yield lines
        if rest:
            yield _parse(file, rest + b"\n", first)


def _parse(file: Path, chunk: bytes, first: int) -> Lines:
    plain = _plain(chunk)
    found = _fast(plain, first)
    if found is None or _repeats(found.label_ends, found.labels) or _repeats(found.feature_ends, found.indices):
        return _line_by_line(file, plain, first)
    return found


def _plain(chunk: bytes) -> bytes:
    """The same lines without comments, with single spaces, and none where a line ends."""
    if b"\r" in chunk:
        chunk = chunk.replace(b"\r\n", b"\n")
    if b"#" in chunk:
        chunk = re.sub(rb"#[^\n]*", b"", chunk)
    if b"\t" in chunk:
        chunk = chunk.replace(b"\t", b" ")
    if b"  " in chunk:
        chunk = re.sub(rb"  +", b" ", chunk)
    return chunk.replace(b" \n", b"\n")


def _fast(chunk: bytes, first: int) -> Lines | None:
    """The lines of a chunk that ends with a line's end; None where there may be something wrong."""
    data = b"\n" * PAD + chunk
    kinds = np.frombuffer(data.translate(_KINDS), np.uint8)
    ends = np.flatnonzero(kinds[PAD:]) + PAD
    kind = kinds[ends]
    starts = np.append(PAD, ends[:-1] + 1)
    lengths = ends - starts
    code = np.append(np.uint8(_END), kind[:-1]) * np.uint8(8) + kind
    empty = lengths == 0
    colons = np.flatnonzero(kind == _COLON)
    if not _ALLOWED[code].all() or (empty & ~_MAY_BE_EMPTY[code]).any():
        return None
    text = np.frombuffer(data, np.uint8)
    indices, good = whole_numbers(text, ends[colons], lengths[colons])
    is_label = np.flatnonzero(_IS_LABEL[code] & ~empty)
    labels, good_labels = whole_numbers(text, ends[is_label], lengths[is_label])
    if not (good.all() and good_labels.all()):
        return None
    has_point = kind[colons + 1] == _POINT
    values = decimals(text, starts[colons + 1], ends[colons + 1], ends[colons + 1 + has_point])
    if values is None or not (np.abs(values) <= _LARGEST_VALUE).all():
        return None
    lines = np.flatnonzero(kind == _END)
    return Lines(
        np.searchsorted(is_label, lines, side="right"),
        labels.astype(np.int32),
        np.searchsorted(colons, lines),
        indices.astype(np.int32),
        values.astype(np.float32),
        np.arange(first, first + len(lines)),
        (code[lines] == 8 * _END + _END) & empty[lines],
    )


def _line_by_line(file: Path, chunk: bytes, first: int) -> Lines:
    labels, indices, values = [], [], []
    label_ends, feature_ends, blank = [], [], []
    lines = chunk.split(b"\n")[:-1]
    for number, line in enumerate(lines, first):
        try:
            row = _read_line(line)
        except ValueError as error:
            raise DataError(f"{file}, line {number}: {error}") from None
        labels += row[0]
        indices += row[1]
        values += row[2]
        label_ends.append(len(labels))
        feature_ends.append(len(indices))
        blank.append(not line)
    return Lines(
        np.array(label_ends, np.int64),
        np.array(labels, np.int32),
        np.array(feature_ends, np.int64),
        np.array(indices, np.int32),
        np.array(values, np.float32),
        np.arange(first, first + len(lines)),
        np.array(blank, bool),
    )


def _read_line(line: bytes) -> tuple[list[int], list[int], list[float]]:
    """Labels, indices and values. Raises ValueError in words."""
    labels, indices, values = [], [], []
    if b"\0" in line:
        raise ValueError("a zero byte: the file is not plain text (is it UTF-16, or compressed?)")
    words = line.split(b" ")
    if b":" not in words[0]:
        if words[0]:
            labels = [_whole(word, "a label") for word in words[0].split(b",")]
        words = words[1:]
    for word in words:
        index, colon, value = word.partition(b":")
        if index == b"qid":
            raise ValueError("`qid:` belongs to ranking data, in which rows are grouped by query; remove it")
        if not colon:
            raise ValueError(f"`index:value` is expected, not {_shown(word)}")
        indices.append(_whole(index, "an index"))
        if not NUMBER.fullmatch(value) or not abs(float(value)) <= _LARGEST_VALUE:
            raise ValueError(f"a finite number is expected behind `{_shown(index)[1:-1]}:`, not {_shown(value)}")
        values.append(float(value))
    for what, columns in (("label", labels), ("index", indices)):
        if len(set(columns)) < len(columns):
            raise ValueError(f"{what} {next(x for x in columns if columns.count(x) > 1)} occurs twice")
    return labels, indices, values


def _whole(word: bytes, what: str) -> int:
    if not re.fullmatch(rb"[0-9]+", word):
        raise ValueError(f"{what} is a whole number from 0, not {_shown(word)}")
    number = int(word.lstrip(b"0")[:20] or b"0")  # Python refuses very long ones
    if number > LARGEST_INDEX:
        raise ValueError(f"{what} is at most {LARGEST_INDEX}, not {_shown(word)}")
    return number


def _shown(word: bytes) -> str:
    return repr(word[:40].decode("utf-8", "replace"))


def _repeats(ends: np.ndarray, columns: np.ndarray) -> bool:
    """Whether a row holds something twice."""
    rises = columns[1:] > columns[:-1]
    begins = ends[(ends > 0) & (ends < len(columns))] - 1
    rises[begins] = True  # from one row to the next it may fall
    if rises.all():
        return False
    rows = np.repeat(np.arange(len(ends)), np.diff(ends, prepend=0))
    keys = np.sort(rows << 32 | columns)
    return bool((keys[1:] == keys[:-1]).any())
