"""Which files are images, by their names alone."""

import os
from pathlib import Path

IMAGE_SUFFIXES = (
    *(".bmp", ".gif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff"),
    ".webp",
)
"""By which images are told from other files, in any case."""


def images_in(folder: Path) -> tuple[list[str], int]:
    """The images in a folder and in all folders in it, by their paths from it, sorted; how many other files there are.

    Hidden files are no images (macOS writes `._a.jpg` beside the real ones); hidden folders are passed over.
    """
    images, others = [], 0
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if name.lower().endswith(IMAGE_SUFFIXES) and not name.startswith("."):
                images.append(os.path.relpath(os.path.join(place, name), folder))
            else:
                others += 1
    return sorted(images), others
