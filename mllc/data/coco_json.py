"""A COCO file of instances: JSON with `images`, `annotations` and `categories`, checked, as far as labels need it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from mllc.errors import DataError
from mllc.wording import counted

ImageId = int | str
Category = int


class Instances(NamedTuple):
    """What a file says.

    categories  id -> name, in the order of the ids, which may have gaps
    images      id -> file_name, in the file's order
    objects     image id -> (category id, whether it is a crowd) of each of its objects; only images that have any
    """

    categories: dict[Category, str]
    images: dict[ImageId, str]
    objects: dict[ImageId, list[tuple[Category, bool]]]
    notes: tuple[str, ...] = ()

    def named(self, image: ImageId) -> list[tuple[str, bool]]:
        """The objects of an image, their categories by name."""
        return [(self.categories[category], crowd) for category, crowd in self.objects.get(image, ())]


_WANTED = frozenset(
    ("images", "annotations", "categories", "id", "file_name", "coco_url", "name", "image_id", "category_id", "iscrowd")
)


def read_instances(file: Path) -> Instances:
    """The categories, images and objects of a file; DataError, naming the annotation's id, for what is not understood.

    Outlines and boxes are let go of while the file is parsed, which keeps them out of memory: a file of 490 MB, as
    COCO's instances_train2017.json is, takes 6 s and 0.9 GB, half of it the text; all of it would take 11 s and 2.9 GB.
    """
    content = _parsed(file)
    categories = _categories(file, content)
    images = read_images(file, content)
    objects: dict[ImageId, list[tuple[Category, bool]]] = {}
    seen: set[ImageId] = set()
    for place, annotation in _items(file, content, "annotations"):
        if "id" in annotation:
            _new(place, _id(place, annotation, "id"), seen)
        image, category = _id(place, annotation, "image_id"), _id(place, annotation, "category_id")
        if image not in images:
            raise DataError(f"{place}: image_id {image!r} is not the id of any of `images`")
        if category not in categories:
            raise DataError(f"{place}: category_id {category!r} is not the id of any of `categories`")
        crowd = annotation.get("iscrowd", 0)
        if crowd not in (0, 1):
            raise DataError(f"{place}: iscrowd is {_shown(crowd)}; 0 or 1 is expected")
        objects.setdefault(image, []).append((category, bool(crowd)))  # type: ignore[arg-type]
    without = sum("file_name" not in image for image in content["images"])
    told = f"{file.name}: {counted(without, 'image')} without file_name, found by coco_url, as in LVIS, which has not "
    told += "looked for every category in every image: what is not annotated counts as false"
    return Instances(categories, images, objects, (told,) if without else ())


def read_images(file: Path, content: dict[str, Any] | None = None) -> dict[ImageId, str]:
    """Id -> file_name of the images of a file (or of its content), of which nothing else is looked at.

    LVIS has none, but a coco_url that ends in it (train2017/000000391895.jpg).
    """
    images: dict[ImageId, str] = {}
    for place, image in _items(file, _parsed(file) if content is None else content, "images"):
        identifier = _new(place, _id(place, image, "id"), images)
        if "file_name" not in image and "coco_url" in image:
            images[identifier] = "/".join(_text(place, image, "coco_url").split("/")[-2:])
        else:
            images[identifier] = _text(place, image, "file_name")
    return images


def _categories(file: Path, content: dict[str, Any]) -> dict[Category, str]:
    categories: dict[Category, str] = {}
    named: dict[str, str] = {}
    for place, category in _items(file, content, "categories"):
        identifier = _new(place, _id(place, category, "id"), categories)
        if isinstance(identifier, str):
            raise DataError(f"{place}: id is {_shown(identifier)}; a whole number is expected")
        name = categories[identifier] = _text(place, category, "name").strip()
        if name in named:
            raise DataError(f"{place}: the name {name!r} occurs already in {named[name]}")
        named[name] = place.removeprefix(f"{file}: ")
    return dict(sorted(categories.items()))


def _parsed(file: Path) -> dict[str, Any]:
    """The content; of every object only what is needed is kept, so that outlines never pile up."""
    try:
        with file.open(encoding="utf-8-sig") as stream:
            content = json.load(stream, object_hook=lambda item: {k: v for k, v in item.items() if k in _WANTED})
    except json.JSONDecodeError as error:
        raise DataError(f"{file}, line {error.lineno}, column {error.colno}: not JSON: {error.msg}") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{file}: not JSON in UTF-8: {error.reason} at byte {error.start}; save it as UTF-8") from None
    except (RecursionError, ValueError) as error:
        raise DataError(f"{file}: not JSON that can be read: {error}") from None
    except MemoryError:
        raise DataError(f"{file}: it does not fit into memory") from None
    if not isinstance(content, dict):
        raise DataError(f"{file}: a JSON object with images, annotations and categories is expected")
    return content


def _items(file: Path, content: dict[str, Any], key: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each object of the list `key`, and where it stands."""
    if key not in content:
        hint = "; it lists images only, without labels" if key == "annotations" and "images" in content else ""
        raise DataError(f"{file}: there is no `{key}`{hint}; COCO's instances_*.json files are expected")
    if not isinstance(content[key], list):
        raise DataError(f"{file}: `{key}` is {_shown(content[key])}; a list is expected")
    for index, item in enumerate(content[key]):
        place = f"{file}: {key}[{index}]"
        if not isinstance(item, dict):
            raise DataError(f"{place}: it is {_shown(item)}; an object is expected")
        yield (f"{place} (id {item['id']})" if isinstance(item.get("id"), int | str) else place), item


def _id(place: str, item: dict[str, Any], key: str) -> ImageId:
    if key not in item:
        raise DataError(f"{place}: it has no {key}")
    value = item[key]
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise DataError(f"{place}: {key} is {_shown(value)}; a whole number is expected")
    return value


def _new(place: str, identifier: ImageId, seen: Any) -> ImageId:
    """The id, if it is not in `seen` (which it is added to, where that is a set)."""
    if identifier in seen:
        raise DataError(f"{place}: the id occurs already")
    if isinstance(seen, set):
        seen.add(identifier)
    return identifier


def _text(place: str, item: dict[str, Any], key: str) -> str:
    value = item.get(key)
    if not isinstance(value, str) or not value.strip():
        raise DataError(f"{place}: {key} is {_shown(value)}; text is expected")
    if any("\ud800" <= letter <= "\udfff" for letter in value):  # JSON can spell what no text can hold
        raise DataError(f"{place}: {key} is {_shown(value)}, which is not text (half a surrogate pair)")
    return value


def _shown(value: Any) -> str:
    """A value in a message, as JSON would say it."""
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:40]}..."
