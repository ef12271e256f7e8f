"""What a single file is, by its ending and first lines, and which files beside it are its other splits."""

import re
from pathlib import Path

from mllc.data.recognise_lists import VALUES, first_lines, is_image, read_table
from mllc.data.recognise_vectors import features_of

_SPLIT = re.compile(r"(?<![a-z])(train|training|trn|test|testing|tst|val|valid|validation|dev)(?![a-z])", re.IGNORECASE)
_WORDS = {"tr": "train", "te": "test", "ts": "test", "va": "val", "de": "val"}

_SVM_ROW = re.compile(r"(\d+(,\d+)*)?(\s+|^)\d+:\S+(\s+\d+:\S+)*\s*")

TEXT_ENDINGS = ("", ".txt", ".svm", ".libsvm", ".dat", ".data", ".lst", ".list", ".t", ".train", ".test")
"""Files whose first lines are looked at."""

COCO_KEYS = ("images", "annotations", "categories")
"""One of them is near the start of a COCO file."""


def kind_of(file: Path) -> str | None:
    """The name of the format that a file seems to be in (conf/dataset); None where it is in none of them."""
    ending = file.suffix.lower()
    if ending == ".arff":
        return "arff"
    if ending == ".json":
        return "coco" if _is_coco(file) else None
    if ending in (".yaml", ".yml"):
        return "yolo" if any(line.startswith("names:") for line in first_lines(file, at_most=1000)) else None
    if ending == ".npz":
        return "npz"
    if ending in (".csv", ".tsv", ".parquet"):
        return _kind_of_table(file)
    if ending in TEXT_ENDINGS or split_of(Path(ending)):
        return _kind_of_text(file)
    return None


def split_of(file: Path) -> str | None:
    """train, val or test, as a file's name says."""
    found = _SPLIT.search(file.name)
    return _WORDS[found.group()[:2].lower()] if found else None


def siblings(file: Path, kind: str) -> dict[str, Path]:
    """Split -> file: a file, which is train unless its name says otherwise, and those beside it that are called alike.

    Beside the only file of its split in the folder, the only one of another split counts as well, however it is called.
    """
    beside = [one for one in sorted(file.parent.iterdir()) if one.is_file() and one.suffix == file.suffix]
    splits = {one: split_of(one) for one in beside if one != file and split_of(one) and kind_of(one) == kind}
    alike = {split: one for one, split in splits.items() if split and _family(one) == _family(file)}
    own = split_of(file)
    if own is None:
        return {"train": file}
    found = {**alike, own: file}
    if own not in splits.values():
        found = {split: one for one, split in splits.items() if [*splits.values()].count(split) == 1} | found
    if "train" not in found:
        return {"train": file}
    return {split: found[split] for split in ("train", "val", "test") if split in found}


def _family(file: Path) -> str:
    """The name of a file without the word of its split."""
    return _SPLIT.sub("*", file.name, count=1).lower()


def _kind_of_text(file: Path) -> str | None:
    lines = first_lines(file)
    if not lines:
        return None
    head = lines[0].split()
    if all(word.isdigit() for word in head):
        if len(head) == 3 or (len(head) == 2 and "_X_Xf" in file.name):
            return "extreme"
        if len(head) == 1 and all(_is_valued(line) for line in lines[2:]) and len(lines) > 2:
            return "celeba"
    if file.suffix.lower() in (".svm", ".libsvm") or all(_SVM_ROW.match(line) for line in lines):
        return "libsvm"
    return "path_labels" if all(_is_valued(line) for line in lines) else None


def _is_valued(line: str) -> bool:
    """Whether a line is an image and its values."""
    found = VALUES.fullmatch(line)
    return found is not None and is_image(found.group(1))


def _is_coco(file: Path) -> bool:
    with file.open("rb") as stream:
        start = stream.read(1 << 16).removeprefix(b"\xef\xbb\xbf").lstrip()
    return start.startswith(b"{") and any(f'"{key}"'.encode() in start for key in COCO_KEYS)


def _kind_of_table(file: Path) -> str | None:
    table = read_table(file)
    if table is None:
        return None
    if table.image_column is not None:
        return "images"
    return "parquet" if file.suffix.lower() == ".parquet" and features_of(table) else None
