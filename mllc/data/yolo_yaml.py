"""What a YOLO data set says of itself: the names of its classes, and where the images of each split are."""

import re
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from mllc.data.files import encoding as text_encoding
from mllc.data.files import existing_file
from mllc.data.image_list import read_vocabulary
from mllc.data.layouts import YOLO_DESCRIPTIONS
from mllc.errors import DataError
from mllc.wording import counted

_NOTHING = ("", "~", "null", "Null", "NULL")


class Description(NamedTuple):
    """names are in the order of their numbers; splits hold folders or lists (`.txt`), as they are spelled."""

    file: Path
    names: list[str]
    splits: dict[str, list[str]]


def read_description(root: Path, data: str | None) -> Description:
    """The description in `data`, a data.yaml or a text file with a name a line; None: the usual one that there is.

    Raises DataError, naming the file, and the line where it has one.
    """
    if data is None:
        found = next((root / name for name in YOLO_DESCRIPTIONS if (root / name).is_file()), None)
        if found is None:
            raise DataError(
                f"dataset.root={root}: there is neither data.yaml nor classes.txt in it; type dataset.data=FILE, a "
                "data.yaml or a text file with the name of a class a line"
            )
        data = str(found)
    file = existing_file(data, "dataset.data")
    if file.suffix.lower() not in (".yaml", ".yml"):
        names = read_vocabulary(file)
        if not names:
            raise DataError(f"{file}: it names no class; the name of a class a line is expected")
        return Description(file, names, {})
    content = _parsed(file)
    names = _names(file, content)
    splits = {split: _places(file, split, content[split]) for split in ("train", "val", "test") if split in content}
    return Description(file, names, {split: places for split, places in splits.items() if places})


def _parsed(file: Path) -> dict[str, Any]:
    """The content, every scalar as the text that it is: a class may be called `no`, `1` or `null`."""
    try:
        content = yaml.load(file.read_text(text_encoding(file)), Loader=yaml.BaseLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        raise DataError(f"{file}{line}: not YAML: {error.problem or error.context}") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise DataError(f"{file}: not YAML: {str(error).splitlines()[0]}") from None
    if not isinstance(content, dict) or "names" not in content:
        raise DataError(f"{file}: there is no `names`; a YOLO data.yaml with the names of the classes is expected")
    return content


def _names(file: Path, content: dict[str, Any]) -> list[str]:
    names = content["names"]
    if isinstance(names, dict):
        keys = {key: int(key) for key in names if isinstance(key, str) and re.fullmatch(r"[0-9]{1,9}", key)}
        if sorted(keys.values()) != list(range(len(names))):
            raise DataError(f"{file}: `names` are to be numbered 0, 1, 2, ... without gaps, each once")
        names = [names[key] for key in sorted(names, key=keys.__getitem__)]
    if not isinstance(names, list) or not names:
        raise DataError(f"{file}: `names` is empty or text; a list of names is expected, or names by their numbers")
    for number, name in enumerate(names):
        if not isinstance(name, str) or not name.strip():
            raise DataError(f"{file}: the name of class {number} is {_shown(name)}; text is expected")
        if name in names[:number]:
            raise DataError(f"{file}: the classes {names.index(name)} and {number} are both called {name!r}")
    if "nc" in content and content["nc"] != str(len(names)):
        raise DataError(f"{file}: nc is {_shown(content['nc'])}, but `names` has {counted(len(names), 'name')}")
    return names


def _places(file: Path, split: str, value: Any) -> list[str]:
    places = value if isinstance(value, list) else [value]
    if not all(isinstance(place, str) for place in places):
        raise DataError(f"{file}: `{split}` is {_shown(value)}; a folder, a list (.txt) or several are expected")
    return [place.strip() for place in places if place.strip() not in _NOTHING]


def _shown(value: Any) -> str:
    """A value in a message; of what is nested only the kind, as references in YAML can make it endless."""
    return repr(value[:60]) if isinstance(value, str) else "a list" if isinstance(value, list) else "a mapping"
