"""Public data sets fetched into a folder, their archives checked by MD5: what dataset.download=true does.

What arrives is unpacked in a hidden folder beside its place, which is removed last. While that is there, nothing of it
counts as there, and the next call goes on with it; whole archives in it are not fetched again.
"""

import logging
import shutil
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple

from mllc.errors import ConfigError, DataError


class Archive(NamedTuple):
    """An archive on the web; `proof` is a path below the root that is there once it is unpacked."""

    url: str
    md5: str
    proof: str


_IMAGES = "http://images.cocodataset.org"
COCO = {
    2014: (
        Archive(
            f"{_IMAGES}/annotations/annotations_trainval2014.zip",
            "0a379cfc70b0e71301e0f377548639bd",
            "annotations/instances_val2014.json",
        ),
        Archive(f"{_IMAGES}/zips/val2014.zip", "a3d79f5ed8d289b7a7554ce06a5782b3", "val2014"),
        Archive(f"{_IMAGES}/zips/train2014.zip", "0da8cfa0e090c266b78f30e2d2874f1a", "train2014"),
    ),
    2017: (
        Archive(
            f"{_IMAGES}/annotations/annotations_trainval2017.zip",
            "f4bbac642086de4f52a3fdda2de5fa2c",
            "annotations/instances_val2017.json",
        ),
        Archive(f"{_IMAGES}/zips/val2017.zip", "442b8da7639aecaf257c1dceb8ba8c80", "val2017"),
        Archive(f"{_IMAGES}/zips/train2017.zip", "cced6f7f71b7629ddf16f17bbcfab6b2", "train2017"),
    ),
}
"""COCO by year, the small archives first: 2014 takes 20 GB, 2017 takes 20 GB, and while unpacking twice that."""

CELEBA_PAGE = "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html"

_log = logging.getLogger("mllc")


def fetch_coco(root: Path, year: int) -> None:
    """The images and annotations of COCO train and val, as the official archives lay them out below `root`.

    Raises DataError, naming the URL and what to do by hand, for what cannot be fetched.
    """
    from torchvision.datasets.utils import download_and_extract_archive

    if year not in COCO:
        raise ConfigError(f"dataset.year={year}: there is a download for {' and '.join(map(str, COCO))}")
    for archive in COCO[year]:
        _fetch(
            root,
            archive.proof,
            archive.url,
            lambda folder, archive=archive: download_and_extract_archive(archive.url, folder, md5=archive.md5),
        )


def fetch_voc(root: Path, year: int) -> None:
    """PASCAL VOC of a year (2007 to 2012) as `root`/VOCdevkit/VOC2007: train and val, and of 2007 the test split too.

    Raises DataError, naming the URL and what to do by hand, for what cannot be fetched.
    """
    from torchvision.datasets import VOCDetection
    from torchvision.datasets.voc import DATASET_YEAR_DICT

    if str(year) not in DATASET_YEAR_DICT:
        raise ConfigError(f"dataset.year={year}: there is a download for 2007 to 2012")
    for part in ("trainval", "test") if year == 2007 else ("trainval",):
        about = DATASET_YEAR_DICT[f"{year}-test" if part == "test" else str(year)]
        _fetch(
            root,
            f"{about['base_dir']}/ImageSets/Main/{part}.txt",
            about["url"],
            lambda folder, part=part: VOCDetection(folder, year=str(year), image_set=part, download=True),
        )


def fetch_celeba(root: Path) -> None:
    """CelebA as `root`/celeba: the aligned images in img_align_celeba, list_attr_celeba.txt, list_eval_partition.txt.

    Raises DataError, naming the page and what to do by hand, for what cannot be fetched.
    """
    from torchvision.datasets import CelebA

    _fetch(root, "celeba/img_align_celeba", CELEBA_PAGE, lambda folder: CelebA(folder, download=True))


def _fetch(root: Path, proof: str, url: str, fetch: Callable[[Path], object]) -> None:
    """Has `fetch` fill a hidden folder below `root`, then moves the content to `root`; not if `proof` is there."""
    partial = root / f".{proof.replace('/', '-')}.download"
    if not partial.exists() and _filled(root / proof):
        return
    _log.info("downloading %s to %s", url, root)
    try:
        partial.mkdir(parents=True, exist_ok=True)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*filter extracted tar archives", DeprecationWarning)
            fetch(partial)
        if not _filled(partial / proof):
            raise RuntimeError(f"there is no {proof} in it")
        _move(partial, root)
        shutil.rmtree(partial)
    except (OSError, HTTPException, RuntimeError, ValueError, EOFError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise DataError(
            f"dataset.download: {url} was not fetched: {str(error) or type(error).__name__}; type the command again, "
            f"or fetch it by hand, unpack it in {root}, so that {root / proof} is there, remove {partial} and leave "
            "dataset.download out"
        ) from None


def _filled(path: Path) -> bool:
    """Whether there is a file or a folder that is not empty."""
    return any(path.iterdir()) if path.is_dir() else path.exists()


def _move(source: Path, target: Path) -> None:
    """The files of `source` to the same place in `target`; the archives stay."""
    for file in [path for path in source.rglob("*") if path.is_file() and path.suffix not in (".zip", ".tar")]:
        place = target / file.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        file.replace(place)
