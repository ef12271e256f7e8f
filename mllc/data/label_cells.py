"""How a table spells the labels of a row: names joined in a cell, a list, a column a label, indices of a vocabulary."""

import json
import re
import warnings
from ast import literal_eval
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from mllc.errors import DataError
from mllc.wording import counted, listed

How = Literal["joined", "list", "columns", "index"]

_STRING = r""" '(?:[^'\\]|\\.)*' | "(?:[^"\\]|\\.)*" """
_ITEM = re.compile(rf"{_STRING} | \d+", re.VERBOSE | re.DOTALL | re.ASCII)
_LIST = re.compile(rf"\[ \s* (?: (?:{_STRING}|\d+) (?: \s*,\s* (?:{_STRING}|\d+) )* \s* ,? \s* )? \]", _ITEM.flags)
_WHOLE = re.compile(r"\d+(\.0)?", re.ASCII)
_TRUTH = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "false": 0, "true": 1}


class Spelling(NamedTuple):
    """What is needed to read the labels of a row.

    how          joined   one text cell, `sea|sun`
                 list     one cell, ['sea', 'sun']: text, or a list of Parquet's
                 columns  a cell a label, 0 or 1
                 index    cells of whole numbers, `4|17`: places in `names`, from 0
    separator    between the names or indices in a cell; blank: any number of blanks
    empty_label  a name, or a whole cell, that means that there is no label; None: only an empty cell does
    names        of the columns; of all labels for `index`
    """

    how: How
    separator: str
    empty_label: str | None
    names: Sequence[str]


def labels_of(cells: Sequence[Any], place: str, spelling: Spelling) -> list[str]:
    """The names of a row's true labels. DataError, naming the place, for what is not spelled as it should be."""
    if spelling.how == "columns":
        named = zip(spelling.names, cells, strict=True)
        names = [name for name, cell in named if cell not in ("0", 0) and _truth(cell, name, place)]  # most are 0
    else:
        full = [cell for cell in cells if not is_empty(cell, spelling.empty_label)]
        names = [name for cell in full for name in _names(cell, place, spelling)]
    if spelling.empty_label in names:
        if len(set(names)) > 1:
            others = listed([name for name in names if name != spelling.empty_label])
            raise DataError(
                f"{place}: {spelling.empty_label!r} stands beside {others}, but dataset.empty_label says that it means "
                "no label"
            )
        return []
    return names


def is_empty(cell: Any, empty_label: str | None) -> bool:
    """Whether a cell names no label: nothing in it but blanks, or only `empty_label`; a Parquet cell that is null."""
    return cell is None or (isinstance(cell, str) and (not cell.strip() or cell.strip() == empty_label))


def parts(cell: str, separator: str) -> list[str]:
    """What the separator divides, without the blanks around it."""
    return cell.split() if separator.isspace() else [part.strip() for part in cell.split(separator)]


def list_items(cell: Any) -> list[Any] | None:
    """The names and whole numbers in a list, or in the text of one (there as they are written); None for anything else.

    Only commas divide: numpy's `['a' 'b']`, which Python would read as ['ab'], is none.

    >>> list_items("['N/A', \\"it's\\"]"), list_items("['a' 'b']"), list_items("[nan]"), list_items("[3, 4]")
    (['N/A', "it's"], None, None, ['3', '4'])
    """
    if isinstance(cell, list):
        return cell if all(type(item) in (str, int) for item in cell) else None
    if not isinstance(cell, str) or not _LIST.fullmatch(cell.strip()):
        return None
    items = [_item(text) for text in _ITEM.findall(cell)]
    return None if None in items else items


def _item(text: str) -> str | None:
    """A whole number as it is written (007 may be a name), or a quoted name; None for an escape that is none."""
    if text.isdigit():
        return text
    if "\\" not in text:
        return text[1:-1]
    for read in (json.loads, literal_eval) if text[0] == '"' else (literal_eval,):  # their escapes differ a little
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                name = read(text)
            name.encode()  # not for half of a surrogate pair
        except (ValueError, SyntaxError):
            continue
        return name
    return None


def _names(cell: Any, place: str, spelling: Spelling) -> list[str]:
    if spelling.how == "index":
        return _by_index(cell, place, spelling)
    if spelling.how == "list":
        items = list_items(cell)
        if items is None:
            raise DataError(
                f"{place}: {cell!r} is not a list of names in quotes, such as ['sea', 'sun']; for names that "
                f"{spelling.separator!r} joins type dataset.labels_as=joined"
            )
        names = [str(item).strip() for item in items]
    else:
        if isinstance(cell, int) and not isinstance(cell, bool):
            cell = str(cell)
        if not isinstance(cell, str):
            raise DataError(f"{place}: {cell!r} is not text; {_ADVICE}")
        names = parts(cell, spelling.separator)
    if "" in names:
        raise DataError(f"{place}: an empty label name in {cell!r}")
    return names


_ADVICE = "dataset.labels_as says how labels are spelled: joined, list, columns or index"


def _by_index(cell: Any, place: str, spelling: Spelling) -> list[str]:
    if isinstance(cell, str):
        items = list_items(cell)
        found = parts(cell, spelling.separator) if items is None else [str(item) for item in items]
    else:
        found = [str(item) for item in (cell if isinstance(cell, list) else [cell])]
    names = []
    for text in found:
        if not _WHOLE.fullmatch(text):
            raise DataError(f"{place}: {text!r} is not the index of a label, a whole number from 0; {_ADVICE}")
        index = int(text.partition(".")[0].lstrip("0")[:20] or "0")  # Python refuses very long ones
        if index >= len(spelling.names):
            raise DataError(
                f"{place}: there is no label of index {text[:20]}: dataset.vocabulary has "
                f"{counted(len(spelling.names), 'name')}, of indices 0 to {len(spelling.names) - 1}"
            )
        names.append(spelling.names[index])
    if len(set(names)) < len(names):
        raise DataError(
            f"{place}: an index occurs twice in {cell!r}; a row of 0 and 1 is read by dataset=path_labels, or from a "
            "column a label (dataset.label_columns)"
        )
    return names


def _truth(cell: Any, column: str, place: str) -> int:
    """0 or 1."""
    truth = _TRUTH.get(str(cell).strip().lower())
    if truth is None:
        raise DataError(
            f"{place}: column {column!r} holds {cell!r}, not 0 or 1; name the columns of labels: "
            "dataset.label_columns=[A,B]"
        )
    return truth
