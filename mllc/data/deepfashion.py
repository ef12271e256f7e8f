"""DeepFashion, its Category and Attribute Prediction benchmark: 289 222 images of clothes, 1000 attributes."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mllc.data.attribute_lists import (
    Flagged,
    Listing,
    Partition,
    list_samples,
    named_or_found,
    open_list,
    read_partition,
)
from mllc.data.files import existing_file
from mllc.data.image_dataset import image_dataset
from mllc.data.image_list import Entry, image_root, inside, require_entries
from mllc.data.layouts import DEEPFASHION_ANNOTATIONS, DEEPFASHION_NAMES, DEEPFASHION_VALUES
from mllc.errors import ConfigError, DataError
from mllc.types import Dataset, Samples
from mllc.wording import counted, listed

PARTITION = ("Eval/list_eval_partition.txt", "list_eval_partition.txt")
IMAGES = (".", "Img", "High-res")
"""Folders that may hold the folder `img`, with which the paths in the lists start."""

SPLITS = {"train": "train", "val": "val", "test": "test"}
TYPES = {1: "texture", 2: "fabric", 3: "shape", 4: "part", 5: "style"}


def deepfashion(
    *,
    root: str,
    annotations: str | None = None,
    partition: str | None = None,
    unknown: str | bool = "mask",
    attribute_types: Sequence[int] | None = None,
    size: int = 64,
    on_bad_image: str = "error",
    cache: str = "auto",
    cache_folder: str | None = None,
    group: str | None = None,
) -> Dataset:
    """The attributes of DeepFashion's images, as its makers lay the files out.

    root             the folder that holds Anno (or Anno_coarse, Anno_fine), Eval and img (or Img/img)
    annotations      the folder of list_attr_cloth.txt and list_attr_img.txt; None: the first of those
    partition        count, header, `path train|val|test`; None: Eval/list_eval_partition.txt; without it all is train
    unknown          what a value 0 means: `mask`, it is not known whether the label is true; False, it is not
    attribute_types  the types of attributes to keep (1 texture, 2 fabric, 3 shape, 4 part, 5 style); None: all
    size             height and width of the images, which are squeezed into the square, in pixels
    on_bad_image     `error`, or `skip`: leave out the images that are missing or cannot be decoded, and say so
    cache            where decoded pixels are kept: see `image_dataset`
    cache_folder     for decoded images; None: $MLLC_CACHE or ~/.cache/mllc
    group            `folder`: images of one folder, which show one garment, stay in one split, where splits are carved

    Raises DataError, naming file and line, and ConfigError for wrong settings. Source: Liu, Luo, Qiu, Wang, Tang:
    DeepFashion: Powering Robust Clothes Recognition and Retrieval with Rich Annotations, CVPR 2016.
    """
    if unknown not in ("mask", False):
        raise ConfigError(f"dataset.unknown={str(unknown).lower()}: mask or false is needed")
    if attribute_types is not None and not attribute_types:
        raise ConfigError("dataset.attribute_types=[]: at least one type is needed; null keeps the attributes of all")
    if group not in (None, "folder"):
        raise ConfigError(f"split.group={group}: DeepFashion has the group folder; type split.group=folder")
    base = image_root(root)
    folder, notes = _annotations(base, annotations)
    splits_at = named_or_found(partition, "dataset.partition", base, PARTITION)
    splits, counts = _partition(splits_at)
    values_at, images = existing_file(folder / DEEPFASHION_VALUES, "dataset.annotations"), _image_root(base)
    names, kept, told = _names(existing_file(folder / DEEPFASHION_NAMES, "dataset.annotations"), attribute_types)
    lists, more = _entries(values_at, names, kept, images, splits, unknown == "mask", group)
    return image_dataset(
        [names[index] for index in kept],
        lists,
        images,
        size=size,
        on_bad_image=on_bad_image,
        cache=cache,
        cache_at=cache_folder,
        notes=[*notes, *counts, *told, *more],
    )


def samples(path: Path, settings: Mapping[str, Any], encoding: Mapping[str, Any]) -> Iterator[Samples]:
    """The images of an attribute list, or those that `image_samples` takes, a chunk at a time."""
    root = Path(settings["root"]).expanduser()
    return list_samples(path, _image_root(root) if root.is_dir() else None, settings, encoding)


def _image_root(base: Path) -> Path:
    return next((base / place for place in IMAGES if (base / place / "img").is_dir()), base)


def _annotations(base: Path, given: str | None) -> tuple[Path, list[str]]:
    """The folder of the attribute lists; a note where another one has such lists as well."""
    folders = [base / place for place in DEEPFASHION_ANNOTATIONS] if given is None else [Path(given).expanduser()]
    names = (DEEPFASHION_NAMES, DEEPFASHION_VALUES)
    found = [folder for folder in folders if all(os.path.isfile(folder / name) for name in names)]
    if not found:
        looked = listed([str(folder) for folder in folders], quote=str)
        raise DataError(
            f"there is no {' with a '.join(names)} in {looked}; type dataset.root=FOLDER, that of the Category and "
            "Attribute Prediction benchmark, or dataset.annotations=FOLDER"
        )
    first, *others = found
    return first, [f"attributes are those of {first.name}; for others type dataset.annotations={at}" for at in others]


def _partition(file: Path | None) -> tuple[Partition, list[str]]:
    if file is None:
        return Partition(None, {}), []
    with open_list(file) as listing:
        return Partition(file, read_partition(listing, SPLITS)), listing.notes("image")


def _names(file: Path, types: Sequence[int] | None) -> tuple[list[str], list[int], list[str]]:
    """Every attribute, the indices of those to keep, and notes."""
    names: dict[str, int] = {}
    with open_list(file) as listing:
        for number, fields in listing.lines():
            *words, kind = map(listing.text, fields)
            if not words or not re.fullmatch(r"[0-9]{1,9}", kind):
                raise DataError(f"{file}, line {number}: a name and the number of its type are expected")
            name = " ".join(words)
            if name in names:
                raise DataError(f"{file}, line {number}: the attribute {name!r} occurs already in an earlier line")
            names[name] = int(kind)
        notes = listing.notes("attribute")
    if not names:
        raise DataError(f"{file}: it names no attributes")
    kept = [index for index, kind in enumerate(names.values()) if types is None or kind in types]
    if missing := set(types or ()) - set(names.values()):
        there = ", ".join(f"{kind} ({TYPES.get(kind, 'unnamed')})" for kind in sorted(set(names.values())))
        raise ConfigError(f"dataset.attribute_types: no attribute has type {min(missing)}; {file} has types {there}")
    return list(names), kept, notes


def _entries(
    file: Path, names: list[str], kept: list[int], root: Path, partition: Partition, mask: bool, group: str | None
) -> tuple[dict[str, list[Entry]], list[str]]:
    """The entries of each split, and notes.

    names  every attribute, in the order of the values
    kept   indices of those that become labels
    """
    lists: dict[str, list[Entry]] = {"train": [], "val": [], "test": []}
    labels, columns = [names[index] for index in kept], np.array(kept)
    zeros = falses = 0
    with open_list(file) as listing:
        for row in listing.rows(len(names), unknown=True):
            values = row.values[columns]
            zeros += int((values == 0).sum())
            falses += int((values < 0).sum())
            image = inside(row.image, root, row.place)
            entry = Entry(
                image,
                Flagged(labels, values > 0),
                row.place,
                unknown=Flagged(labels, values == 0) if mask else (),
                group=image.rpartition("/")[0] if group else None,
            )
            lists[partition.split(row)].append(entry)
        notes = [*listing.notes("image"), *partition.notes(), *_zero_notes(listing, zeros, falses, mask, len(kept))]
    require_entries([entry for entries in lists.values() for entry in entries], file)
    if not lists["train"]:
        raise DataError(f"{file}: none of its images is in the training split")
    return {split: entries for split, entries in lists.items() if entries}, notes


def _zero_notes(listing: Listing, zeros: int, falses: int, mask: bool, num_labels: int) -> list[str]:
    """What was made of the zeros; DataError where 0 seems to be the list's word for false."""
    if not zeros:
        return []
    share = zeros / (listing.found * num_labels)
    told = f"{listing.file.name}: {counted(zeros, 'value')} of 0, unknown ({share:.2%})"
    if not mask:
        return [f"{told}, taken as false"]
    if not falses:
        raise DataError(
            f"{listing.file}: no value is -1, so that 0 seems to mean false here, not unknown; if so, type "
            "dataset.unknown=false"
        )
    return [f"{told}, left out; for false type dataset.unknown=false"]
