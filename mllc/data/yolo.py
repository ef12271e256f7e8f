"""YOLO: folders or lists of images, a text file of objects an image, read as images with their objects' labels."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mllc.data.files import encoding as text_encoding
from mllc.data.files import encoding_notes, existing_file, text_lines
from mllc.data.image_dataset import image_dataset
from mllc.data.image_list import Entry, image_root, inside, require_entries
from mllc.data.image_names import images_in
from mllc.data.image_samples import entry_samples, image_samples, names_images, some
from mllc.data.yolo_labels import label_path, read_labels
from mllc.data.yolo_yaml import read_description
from mllc.errors import DataError
from mllc.types import Dataset, Samples
from mllc.wording import counted

PLAIN = {
    "train": ("images/train", "train/images", "images"),
    "val": ("images/val", "val/images", "valid/images"),
    "test": ("images/test", "test/images"),
}
"""The folders that are looked for where nothing says where the images of a split are; the first that there is."""

NONE = "none"
"""Given for val or test: there is none, whatever data.yaml says."""


def yolo(
    *,
    root: str,
    data: str | None = None,
    train: str | None = None,
    test: str | None = None,
    val: str | None = None,
    size: int = 64,
    on_bad_image: str = "error",
    cache: str = "auto",
    cache_folder: str | None = None,
) -> Dataset:
    """A YOLO data set: a label is true for an image with an object of its class.

    root   the folder of the data set, in which everything lies; what its data.yaml says of `path` is not used
    data   data.yaml, or a text file with the name of a class a line; None: the one that is usual in root
    train  a folder of images in root, or a list of them (`.txt`); None: as data.yaml says, else images/train or images
    test   likewise; `none`: there is none (and of val), whatever data.yaml says
    size, on_bad_image, cache, cache_folder: see `image_dataset`

    The labels of images/a.jpg are in labels/a.txt, those of obj/a.jpg in obj/a.txt; an image without such a file has
    none. Raises DataError, naming file and line, and ConfigError for wrong settings.
    """
    folder = image_root(root)
    described = read_description(folder, data)
    lists: dict[str, list[Entry]] = {}
    notes = encoding_notes(described.file, text_encoding(described.file))
    for split, places in _places(folder, described.splits, {"train": train, "val": val, "test": test}).items():
        images = [entry for place in places for entry in _images(folder, place, f"dataset.{split}")]
        require_entries(images, folder)
        lists[split] = _labelled(folder, images, described.names, split, notes)
    return image_dataset(
        described.names,
        lists,
        folder,
        size=size,
        on_bad_image=on_bad_image,
        cache=cache,
        cache_at=cache_folder,
        notes=notes,
    )


def samples(path: Path, settings: Mapping[str, Any], encoding: Mapping[str, Any]) -> Iterator[Samples]:
    """New images: those of a YOLO list (`.txt`) or of a data.yaml's test split, or as `image_samples` finds them."""
    if names_images(path) and path.suffix.lower() != ".txt":
        return image_samples(path, settings, encoding)
    file = existing_file(path, "INPUT")
    root = image_root(settings["root"])
    if file.suffix.lower() == ".txt":
        if not file.resolve().is_relative_to(root.resolve()):
            return image_samples(path, settings, encoding)
        return entry_samples(some(_in_list(root, file), file), root, settings, encoding)
    places = _places(root, read_description(root, str(file)).splits, {"test": None})
    if "test" not in places:
        raise DataError(f"INPUT {path}: it names no images to test on; give an image, a folder or a list (.txt)")
    entries = (entry for place in places["test"] for entry in _images(root, place, "INPUT"))
    return entry_samples(entries, root, settings, encoding)


def _places(
    root: Path, described: Mapping[str, Sequence[str]], given: Mapping[str, str | None]
) -> dict[str, Sequence[str | Path]]:
    """The folders and lists of each split: those given, else those described, else those that are usual."""
    places: dict[str, Sequence[str | Path]] = {}
    for split, place in given.items():
        if place == NONE:
            continue
        usual = [] if described else [folder for folder in PLAIN[split] if (root / folder).is_dir()]
        if place is not None:
            places[split] = [Path(os.path.expanduser(place))]
        elif split in described or usual:
            places[split] = described.get(split) or usual[:1]
    if "train" in given and "train" not in places:
        raise DataError(
            f"dataset.root={root}: nothing says where the images to train on are; type dataset.train=FOLDER or a list"
        )
    return places


def _images(root: Path, place: str | Path, setting: str) -> Iterator[Entry]:
    """The images of a folder, sorted, or of a list.

    place  a Path as the user gave it, from here or from root; or text of a data.yaml, from root
    """
    path = _found(root, place, setting)
    if path.is_file():
        yield from some(_in_list(root, existing_file(path, setting)), path)
        return
    if not path.resolve().is_relative_to(root.resolve()):
        raise DataError(f"{setting}={place}: leads out of dataset.root={root}")
    images, _ = images_in(path)
    if not images:
        raise DataError(f"{setting}={place}: there is no image in {path}")
    below = os.path.relpath(path, root)
    for image in images:
        if any("\udc80" <= letter <= "\udcff" for letter in image):
            raise DataError(f"{path}: the name of {image!r} is not UTF-8; rename it")
        yield Entry(os.path.normpath(os.path.join(below, image)), (), str(path))


def _found(root: Path, place: str | Path, setting: str) -> Path:
    """The folder or list; Roboflow writes `../train/images`, but means it from the folder of its data.yaml."""
    tried = [root / place]
    if isinstance(place, Path):
        tried.insert(0, place)
    elif place.startswith("../"):
        tried = [root / place.removeprefix("../"), root / place]
    for path in tried:
        if os.path.exists(path):
            return path
    raise DataError(f"{setting}={place}: there is no such folder or list in dataset.root={root}")


def _in_list(root: Path, file: Path) -> Iterator[Entry]:
    """The images of a list: `./a.jpg` starts from the folder of the list, others from the root."""
    for image, place in text_lines(file):
        start = file.parent if image.startswith("./") else root
        yield Entry(inside(os.path.relpath(start / image, root), root, place), (), place)


def _labelled(root: Path, images: Sequence[Entry], names: Sequence[str], split: str, notes: list[str]) -> list[Entry]:
    """The images with their labels; DataError where none has a label file, as the layout is then another one."""
    entries, missing = [], 0
    for image in images:
        labels = read_labels(root / label_path(image.image), names)
        missing += labels is None
        entries.append(image._replace(labels=labels or ()))
    if missing == len(images):
        first = images[0].image
        hint = "" if split == "train" else f"; type dataset.{split}={NONE} to do without {split}"
        raise DataError(
            f"{images[0].place}: no image of {split} has a label file; that of {first} is expected in "
            f"{root / label_path(first)}{hint}"
        )
    if missing:
        notes.append(f"{counted(missing, 'image')} of {split} without a label file, so without labels")
    return entries
