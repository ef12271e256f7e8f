"""CelebA: faces with 40 attributes; as its makers, torchvision and Kaggle lay it out."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mllc.data.attribute_lists import (
    Flagged,
    Partition,
    is_csv,
    list_samples,
    named_or_found,
    open_list,
    read_partition,
)
from mllc.data.download import fetch_celeba
from mllc.data.image_dataset import image_dataset
from mllc.data.image_list import Entry, image_root, inside, require_entries
from mllc.data.layouts import CELEBA_ATTRIBUTES, CELEBA_ROOTS
from mllc.errors import ConfigError, DataError
from mllc.types import Dataset, Samples
from mllc.wording import listed

PARTITION = tuple(f"{folder}list_eval_partition.{ending}" for folder in ("", "Eval/") for ending in ("txt", "csv"))
IDENTITIES = ("identity_CelebA.txt", "Anno/identity_CelebA.txt")
IMAGES = ("img_align_celeba/img_align_celeba", "img_align_celeba", "Img/img_align_celeba")
SPLITS = {"0": "train", "1": "val", "2": "test"}


def celeba(
    *,
    root: str,
    attributes: str | None = None,
    partition: str | None = None,
    images: str | None = None,
    download: bool = False,
    size: int = 64,
    on_bad_image: str = "error",
    cache: str = "auto",
    cache_folder: str | None = None,
    group: str | None = None,
) -> Dataset:
    """CelebA, or another data set in its form: a list of attributes, a list of splits, a folder of images.

    root          the folder of all of it, or the one that holds `celeba/`
    attributes    number of images, names of the attributes, then `path 1 -1 ...`; None: list_attr_celeba.txt (or .csv,
                  Kaggle's form: `image_id,NAME,...`, then `path,1,-1,...`)
    partition     `path 0|1|2`: train, val, test; None: list_eval_partition.txt (or .csv); without it all is train
    images        the folder that the paths start from; None: img_align_celeba
    download      fetch it into root/celeba, if it is not there
    size          height and width of the images, which are squeezed into the square, in pixels
    on_bad_image  `error`, or `skip`: leave out the images that are missing or cannot be decoded, and say so
    cache         where decoded pixels are kept: see `image_dataset`
    cache_folder  for decoded images; None: $MLLC_CACHE or ~/.cache/mllc
    group         `identity`: images of one person stay in one split (identity_CelebA.txt), where splits are carved

    Raises DataError, naming file and line, and ConfigError for wrong settings. Source: Liu, Luo, Wang, Tang: Deep
    Learning Face Attributes in the Wild, ICCV 2015.
    """
    if download:
        fetch_celeba(Path(root).expanduser())
    base = _base(root)
    listing = named_or_found(attributes, "dataset.attributes", base, CELEBA_ATTRIBUTES)
    if listing is None:
        raise DataError(
            f"dataset.root={root}: none of {', '.join(CELEBA_ATTRIBUTES)} is in it, nor in its folder "
            "celeba; type the folder of CelebA, or dataset.attributes=FILE"
        )
    folder = _images(base, images)
    splits_at = named_or_found(partition, "dataset.partition", base, PARTITION)
    people = _identities(base, group)
    names, lists, notes = _read(listing, folder, splits_at, people)
    return image_dataset(
        names, lists, folder, size=size, on_bad_image=on_bad_image, cache=cache, cache_at=cache_folder, notes=notes
    )


def samples(path: Path, settings: Mapping[str, Any], encoding: Mapping[str, Any]) -> Iterator[Samples]:
    """The images of an attribute list, or those that `image_samples` takes, a chunk at a time."""
    root = Path(settings["root"]).expanduser()
    found = (
        [Path(settings["images"]).expanduser()]
        if settings.get("images")
        else [at / place for at in _bases(root) for place in IMAGES]
    )
    return list_samples(path, next((folder for folder in found if folder.is_dir()), None), settings, encoding)


def _bases(root: Path) -> list[Path]:
    return [root / place for place in CELEBA_ROOTS]


def _base(root: str) -> Path:
    folder = image_root(root)
    return next((at for at in _bases(folder) if any((at / name).is_file() for name in CELEBA_ATTRIBUTES)), folder)


def _images(base: Path, images: str | None) -> Path:
    if images is not None:
        if not os.path.isdir(folder := os.path.expanduser(images)):
            raise DataError(f"dataset.images={images}: there is no such folder")
        return Path(folder)
    found = next((base / place for place in IMAGES if (base / place).is_dir()), None)
    if found is None:
        zipped = "; unpack img_align_celeba.zip there" if (base / "img_align_celeba.zip").exists() else ""
        raise DataError(f"{base}: there is no folder img_align_celeba in it{zipped}; or type dataset.images=FOLDER")
    return found


def _identities(base: Path, group: str | None) -> dict[str, str] | None:
    """Image -> person."""
    if group is None:
        return None
    if group != "identity":
        raise ConfigError(f"split.group={group}: CelebA has the group identity; type split.group=identity")
    file = named_or_found(None, "", base, IDENTITIES)
    if file is None:
        raise DataError(f"split.group=identity: there is no {' or '.join(IDENTITIES)} in {base}")
    people = {}
    with open_list(file, headed=False) as listing:
        for number, fields in listing.lines():
            if len(fields) != 2:
                raise DataError(f"{file}, line {number}: an image and the number of its person are expected")
            image, person = map(listing.text, fields)
            if people.setdefault(image, person) != person:
                raise DataError(f"{file}, line {number}: {image!r} is of {people[image]} in an earlier line")
    return people


def _read(
    file: Path, folder: Path, splits_at: Path | None, people: dict[str, str] | None
) -> tuple[list[str], dict[str, list[Entry]], list[str]]:
    """Label names, the entries of each split, and notes."""
    lists: dict[str, list[Entry]] = {"train": [], "val": [], "test": []}
    partition = Partition(splits_at, {} if splits_at is None else _partition(splits_at))
    with open_list(file) as listing:
        names = listing.header[1:] if is_csv(file) else listing.header
        if repeated := [name for name, count in Counter(names).items() if count > 1]:
            raise DataError(f"{file}, line {1 if is_csv(file) else 2}: named more than once: {listed(repeated)}")
        for row in listing.rows(len(names), unknown=False):
            if people is not None and row.image not in people:
                raise DataError(f"{row.place}: {row.image!r} is not in identity_CelebA.txt")
            person = None if people is None else people[row.image]
            entry = Entry(inside(row.image, folder, row.place), Flagged(names, row.values > 0), row.place, group=person)
            lists[partition.split(row)].append(entry)
        notes = [*listing.notes("image"), *partition.notes()]
    require_entries([entry for entries in lists.values() for entry in entries], file)
    if not lists["train"]:
        raise DataError(f"{splits_at}: no image of {file} is in the training split (0)")
    return names, {split: entries for split, entries in lists.items() if entries}, notes


def _partition(file: Path) -> dict[str, str]:
    with open_list(file, headed=False) as listing:
        return read_partition(listing, SPLITS)
