"""YOLO's label files: beside each image, or in `labels` in place of `images`; a line an object, its class first."""

import math
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from mllc.errors import DataError
from mllc.wording import counted


def label_path(image: str) -> str:
    """Where the labels of an image are, both from the root: its last folder `images` becomes `labels`.

    >>> label_path("images/train/a.b.jpg"), label_path("obj/a.jpg")
    ('labels/train/a.b.txt', 'obj/a.txt')
    """
    path = PurePosixPath(image)
    parts = list(path.with_name(f"{path.stem}.txt").parts)
    places = [place for place, part in enumerate(parts[:-1]) if part == "images"]
    if places:
        parts[places[-1]] = "labels"
    return str(PurePosixPath(*parts))


def read_labels(file: Path, names: Sequence[str]) -> list[str] | None:
    """The names of the classes in a label file, each once, in its order; None where there is no such file.

    A line is `class x y w h`, or `class` and the points of an outline or more. Raises DataError by file and line.
    """
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise DataError(f"{file}: not a label file: byte {error.start} is not UTF-8; save it as UTF-8") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{file}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    found: dict[str, None] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            found[_class(f"{file}, line {number}", line.split(), names)] = None
    return list(found)


def _class(place: str, values: Sequence[str], names: Sequence[str]) -> str:
    """The name of the class of one line."""
    first, *others = values
    if not re.fullmatch(r"[0-9]+", first):
        raise DataError(f"{place}: the class is {first[:40]!r}; a whole number is expected, as in `0 0.5 0.5 0.2 0.3`")
    if len(others) < 4:
        raise DataError(f"{place}: {counted(len(values), 'value')}; a class and four or more numbers are expected")
    for value in others:
        if not _is_number(value):
            raise DataError(f"{place}: {value[:40]!r} is not a number")
    if len(first) > 9 or int(first) >= len(names):
        raise DataError(f"{place}: class {first[:40]}, but the classes are numbered 0 to {len(names) - 1}")
    return names[int(first)]


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
