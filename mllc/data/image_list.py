"""Lists of images: what every format that names image files becomes before the files themselves are opened."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from mllc.data.files import text_lines
from mllc.errors import DataError
from mllc.wording import counted, listed


class Entry(NamedTuple):
    """An image as its list names it.

    image    path from the root, as `inside` returns it; it is the sample's id
    labels   names of its true labels
    place    where it stands, for messages: file, and line or key
    unknown  names of labels of which it is not known whether they are true
    group    entries of one group stay in one split; None: the list names no groups
    """

    image: str
    labels: Sequence[str]
    place: str
    unknown: Sequence[str] = ()
    group: str | None = None


def image_root(root: str | Path) -> Path:
    """The folder that the paths of a list start from; DataError where there is none."""
    folder = Path(os.path.expanduser(root))
    if not os.path.isdir(folder):
        raise DataError(f"dataset.root={root}: there is no such folder")
    return folder


def inside(image: str, root: Path, place: str) -> str:
    """The path of an image from `root`, in one spelling; DataError for an empty one and for one that leads out."""
    path = os.path.normpath(image)
    if not image.strip():
        raise DataError(f"{place}: no image is named")
    # asking where it leads is slow, and most paths neither start at the top nor go up
    if os.path.isabs(path) or path.startswith(os.pardir):
        path = os.path.relpath(root / path, root)
        if path.split(os.sep)[0] == os.pardir:
            raise DataError(f"{place}: {image!r} leads out of dataset.root={root}")
    return path


def require_entries(entries: Sequence[Entry], file: Path) -> None:
    """DataError for a list that names no image, or one twice."""
    if not entries:
        raise DataError(f"{file}: it lists no images")
    seen: dict[str, str] = {}
    for entry in entries:
        if entry.image in seen:
            raise DataError(f"{entry.place}: {entry.image!r} occurs already in {seen[entry.image]}")
        seen[entry.image] = entry.place


def shared_images(lists: Mapping[str, Sequence[Entry]]) -> list[str]:
    """Notes on images of train that occur in another split as well."""
    train = {entry.image for entry in lists["train"]}
    notes = []
    for split, entries in lists.items():
        shared = [entry.image for entry in entries if entry.image in train]
        if split != "train" and shared:
            verb = "is" if len(shared) == 1 else "are"
            notes.append(f"{counted(len(shared), 'image')} of {split} {verb} in train as well: {listed(shared)}")
    return notes


def read_vocabulary(file: Path) -> list[str]:
    """Label names, one a line; DataError for one that occurs twice."""
    names: dict[str, str] = {}
    for name, place in text_lines(file):
        if name in names:
            raise DataError(f"{place}: label {name!r} occurs already in {names[name]}")
        names[name] = place.removeprefix(f"{file}, ")
    return list(names)
