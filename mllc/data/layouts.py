"""Where known data sets have the files that they are told by: what readers look for, and dataset=auto as well.

Paths start from dataset.root; of several the first that there is counts. Imports no torch.
"""

from pathlib import Path

CELEBA_ROOTS = (".", "celeba", "CelebA")
"""Folders that may hold all of CelebA."""

CELEBA_ATTRIBUTES = tuple(f"{folder}list_attr_celeba.{ending}" for folder in ("", "Anno/") for ending in ("txt", "csv"))
"""Its list of attributes, from one of these folders."""

DEEPFASHION_ANNOTATIONS = ("Anno", "Anno_coarse", "Anno_fine", ".")
"""Folders that may hold the lists; the coarse ones have 1000 attributes, the fine ones 26."""

DEEPFASHION_NAMES, DEEPFASHION_VALUES = "list_attr_cloth.txt", "list_attr_img.txt"

COCO_YEARS = (2017, 2014)

YOLO_DESCRIPTIONS = ("data.yaml", "data.yml", "dataset.yaml", "classes.txt", "obj.names", "labels/classes.txt")
"""The file with the names of the classes: a YAML, or a text file with a name a line."""


def coco_files(year: int) -> tuple[str, str]:
    """The JSON files of COCO's own training and validation images."""
    return f"annotations/instances_train{year}.json", f"annotations/instances_val{year}.json"


def voc_folders(root: Path, year: int | None = None) -> list[Path]:
    """The folders with Annotations and ImageSets/Main: `root`, and those of a year (None: any) as archives unpack."""
    years = "VOC2*" if year is None else f"VOC{year}"
    places = [root]
    for pattern in (years, f"VOCdevkit/{years}", f"TrainVal/VOCdevkit/{years}"):
        places += sorted(root.glob(pattern))
    return [at for at in places if (at / "Annotations").is_dir() and (at / "ImageSets" / "Main").is_dir()]
