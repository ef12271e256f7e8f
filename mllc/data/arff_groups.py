"""The attribute of an ARFF file that names groups of samples."""

import difflib
import math
from collections.abc import Collection, Sequence
from pathlib import Path

from mllc.data.arff_header import Attribute
from mllc.data.arff_rows import Table
from mllc.errors import DataError


def group_place(file: Path, attributes: Sequence[Attribute], labels: Collection[int], name: str) -> int:
    """The index of the attribute called `name`; DataError where there is none, or where it is a label."""
    names = [attribute.name for attribute in attributes]
    if name not in names:
        close = difflib.get_close_matches(name, names, n=1)
        hint = f"; did you mean split.group={close[0]}?" if close else ""
        raise DataError(f"split.group={name}: {file} has no such attribute{hint}")
    place = names.index(name)
    if place in labels:
        raise DataError(f"split.group={name}: this is a label of {file}; name an attribute that is none")
    return place


def group_names(file: Path, table: Table, attribute: Attribute, place: int) -> tuple[str, ...]:
    """The group of each row: the attribute's value; DataError, naming the line, where it is missing."""
    found = []
    for row, value in enumerate(table.matrix[:, [place]].toarray()[:, 0].tolist()):
        if math.isnan(value):
            raise DataError(f"{file}, line {table.lines[row]}: split.group={attribute.name} is ?: every row needs one")
        found.append(f"{value:.17g}" if attribute.values is None else attribute.values[int(value)])
    return tuple(found)
