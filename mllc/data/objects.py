"""From the objects in an image to its labels: a label is true where one object of its class is."""

from collections.abc import Iterable, Sequence

from mllc.data.image_list import Entry
from mllc.errors import ConfigError
from mllc.wording import counted

Objects = Sequence[tuple[str, bool]]
"""The class of each object of an image, and whether it is doubtful that it counts (a crowd, one hard to recognise)."""

CHOICES = {"count": "true", "unknown": "unknown", "ignore": "false"}
"""What a class can be held for in an image where all its objects are doubtful."""


def check_choice(setting: str, choice: str) -> None:
    """ConfigError for a choice that is not one of CHOICES."""
    if choice not in CHOICES:
        raise ConfigError(f"dataset.{setting}={choice}: count, unknown or ignore is needed")


def image_labels(objects: Objects) -> tuple[list[str], list[str]]:
    """The classes that have an object without doubt, and those that have doubtful ones only.

    >>> image_labels([("cat", False), ("dog", True), ("cat", True)])
    (['cat'], ['dog'])
    """
    doubts: dict[str, bool] = {}
    for name, doubt in objects:
        doubts[name] = doubt and doubts.get(name, True)
    return [name for name, doubt in doubts.items() if not doubt], [name for name, doubt in doubts.items() if doubt]


def entry(image: str, objects: Objects, place: str, choice: str) -> Entry:
    """The entry of an image with these objects; `choice` is one of CHOICES."""
    true, doubtful = image_labels(objects)
    if choice == "count":
        return Entry(image, true + doubtful, place)
    return Entry(image, true, place, doubtful if choice == "unknown" else ())


def doubt_notes(split: str, images: Iterable[Objects], setting: str, choice: str, kind: str) -> list[str]:
    """What to tell of labels that rest on doubtful objects alone; `kind` is what these are called."""
    number = sum(len(image_labels(objects)[1]) for objects in images)
    rest = f"with {kind} alone: dataset.{setting}={choice}, held for {CHOICES[choice]}"
    return [f"{counted(number, 'label')} of {split} {rest}"] if number else []
