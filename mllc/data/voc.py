"""PASCAL VOC: a list of images a split, an XML of objects an image, read as images with the labels of their objects."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mllc.data.download import fetch_voc
from mllc.data.files import existing_file, text_lines
from mllc.data.image_dataset import image_dataset
from mllc.data.image_list import Entry, image_root, inside, require_entries
from mllc.data.image_names import IMAGE_SUFFIXES
from mllc.data.image_samples import entry_samples, image_samples, names_images
from mllc.data.layouts import voc_folders
from mllc.data.objects import check_choice, doubt_notes, entry
from mllc.data.voc_xml import read_annotation
from mllc.errors import DataError
from mllc.types import Dataset, Samples
from mllc.wording import listed

CLASSES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)
"""Of the challenges from 2007 on."""


class Listed(NamedTuple):
    """An image of a list: its name, without folder or suffix, and where it stands."""

    name: str
    place: str


def voc(
    *,
    root: str,
    train: str | None = None,
    test: str | None = None,
    val: str | None = None,
    year: int | None = None,
    difficult: str = "count",
    download: bool = False,
    size: int = 64,
    on_bad_image: str = "error",
    cache: str = "auto",
    cache_folder: str | None = None,
) -> Dataset:
    """PASCAL VOC, or a folder laid out like it: a label is true for an image with an object of its class.

    root       holds VOCdevkit/VOC2007 (as unpacked), VOC2007, or Annotations, ImageSets and JPEGImages themselves
    train      the name of a list in ImageSets/Main (trainval), or a file (`.txt`) with the name of an image a line;
               None: trainval, or train where val has another use; `test` is then the list test (of 2007 only), else val
    year       the VOC folder to take; None: the only one there is, and of downloads 2007
    difficult  a class of which an image has objects alone that VOC marks as difficult to recognise: `count` as true, be
               `unknown` (masked: what VOC's own evaluation does) or `ignore` (not true)
    download   fetch VOC of `year` to root, unless it is there
    size, on_bad_image, cache, cache_folder: see `image_dataset`

    Labels are VOC's twenty classes if there is no other, else those that occur in the splits, sorted. Raises DataError,
    naming file and line, and ConfigError for wrong settings.
    """
    check_choice("difficult", difficult)
    if download:
        fetch_voc(Path(root).expanduser(), 2007 if year is None else year)
    top = image_root(root)
    folder = voc_folder(top, year)
    given, notes = _splits(folder, {"train": train, "val": val, "test": test})
    images = {}
    for split, named in given.items():
        file = existing_file(_list_file(folder, named), f"dataset.{split}")
        images[split] = [_annotated(folder, top, line) for line in _names(file)]
        require_entries([Entry(image, (), place) for image, _, place in images[split]], file)
        notes += doubt_notes(split, (o for _, o, _ in images[split]), "difficult", difficult, "difficult objects")
    lists = {split: [entry(i, o, place, difficult) for i, o, place in found] for split, found in images.items()}
    names: list[str] = sorted({name for found in images.values() for _, objects, _ in found for name, _ in objects})
    if set(names) <= set(CLASSES):
        names = list(CLASSES)
    else:
        notes.append(f"other classes than VOC's twenty: the labels are those that occur in the splits, {len(names)}")
    return image_dataset(
        names, lists, top, size=size, on_bad_image=on_bad_image, cache=cache, cache_at=cache_folder, notes=notes
    )


def samples(path: Path, settings: Mapping[str, Any], encoding: Mapping[str, Any]) -> Iterator[Samples]:
    """New images: those that a list (`.txt`) in root names as VOC does, or as `image_samples` finds them."""
    root = Path(settings["root"]).expanduser()
    if path.suffix.lower() == ".txt" and root.is_dir() and path.resolve().is_relative_to(root.resolve()):
        folder = voc_folder(root, settings.get("year"))
        lines = _names(existing_file(path, "INPUT"))
        if not lines or Path(lines[0].name).suffix.lower() in IMAGE_SUFFIXES:
            return image_samples(path, settings, encoding)
        entries = (Entry(_image(folder, root, line, ""), (), line.place) for line in lines)
        return entry_samples(entries, root, settings, encoding)
    if names_images(path):
        return image_samples(path, settings, encoding)
    raise DataError(f"INPUT {path}: an image, a folder of images or a list (.txt) is needed")


def voc_folder(root: Path, year: int | None) -> Path:
    """The folder with Annotations and ImageSets: `root`, or that of `year` (None: the only one) where archives put it.

    Raises DataError where there is none, or more than one.
    """
    found = voc_folders(root, year)
    if not found:
        what = "VOCdevkit/VOC2007" if year is None else f"VOCdevkit/VOC{year}"
        raise DataError(
            f"dataset.root={root}: there is neither {what} nor Annotations and ImageSets/Main in it; type the folder "
            "that holds them, or dataset.download=true"
        )
    if len(found) > 1:
        raise DataError(
            f"dataset.root={root}: it holds {', '.join(folder.name for folder in found)}; type dataset.year=YEAR"
        )
    return found[0]


def _splits(folder: Path, given: Mapping[str, str | None]) -> tuple[dict[str, str], list[str]]:
    """The list of each split that there is, and what to tell of the choice."""
    splits = {split: named for split, named in given.items() if named is not None}
    if "train" in splits:
        return splits, []
    if "test" not in splits and (folder / "ImageSets" / "Main" / "test.txt").exists():
        splits["test"] = "test"
    elif "val" not in splits.values():
        splits.setdefault("test", "val")
    splits = {"train": "train" if "val" in splits.values() else "trainval"} | splits
    return splits, [", ".join(f"{split}: the list {named}" for split, named in splits.items()) + f" of {folder.name}"]


def _list_file(folder: Path, named: str) -> str:
    """The path of a list that is named as in ImageSets/Main, or of a file."""
    main = folder / "ImageSets" / "Main"
    if "/" in named or named.endswith(".txt"):
        return named
    if not os.path.isfile(main / f"{named}.txt"):
        there = sorted(file.stem for file in main.glob("*.txt") if "_" not in file.stem)  # not those of one class
        raise DataError(
            f"{main}: there is no list {named!r} in it; type one of {listed(there) or 'none'}, or the path of a file"
        )
    return str(main / f"{named}.txt")


def _names(file: Path) -> list[Listed]:
    return [Listed(name, place) for name, place in text_lines(file)]


def _annotated(folder: Path, root: Path, line: Listed) -> tuple[str, list[tuple[str, bool]], str]:
    """The path of an image from `root`, its objects, and where it is listed."""
    file = folder / inside(f"Annotations/{line.name}.xml", folder, line.place)
    if not os.path.isfile(file):
        of_one_class = line.name.rpartition(" ")[2] in ("-1", "0", "1")
        hint = "; it looks like a list of one class: type another, such as trainval" if of_one_class else ""
        raise DataError(f"{line.place}: there is no annotation {file}{hint}")
    annotation = read_annotation(file)
    return _image(folder, root, line, Path(annotation.filename).suffix), annotation.objects, line.place


def _image(folder: Path, root: Path, line: Listed, suffix: str) -> str:
    """The path of an image from `root`: a JPEG, else with the suffix that its annotation tells, else what is there."""
    for known in (".jpg", suffix, *IMAGE_SUFFIXES):
        image = inside(f"JPEGImages/{line.name}{known}", folder, line.place)
        if known.lower() in IMAGE_SUFFIXES and os.path.isfile(folder / image):
            return str((folder / image).relative_to(root))
    return str((folder / "JPEGImages" / f"{line.name}.jpg").relative_to(root))
