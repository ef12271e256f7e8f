"""One PASCAL VOC annotation: the XML of an image, safely parsed."""

from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from mllc.data.plain_xml import parse_xml
from mllc.errors import DataError

LARGEST_BYTES = 32 << 20
"""Of an annotation; real ones have a few thousand."""


class Annotation(NamedTuple):
    """What the XML of an image says: its file's name (may be empty), and the class of each object, and if difficult."""

    filename: str
    objects: list[tuple[str, bool]]


def read_annotation(file: Path) -> Annotation:
    """The objects of an image; DataError, naming the file, and the line where XML ends to be XML."""
    root = _parsed(file)
    if root.tag != "annotation":
        raise DataError(f"{file}: <{root.tag}> is not a VOC annotation; <annotation> is expected")
    objects = []
    for number, node in enumerate(root.findall("object"), 1):
        name = (node.findtext("name") or "").strip()
        if not name:
            raise DataError(f"{file}: object {number} has no <name>")
        difficult = (node.findtext("difficult") or "0").strip()
        if difficult not in ("0", "1"):
            raise DataError(f"{file}: object {number} ({name}): <difficult> is {difficult!r}; 0 or 1 is expected")
        objects.append((name, difficult == "1"))
    return Annotation((root.findtext("filename") or "").strip(), objects)


def _parsed(file: Path) -> ElementTree.Element:
    try:
        if file.stat().st_size > LARGEST_BYTES:
            raise DataError(f"{file}: over {LARGEST_BYTES >> 20} MB, which no annotation of one image has")
        return parse_xml(file.read_bytes())
    except ElementTree.ParseError as error:
        line, column = error.position
        reason = str(error).partition(": line")[0]
        raise DataError(f"{file}, line {line}, column {column + 1}: not well-formed XML: {reason}") from None
    except FileNotFoundError:
        raise DataError(f"{file}: there is no such file") from None
    except OSError as error:
        raise DataError(f"{file}: cannot be read: {error.strerror}") from None
    except (ValueError, LookupError) as error:
        raise DataError(f"{file}: not XML that can be read: {error}") from None
