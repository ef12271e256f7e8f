"""Which attributes of an ARFF file are labels, and their values as targets."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import torch
from torch import Tensor

from mllc.data.arff_header import Attribute, Header, unescape
from mllc.data.arff_rows import Table
from mllc.data.files import existing_file
from mllc.data.plain_xml import parse_xml
from mllc.errors import DataError
from mllc.wording import listed

_HOW = (
    "type dataset.labels=FILE.xml (Mulan's list), dataset.num_labels=N (the first N attributes) "
    "or dataset.num_labels=-N (the last N)"
)


def label_places(
    headers: Mapping[Path, Header], labels: str | None, num_labels: int | None
) -> tuple[list[int], list[str]]:
    """Indices of the label attributes, in the files' order, and notes; the files have the same attributes.

    An XML list wins over `-C` in a header (real files carry wrong ones); without one, all that is said must agree.
    Raises DataError where nothing says it, where it is in conflict and for labels that are not binary.
    """
    file, header = next(iter(headers.items()))
    attributes = header.attributes
    said = {str(path): part.num_labels for path, part in headers.items() if part.num_labels is not None}
    notes = []
    if any(part.has_split for part in headers.values()):
        notes.append("the header recommends a split of the rows (-split), which is not used: give each part as a file")
    if labels is not None:
        if num_labels is not None:
            raise DataError(f"dataset.labels={labels} and dataset.num_labels={num_labels}: give one of the two")
        places = _named(existing_file(labels, "dataset.labels"), file, attributes)
        notes += [
            f"{path} says -C {num}, but {labels} names other attributes: those are the labels"
            for path, num in said.items()
            if _counted(num, len(attributes)) != places
        ]
    else:
        if num_labels is not None:
            said["dataset.num_labels"] = num_labels
        if not said:
            raise DataError(f"{file}: nothing says which attributes are labels; {_HOW}")
        if len(set(said.values())) > 1:
            each = ", ".join(f"{name} says {num}" for name, num in said.items())
            raise DataError(f"where the labels are is in conflict: {each}. An XML list settles it; {_HOW}")
        num = next(iter(said.values()))
        places = _counted(num, len(attributes))
        if not places:
            raise DataError(f"{file} has {len(attributes)} attributes, so {num} labels are not possible; {_HOW}")
        if num_labels is None:
            notes.append(f"the labels are the {'first' if num > 0 else 'last'} {abs(num)} attributes, as -C says")
    if len(places) == len(attributes):
        raise DataError(f"{file}: all {len(attributes)} attributes are labels; no feature is left")
    for place in places:
        values = attributes[place].values
        if values is not None and not set(values) <= {"0", "1"}:
            raise DataError(
                f"{file}, line {attributes[place].line}: the label {attributes[place]} is not binary, {{0,1}}; "
                f"if it is no label, {_HOW}{_at_the_end(attributes, places)}"
            )
    return places, notes


def targets(
    file: Path, table: Table, attributes: tuple[Attribute, ...], places: list[int]
) -> tuple[Tensor, Tensor | None]:
    """uint8 targets (rows, labels), and the mask of the known ones (None: all). Raises DataError unless 0, 1 or `?`."""
    values = table.matrix[:, places].toarray()
    for column, place in enumerate(places):
        if (attributes[place].values or ("0",))[0] == "1":  # a nominal value is held as its place in {1,0}
            values[:, column] = 1 - values[:, column]
    known = ~np.isnan(values)
    values[~known] = 0
    wrong = np.argwhere((values != 0) & (values != 1))
    if len(wrong):
        row, column = wrong[0]
        raise DataError(
            f"{file}, line {table.lines[row]}: label {attributes[places[column]].name!r} is {values[row, column]:g}; "
            f"a label is 0, 1 or ? (unknown){_at_the_end(attributes, places)}"
        )
    return torch.from_numpy(values.astype(np.uint8)), None if known.all() else torch.from_numpy(known)


def _at_the_end(attributes: tuple[Attribute, ...], places: list[int]) -> str:
    """Advice where not the first attributes, which were taken, but as many last ones are declared {0,1}."""
    num = len(places)
    binary = [set(attribute.values or ()) == {"0", "1"} for attribute in attributes]
    if places != _counted(num, len(attributes)) or not all(binary[-num:]) or all(binary[:num]):
        return ""
    one = "attribute is {0,1}: if it is the label"
    which = one if num == 1 else f"{num} attributes are all {{0,1}}: if they are the labels"
    return f"; the last {which}, type dataset.num_labels=-{num}"


def _counted(num: int, width: int) -> list[int]:
    """The first `num` places, or the last `-num`; none where there are not so many."""
    if abs(num) > width:
        return []
    return list(range(num)) if num >= 0 else list(range(width + num, width))


def _named(xml: Path, file: Path, attributes: tuple[Attribute, ...]) -> list[int]:
    setting = f"dataset.labels={xml}"
    try:
        nodes = [node for node in parse_xml(xml.read_bytes()).iter() if node.tag.rpartition("}")[2] == "label"]
    except ElementTree.ParseError as error:
        raise DataError(f"{setting}: not well-formed XML: {error}") from None
    except (LookupError, ValueError) as error:
        raise DataError(f"{setting}: not XML that can be read: {error}") from None
    names = [unescape(node.get("name", "")) for node in nodes]
    if not names or "" in names:
        raise DataError(f'{setting}: a list of <label name="..."> is expected')
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DataError(f"{setting}: labels that occur more than once: {listed(repeated)}")
    places = {attribute.name: place for place, attribute in enumerate(attributes)}
    absent = [name for name in names if name not in places]
    if absent:
        close = difflib.get_close_matches(absent[0], places, n=1)
        hint = f"; did it mean {close[0]!r}?" if close else ""
        raise DataError(f"{setting}: labels that are not among the attributes of {file}: {listed(absent)}{hint}")
    return sorted(places[name] for name in names)
