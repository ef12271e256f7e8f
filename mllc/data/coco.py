"""COCO: instances as JSON, one file a split, read as images with the labels of the objects in them."""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mllc.data.coco_json import Instances, read_images, read_instances
from mllc.data.download import fetch_coco
from mllc.data.files import existing_file
from mllc.data.image_dataset import image_dataset
from mllc.data.image_list import Entry, image_root, inside, require_entries
from mllc.data.image_samples import entry_samples, image_samples, names_images
from mllc.data.layouts import coco_files
from mllc.data.objects import check_choice, doubt_notes, entry
from mllc.errors import DataError
from mllc.types import Dataset, Samples

SPLITS = ("train", "val", "test")


def coco(
    *,
    root: str,
    train: str | None = None,
    test: str | None = None,
    val: str | None = None,
    train_images: str | None = None,
    test_images: str | None = None,
    val_images: str | None = None,
    year: int = 2017,
    crowd: str = "count",
    download: bool = False,
    size: int = 64,
    on_bad_image: str = "error",
    cache: str = "auto",
    cache_folder: str | None = None,
) -> Dataset:
    """COCO's instances: a label is true for an image with an object of its category.

    root          the folder that holds the images' folders (train2017, val2017)
    train         a JSON file; None: COCO's own of `year` below root, annotations/instances_train2017.json; its official
                  validation split is then the test split, as COCO publishes no labels of its test images
    train_images  the folder, below root, that the split's file names start from; None: found by the first image
    year          2014 or 2017: what train=None and download mean
    crowd         a category of which an image has crowds alone: `count`, be `unknown` (masked) or `ignore` (not true)
    download      fetch COCO of `year` to root, unless it is there
    size, on_bad_image, cache, cache_folder: see `image_dataset`

    Labels are the names of the categories in the order of their ids; splits have the same categories. An image without
    objects has no label. Raises DataError, naming the annotation's id, and ConfigError for wrong settings.
    """
    check_choice("crowd", crowd)
    if download:
        fetch_coco(Path(root).expanduser(), year)
    folder = image_root(root)
    given = {"train": train, "val": val, "test": test}
    if train is None:
        given = _official(folder, year) | {split: path for split, path in given.items() if path is not None}
    files = {split: existing_file(path, f"dataset.{split}") for split, path in given.items() if path is not None}
    instances = {split: read_instances(file) for split, file in files.items()}
    _require_same_categories(files, instances)
    images_in = {"train": train_images, "val": val_images, "test": test_images}
    lists, notes = {}, []
    for split, found in instances.items():
        below = _images_folder(files[split], folder, images_in[split], found.images.values(), f"dataset.{split}_images")
        lists[split] = _entries(files[split], folder, below, found, crowd)
        require_entries(lists[split], files[split])
        notes += found.notes
        notes += doubt_notes(split, map(found.named, found.images), "crowd", crowd, "crowds")
    names = list(instances["train"].categories.values())
    return image_dataset(
        names, lists, folder, size=size, on_bad_image=on_bad_image, cache=cache, cache_at=cache_folder, notes=notes
    )


def samples(path: Path, settings: Mapping[str, Any], encoding: Mapping[str, Any]) -> Iterator[Samples]:
    """New images: those that a COCO file (`.json`) lists, or as `image_samples` finds them.

    settings  of the data set: root, and the folder of the split whose file it is (else of the test split)
    """
    if names_images(path):
        return image_samples(path, settings, encoding)
    file = existing_file(path, "INPUT")
    root = image_root(settings["root"])
    images = read_images(file)
    own = [split for split in SPLITS if settings.get(split) and Path(settings[split]).expanduser() == path]
    below = settings.get(f"{own[0]}_images") if own else None
    below = _images_folder(file, root, below, images.values(), "dataset.test_images")
    return entry_samples(
        (
            Entry(inside(os.path.join(below, name), root, f"{file}: image id {image}"), (), f"{file}: image id {image}")
            for image, name in images.items()
        ),
        root,
        settings,
        encoding,
    )


def _official(root: Path, year: int) -> dict[str, str]:
    """COCO's own files of a year, as its archives unpack them; what it calls val is tested on."""
    train, test = coco_files(year)
    if not (root / train).exists():
        raise DataError(
            f"dataset.root={root}: there is no {train} in it; type dataset.train=FILE for a COCO file of your own, "
            "another dataset.year, or dataset.download=true"
        )
    return {"train": str(root / train), "test": str(root / test)}


def _images_folder(file: Path, root: Path, below: str | None, names: Any, setting: str) -> str:
    """The folder below `root` that the file names of a COCO file start from.

    If it is not given: the first of those that are usual in which the first image is: named as in instances_NAME.json,
    the same in `images`, that folder, root itself, the folder of the file.
    """
    if below is not None:
        if not os.path.isdir(root / below):
            raise DataError(f"{setting}={below}: there is no such folder in dataset.root={root}")
        return inside(below, root, setting)
    stem = re.sub(r"^[a-z_]*instances_|\.json$", "", file.name)
    usual = [stem, f"images/{stem}", "images", "."]
    if file.resolve().is_relative_to(root.resolve()):
        usual.append(str(file.resolve().parent.relative_to(root.resolve())))
    first = next(iter(names), "")
    return next(
        (folder for folder in usual if os.path.isfile(root / folder / first)), stem if (root / stem).is_dir() else "."
    )


def _entries(file: Path, root: Path, below: str, found: Instances, crowd: str) -> list[Entry]:
    entries = []
    for image, name in found.images.items():
        place = f"{file}: image id {image}"
        entries.append(entry(inside(os.path.join(below, name), root, place), found.named(image), place, crowd))
    return entries


def _require_same_categories(files: Mapping[str, Path], instances: Mapping[str, Instances]) -> None:
    train = instances["train"].categories
    for split, found in instances.items():
        for identifier in sorted(train.keys() | found.categories.keys()):
            name, other = train.get(identifier), found.categories.get(identifier)
            if name != other:
                raise DataError(
                    f"{files[split]}: the category of id {identifier} is {_said(other)}, but {_said(name)} in "
                    f"{files['train']}; the splits need the same categories"
                )


def _said(name: str | None) -> str:
    return "missing" if name is None else repr(name)
