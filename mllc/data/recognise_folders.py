"""Data sets that are told by the files and folders in their root."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mllc.data.layouts import (
    CELEBA_ATTRIBUTES,
    CELEBA_ROOTS,
    COCO_YEARS,
    DEEPFASHION_ANNOTATIONS,
    DEEPFASHION_NAMES,
    DEEPFASHION_VALUES,
    YOLO_DESCRIPTIONS,
    coco_files,
    voc_folders,
)
from mllc.data.recognise_files import kind_of, split_of


@dataclass(frozen=True)
class Found:
    """A format, files by setting, other settings, and what it was recognised by."""

    dataset: str
    files: Mapping[str, Path]
    reason: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    marks: tuple[Path, ...] = ()

    def owns(self, file: Path) -> bool:
        """Whether a file is one of those that the data set was recognised by."""
        return file.absolute() in [mark.absolute() for mark in self.marks]


def own_files(folder: Path) -> dict[str, list[Path]]:
    """Format -> files of it in a folder, sorted; hidden ones and those that are in no format are left out."""
    found: dict[str, list[Path]] = {}
    with os.scandir(folder) as entries:
        files = sorted(Path(folder, e.name) for e in entries if e.is_file() and not e.name.startswith("."))
    for file in files:
        if kind := kind_of(file):
            found.setdefault(kind, []).append(file)
    return found


def deepfashion(folder: Path) -> Found | None:
    names = (DEEPFASHION_NAMES, DEEPFASHION_VALUES)
    for place in DEEPFASHION_ANNOTATIONS:
        if all((folder / place / name).is_file() for name in names):
            reason = f"{' and '.join(names)} are in {folder / place}"
            return Found("deepfashion", {"root": folder}, reason, marks=tuple(folder / place / name for name in names))
    return None


def celeba(folder: Path) -> Found | None:
    for place in CELEBA_ROOTS:
        for name in CELEBA_ATTRIBUTES:
            if (mark := folder / place / name).is_file():
                return Found("celeba", {"root": folder}, f"{mark.name} is in {mark.parent}", marks=(mark,))
    return None


def coco(folder: Path) -> Found | None:
    """COCO's own layout, or JSON files in the root, in `annotations` or in a folder a split."""
    for year in COCO_YEARS:
        train, val = coco_files(year)
        if (folder / train).is_file():
            other = {} if year == COCO_YEARS[0] else {"year": year}
            return Found("coco", {"root": folder}, f"{train} is in {folder}", other, (folder / train, folder / val))
    for place in ("annotations", ".", "train", "valid", "val", "test"):
        files = [file for file in sorted((folder / place).glob("*.json")) if kind_of(file) == "coco"]
        if files:
            return _own_coco(folder, files if place in ("annotations", ".") else sorted(folder.glob("*/*.json")))
    return None


def _own_coco(folder: Path, files: list[Path]) -> Found | None:
    splits: dict[str, Path] = {}
    for file in files:
        split = split_of(file) or (None if file.parent == folder else split_of(file.parent))
        if kind_of(file) == "coco" and not re.match("captions|person_keypoints|panoptic|stuff|image_info", file.name):
            splits.setdefault(split or ("train" if len(files) == 1 else ""), file)
    if "train" not in splits:
        return None
    found = {split: splits[split] for split in ("train", "val", "test") if split in splits}
    reason = f"{found['train'].name} is JSON as COCO's"
    return Found("coco", {"root": folder, **found}, reason, marks=tuple(found.values()))


def voc(folder: Path) -> Found | None:
    there = voc_folders(folder)
    return Found("voc", {"root": folder}, f"Annotations and ImageSets/Main are in {there[0]}") if there else None


def yolo(folder: Path) -> Found | None:
    for name in YOLO_DESCRIPTIONS:
        if (mark := folder / name).is_file() and kind_of(mark) == "yolo":
            return Found("yolo", {"root": folder}, f"{name} with names is in {folder}", marks=(mark,))
    there = [
        at for at in (folder, *sorted(folder.glob("*"))) if all((at / name).is_dir() for name in ("images", "labels"))
    ]
    return Found("yolo", {"root": folder}, f"images and labels are in {there[0]}") if there else None


LAYOUTS = (deepfashion, celeba, coco, voc, yolo)
"""What a folder is tried for: each gives what it found, or None."""
