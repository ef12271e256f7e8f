"""What dataset=auto takes a file or a folder for: by endings, first lines and names in folders. Imports no torch."""

import json
import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mllc.data.recognise_files import kind_of, siblings, split_of
from mllc.data.recognise_folders import LAYOUTS, Found, own_files
from mllc.data.recognise_lists import list_settings, vocabulary_of
from mllc.data.recognise_vectors import npz_settings, parquet_settings
from mllc.errors import DataError
from mllc.wording import listed

KINDS = (
    "arff (.arff, with Mulan's .xml), libsvm (`1,2 3:0.5`), extreme (`samples features labels` first, or trn_X_Xf.txt "
    "with trn_X_Y.txt), npz, parquet (vectors), images (.csv, .tsv, .parquet with a column of image files), "
    "path_labels (`a.jpg 0 1 0`), coco (JSON), voc (Annotations, ImageSets), yolo (images, labels), celeba "
    "(list_attr_celeba.txt), deepfashion (list_attr_img.txt)"
)
"""What is looked for, for messages."""


WITH_VOCABULARY = ("images", "path_labels", "libsvm", "extreme", "parquet")
"""Formats whose label names may stand in a file beside them."""

MOST_FOLDERS = 50
"""Folders inside one that was not recognised that are looked at, to name those that are."""


@dataclass(frozen=True)
class Recognised:
    """A format and the settings of its reader that the files tell; `reason` is what it was recognised by."""

    dataset: str
    settings: Mapping[str, Any]
    reason: str

    @property
    def command(self) -> str:
        """The overrides that say the same, as they are typed in a shell."""
        return " ".join([f"dataset={self.dataset}", *(_typed(f"dataset.{k}", v) for k, v in self.settings.items())])


def recognise(path: str | Path) -> Recognised:
    """What the data at a path is, and the settings to read it with.

    path  a folder, or one file of a data set: the training file, mostly; files of other splits are found beside it

    Reads first lines and lists folders, no more. Raises DataError for what is not there, for what is none of the
    formats, and for what may be more than one, each time with the commands that say it.
    """
    place = Path(os.path.expanduser(path))
    if not os.path.exists(place):
        where = "" if place.is_absolute() else f" in {Path.cwd()}"
        raise DataError(f"dataset.path={path}: there is no such file or folder{where}")
    try:
        return _only(_in_folder(place), place) if place.is_dir() else _file(place)
    except OSError as error:
        raise DataError(f"dataset.path={path}: {error.filename or place} cannot be read: {error.strerror}") from None


def _in_folder(folder: Path) -> list[Recognised]:
    """All that a folder may be: one of the layouts, or else files of its own."""
    found = [one for layout in LAYOUTS if (one := layout(folder))]
    if not found:
        found = [one for kind, files in own_files(folder).items() if (one := _splits(kind, files))]
    return [_recognised(one) for one in found]


def _file(file: Path) -> Recognised:
    for folder in reversed(file.absolute().parents[:2]):  # a list of a data set that is told by its folder
        for layout in LAYOUTS:
            if (found := layout(folder)) and found.owns(file):
                return _recognised(layout(_as_given(file, folder)) or found)
    if (pair := file.with_name(file.name.replace("_X_Y", "_X_Xf"))) != file and pair.exists():
        file = pair
    kind = kind_of(file)
    if kind is None:
        return _only([], file)
    files = siblings(file, kind)
    return _recognised(Found(kind, files, f"{file.name} {KIND_SAID[kind]}"))


def _as_given(file: Path, folder: Path) -> Path:
    """The folder in the words of a path that may be relative."""
    return next((parent for parent in file.parents if parent.absolute() == folder), folder)


def _splits(kind: str, files: list[Path]) -> Found | None:
    """The files of one format in a folder, by their splits; None where there is none to train on."""
    train = [file for file in files if split_of(file) == "train"]
    others = [file for file in files if split_of(file) is None]
    first = train or (others if not any(split_of(file) for file in files) or len(others) == 1 else [])
    if not first:
        return None
    if len(first) > 1:
        names = listed([file.name for file in first], quote=str)
        raise DataError(
            f"dataset.path={first[0].parent}: several files may be the training file of dataset={kind}: {names}; type "
            f"the one that is meant: {_typed('dataset.path', str(first[0]))}"
        )
    return Found(kind, siblings(first[0], kind), f"{first[0].name} {KIND_SAID[kind]}")


