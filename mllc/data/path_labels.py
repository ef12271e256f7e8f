"""Images listed as hashing papers do: a line an image, its path and then a 0 or 1 (or -1 or 1) for each label."""

from collections.abc import Iterator, Mapping
from itertools import compress, takewhile
from pathlib import Path
from typing import Any, NamedTuple

from mllc.data.files import encoding as text_encoding
from mllc.data.files import encoding_notes, existing_file, text_lines
from mllc.data.image_dataset import image_dataset
from mllc.data.image_list import Entry, image_root, inside, read_vocabulary, require_entries
from mllc.data.image_samples import entry_samples, image_samples, listed_root, names_images, some
from mllc.errors import DataError
from mllc.types import Dataset, Samples
from mllc.wording import counted

_VALUES = frozenset({"0", "1", "-1"})


def path_labels(
    *,
    root: str,
    train: str,
    test: str | None = None,
    val: str | None = None,
    size: int = 64,
    vocabulary: str | None = None,
    on_bad_image: str = "error",
    cache: str = "auto",
    cache_folder: str | None = None,
) -> Dataset:
    """Text files, one a split, with lines such as `images/a b.jpg 0 1 0`.

    The values are the 0, 1 and -1 at the end of the line; the path, which may hold blanks, is what stands before them.
    Every line has as many as the first. A file holds 0 and 1, or -1 (taken as false) and 1, not all three.

    root          the folder that the paths start from; they stay inside it
    size          height and width of the images, which are squeezed into the square, in pixels
    vocabulary    a file with one label name a line, in the order of the values; None: label0, label1, ...
    on_bad_image  `error`, or `skip`: leave out the images that are missing or cannot be decoded, and say so
    cache         where decoded pixels are kept: see `image_dataset`
    cache_folder  for decoded images; None: $MLLC_CACHE or ~/.cache/mllc

    Images are uint8 RGB. Raises DataError, naming file and line, and ConfigError for wrong settings.
    """
    folder = image_root(root)
    names = None if vocabulary is None else read_vocabulary(existing_file(vocabulary, "dataset.vocabulary"))
    source, notes = f"dataset.vocabulary={vocabulary}", []
    lists = {}
    for split, path in (("train", train), ("val", val), ("test", test)):
        if path is None:
            continue
        file = existing_file(path, f"dataset.{split}")
        notes += encoding_notes(file, text_encoding(file))
        if names is None:
            names, source = _numbered(file), f"line 1 of {file}"
            notes.append(f"no vocabulary is given: the labels are called label0 to label{len(names) - 1}")
        lists[split], minus = _entries(file, folder, names, source)
        if minus:
            notes.append(f"{file.name}: -1 is taken as false")
    assert names is not None
    return image_dataset(
        names, lists, folder, size=size, on_bad_image=on_bad_image, cache=cache, cache_at=cache_folder, notes=notes
    )


def samples(path: Path, settings: Mapping[str, Any], encoding: Mapping[str, Any]) -> Iterator[Samples]:
    """New images, a chunk at a time: an image, a folder (image_samples), or a list as above, with or without values.

    The paths in a list start where `listed_root` says.
    """
    if path.suffix.lower() != ".txt" and names_images(path):
        return image_samples(path, settings, encoding)
    file = existing_file(path, "INPUT")
    root = listed_root(file, settings)
    entries = (Entry(inside(line.image, root, line.place), (), line.place) for line in _lines(file))
    return entry_samples(some(entries, file), root, settings, encoding)


class _Line(NamedTuple):
    """A line of a list: the path, the 0, 1 and -1 at its end, and where it stands."""

    image: str
    values: list[str]
    place: str


def _lines(file: Path) -> Iterator[_Line]:
    """The lines with something in them."""
    for text, place in text_lines(file):
        words = text.split()
        count = sum(1 for _ in takewhile(_VALUES.__contains__, reversed(words[1:])))
        image, *values = text.rsplit(maxsplit=count)
        yield _Line(image, values, place)


def _numbered(file: Path) -> list[str]:
    """A name for each value of the first line."""
    first = next(_lines(file), None)
    if first is None:
        raise DataError(f"{file}: it lists no images")
    if not first.values:
        raise DataError(f"{first.place}: {first.image[-60:]!r} does not end in a 0 or 1 (or -1 or 1) for each label")
    return [f"label{index}" for index in range(len(first.values))]


def _entries(file: Path, root: Path, names: list[str], source: str) -> tuple[list[Entry], bool]:
    """The images of a list, and whether its false labels are -1.

    source  where the number of labels is from, for messages
    """
    entries: list[Entry] = []
    met: dict[str, str] = {}
    for image, values, place in _lines(file):
        if len(values) != len(names):
            wrong = image.rsplit(maxsplit=1)[-1]
            hint = f"; {wrong!r} is none" if len(values) < len(names) and wrong != image else ""
            raise DataError(
                f"{place}: {counted(len(values), 'value')} of 0 or 1 (or -1 or 1) at the end, but {source} has "
                f"{counted(len(names), 'label')}{hint}"
            )
        for value in set(values):
            met.setdefault(value, place)
        if "0" in met and "-1" in met:
            raise DataError(f"{place}: 0 and -1 are mixed: 0 is in {met['0']}, -1 in {met['-1']}; use one for false")
        true = list(compress(names, map("1".__eq__, values)))
        entries.append(Entry(inside(image, root, place), true, place))
    require_entries(entries, file)
    return entries, "-1" in met
