"""Sizes of image files as they are stored, from their headers: no pixel is decoded."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mllc.data.image_files import of_each
from mllc.types import Split


@dataclass(frozen=True)
class ImageFiles:
    """Sizes in pixels, not turned by EXIF.

    number   of files whose header was read
    distinct number of different sizes (width, height)
    width, height   smallest, median, largest
    """

    number: int
    distinct: int
    width: tuple[int, float, int]
    height: tuple[int, float, int]


def image_files(root: Path, splits: Mapping[str, Split]) -> ImageFiles | None:
    """The sizes of the files under `root` that the samples are named after; None where they are named otherwise."""
    files = [root / name for split in splits.values() for name in split.ids]
    sizes = np.array([size for size in of_each(lambda index: _size(files[index]), len(files)) if size is not None])
    if not len(sizes):
        return None
    width, height = (
        (int(column.min()), float(np.median(column)), int(column.max())) for column in (sizes[:, 0], sizes[:, 1])
    )
    return ImageFiles(len(sizes), len(np.unique(sizes, axis=0)), width, height)


def _size(file: Path) -> tuple[int, int] | None:
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(file) as image:
                return image.size
    except Exception:  # a damaged header makes Pillow raise errors of any kind; the reader has told what it left out
        return None