def _recognised(found: Found) -> Recognised:
    """The settings of a format's reader, from the files that were found."""
    settings: dict[str, Any] = {key: str(value) for key, value in found.files.items()}
    reason, file = found.reason, Path(settings.get("train", ""))
    if found.dataset in ("coco", "yolo") and "root" not in settings:
        settings = {"root": str(file.parent.parent if file.parent.name == "annotations" else file.parent)} | settings
    if found.dataset == "yolo" and "train" in settings:
        settings = {"root": settings["root"], "data": settings["train"]}
    if found.dataset == "celeba" and "train" in settings:
        settings = {"root": str(file.parent), "attributes": settings["train"]}
    if found.dataset in ("images", "path_labels") or "attributes" in settings:
        more, said = list_settings(file, found.dataset)
        settings, reason = settings | more, reason + said
    elif found.dataset == "npz":
        settings |= npz_settings(file)
    elif found.dataset == "parquet":
        settings |= parquet_settings(file)
    elif found.dataset == "arff" and (xml := _mulan_xml(file)):
        settings["labels"] = str(xml)
    if found.dataset in WITH_VOCABULARY and (names := vocabulary_of(file)):
        settings["vocabulary"] = str(names)
    return Recognised(found.dataset, settings | dict(found.settings), reason)


def _mulan_xml(file: Path) -> Path | None:
    """The XML of the label names beside an ARFF file: the longest beginning of its name, or the only one there is."""
    there = sorted(file.parent.glob("*.xml"), key=lambda xml: (-len(xml.stem), xml.name))
    named = [xml for xml in there if file.stem.lower().startswith(xml.stem.lower())]
    return named[0] if named else there[0] if len(there) == 1 else None


KIND_SAID = {
    "arff": "is ARFF",
    "libsvm": "has rows such as `1,2 3:0.5`",
    "extreme": "begins with the counts of an extreme-classification file",
    "npz": "is an archive of arrays",
    "parquet": "is a table with a column of vectors",
    "images": "is a table with a column of image files",
    "path_labels": "has lines such as `a.jpg 0 1 0`",
    "coco": "is JSON as COCO's",
    "yolo": "names classes as YOLO does",
    "celeba": "is an attribute list",
}
"""What a file of each format was recognised by, behind its name."""


def _only(found: list[Recognised], path: Path) -> Recognised:
    """The one that was found; DataError for none and for several."""
    if len(found) == 1:
        return found[0]
    if found:
        commands = "\n".join(f"  {one.command}" for one in found)
        raise DataError(f"dataset.path={path} may be more than one data set; type the one that is meant:\n{commands}")
    raise DataError(
        f"dataset.path={path}: no format was recognised{_seen(path)}; looked for {KINDS}.\n{_nearest(path)}"
    )


def _nearest(path: Path) -> str:
    """What to type where nothing was recognised."""
    place = _typed("dataset.train", str(path))
    if path.is_dir():
        folders = [folder for folder in sorted(path.iterdir()) if folder.is_dir() and not folder.name.startswith(".")]
        inside = [folder for folder in folders[:MOST_FOLDERS] if _is_recognised(folder)]
        if inside:
            return "In it are: " + ", ".join(_typed("dataset.path", str(folder)) for folder in inside)
        root = _typed("dataset.root", str(path))
        return f"For images in it that a table lists, type dataset=images {root} dataset.train=FILE.csv"
    if path.suffix.lower() in (".csv", ".tsv", ".parquet"):
        return (
            f"For a list of images, type dataset=images dataset.root=FOLDER {place} dataset.image_column=NAME "
            "dataset.label_column=NAME"
        )
    if path.suffix.lower() == ".json":
        return f"For COCO's instances, type dataset=coco dataset.root=FOLDER {place}"
    return f"If it is one of them, type dataset=NAME {place} (mllc list datasets NAME shows the settings)"


def _is_recognised(folder: Path) -> bool:
    try:
        return len(_in_folder(folder)) == 1
    except (DataError, OSError):
        return False


def _seen(path: Path) -> str:
    """What is there instead, for the message."""
    if path.is_file():
        with path.open("rb") as stream:
            start = stream.read(64)
        if not start:
            return ": the file is empty"
        zeros = b"\0" in start and path.suffix.lower() != ".npz"
        return " (bytes of zero: if it is text in UTF-16, save it as UTF-8)" if zeros else ""
    names = sorted(entry.name for entry in path.iterdir() if not entry.name.startswith("."))
    return f" in a folder of {listed(names, quote=str)}" if names else ": the folder is empty"


def _typed(key: str, value: Any) -> str:
    """An override, quoted for Hydra and for the shell where that is needed."""
    if isinstance(value, bool | int) or re.fullmatch(r"[\w./-]+", str(value)):
        return f"{key}={str(value).lower() if isinstance(value, bool) else value}"
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else f"[{','.join(map(str, value))}]"
    return shlex.quote(f"{key}={text}")
