"""New images for a trained model: one image, a folder, a list of paths, or the entries of a format's own list."""

import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mllc.data.decode import decode
from mllc.data.files import existing_file, text_lines
from mllc.data.image_list import Entry, inside
from mllc.data.image_names import IMAGE_SUFFIXES, images_in
from mllc.errors import DataError
from mllc.types import Samples
from mllc.wording import counted

_CHUNK = 64
_log = logging.getLogger("mllc")


def names_images(path: Path) -> bool:
    """Whether `image_samples` takes it: a folder, a file with the suffix of an image, a list of paths (`.txt`)."""
    return path.is_dir() or path.suffix.lower() in (*IMAGE_SUFFIXES, ".txt")


def image_samples(path: Path, settings: Mapping[str, Any], encoding: Mapping[str, Any]) -> Iterator[Samples]:
    """The images that a path leads to, a chunk at a time, uint8 (samples, 3, size, size).

    path      an image; or a folder, with all folders in it: its images, sorted (files that are none, and hidden ones,
              are left out, and their number is logged); or a `.txt` file with the path of an image a line
    settings  of the data set: `root`, from where the paths in a `.txt` start unless the first image is found from the
              folder of the `.txt`, or from the current one; `on_bad_image`: error, or skip
    encoding  of the data set: `size`, the height and width in pixels

    The ids are the paths from that folder, or the image's name. Raises DataError for what cannot be read.
    """
    if path.is_dir():
        return entry_samples(_in_folder(path), path, settings, encoding)
    file = existing_file(path, "INPUT")
    if file.suffix.lower() == ".txt":
        first, _ = next(text_lines(file), ("", ""))
        root = listed_root(file, settings, first)
        return entry_samples(some(_in_list(file, root), file), root, settings, encoding)
    return entry_samples([Entry(file.name, (), str(file.parent))], file.parent, settings, encoding)


def listed_root(file: Path, settings: Mapping[str, Any], first: str = "") -> Path:
    """Where the paths in a list of new images start: dataset.root, the list's own folder or the current one.

    That is the first of these folders that has the `first` image, else the first that there is.
    """
    root = Path(settings["root"]).expanduser() if settings.get("root") else file.parent
    folders = [folder for folder in (root, file.parent, Path()) if folder.is_dir()]
    return next((folder for folder in folders if first and os.path.isfile(folder / first)), folders[0])


def entry_samples(
    entries: Iterable[Entry], root: Path, settings: Mapping[str, Any], encoding: Mapping[str, Any]
) -> Iterator[Samples]:
    """The images of entries, a chunk at a time, uint8 (samples, 3, size, size); their labels are not looked at.

    An image that cannot be read raises DataError; with `settings["on_bad_image"] == "skip"` it is left out, and how
    many there were is logged.
    """
    size, skip = encoding["size"], settings.get("on_bad_image") == "skip"
    waiting, skipped, first = iter(entries), 0, ""
    with ThreadPoolExecutor() as pool:
        while chunk := list(islice(waiting, _CHUNK)):
            ids, images = [], []
            for entry, image in zip(chunk, pool.map(lambda e: _image(root / e.image, size), chunk), strict=True):
                if isinstance(image, Tensor):
                    ids.append(_id(entry.image))
                    images.append(image)
                    continue
                bad = f"{entry.place}: {entry.image}: {image}"
                if not skip:
                    raise DataError(f"{bad}; to leave out such images type --on-bad-image skip")
                skipped, first = skipped + 1, first or bad
            if images:
                yield Samples(ids, torch.stack(images))
    if skipped:
        _log.warning("%s skipped; the first: %s", counted(skipped, "image"), first)


def some(entries: Iterable[Entry], file: Path) -> Iterator[Entry]:
    """The entries of a list as they come; DataError, at its end, for one that names no image."""
    entry = None
    for entry in entries:
        yield entry
    if entry is None:
        raise DataError(f"{file}: it lists no images")


def _image(file: Path, size: int) -> Tensor | str:
    """The pixels, or why there are none."""
    try:
        return decode(file.read_bytes(), size)
    except FileNotFoundError:
        return f"there is no such file in {file.parent}"
    except (OSError, ValueError) as error:
        return getattr(error, "strerror", None) or str(error)


def _id(image: str) -> str:
    """A path as text: a file name that is not UTF-8 could not be printed."""
    return image.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _in_folder(folder: Path) -> Iterator[Entry]:
    images, others = images_in(folder)
    if others:
        _log.info("%s: %s left out: not images by their names", folder, counted(others, "file"))
    if not images:
        kinds = " ".join(IMAGE_SUFFIXES)
        raise DataError(f"{folder}: there is no image in the folder (files that end in one of {kinds})")
    for image in images:
        yield Entry(image, (), str(folder))


def _in_list(file: Path, root: Path) -> Iterator[Entry]:
    for image, place in text_lines(file):
        # The user names the list, so that images elsewhere may be named by their whole paths.
        yield Entry(image if os.path.isabs(image) else inside(image, root, place), (), place)
