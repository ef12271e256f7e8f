"""Which of its spellings a column of labels uses (dataset.labels_as=auto), and what its user should know of it."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mllc.data.image_list import Entry
from mllc.data.label_cells import How, is_empty, list_items, parts
from mllc.errors import DataError

SEPARATORS = (";", ",", "|", "/", " ")
"""Marks that are looked for where a cell seems to be separated by another than the one given."""


def spelling_of(
    cells: Iterable[tuple[str, Any]], separator: str, empty_label: str | None, vocabulary: Sequence[str] | None
) -> tuple[How, list[str]]:
    """How the cells of a column, each with its place, are to be read, and notes on that.

    Cells in brackets are lists. Where all hold whole numbers, these are names if there is no vocabulary, or if it has
    such names, and indices if it has none of them. Raises DataError for what may be read in two ways, and for rows of
    0 and 1.
    """
    first: dict[bool, tuple[str, Any]] = {}
    numbers: set[str] = set()
    repeating = ""
    only_numbers = True
    for place, cell in cells:
        if is_empty(cell, empty_label):
            continue
        first.setdefault(_bracketed(cell), (place, cell))
        items = list_items(cell) if _bracketed(cell) else parts(str(cell), separator)
        only_numbers = only_numbers and items is not None and all(_whole(str(item)) for item in items)
        if items and only_numbers:
            met = {str(item) for item in items}
            numbers |= met
            repeating = repeating or (f"{place}: {cell!r}" if len(met) < len(items) else "")
    if len(first) > 1:
        (place, cell), (other, text) = first[True], first[False]
        raise DataError(
            f"{other}: {text!r} is not a list, but {cell!r} is ({place}); type dataset.labels_as=list, or =joined"
        )
    how: How = "list" if True in first else "joined"
    if repeating and only_numbers and vocabulary is None and numbers <= {"0", "1"}:
        raise DataError(
            f"{repeating} seems to be a 0 or 1 for each label: make it a column for each label "
            "(dataset.label_columns=rest), or a line a path and its values (dataset=path_labels); if 0 and 1 are names "
            f"of labels, type dataset.labels_as={how}"
        )
    if numbers and only_numbers:
        return _numbers(how, *first.popitem()[1], numbers, vocabulary)
    return how, ["the labels are read as lists: dataset.labels_as=list"] if how == "list" else []


def _bracketed(cell: Any) -> bool:
    return isinstance(cell, list) or (str(cell).strip().startswith("[") and str(cell).strip().endswith("]"))


def _whole(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _numbers(
    how: How, place: str, cell: Any, numbers: set[str], vocabulary: Sequence[str] | None
) -> tuple[How, list[str]]:
    if vocabulary is None:
        return how, [
            "the labels are whole numbers, taken as names; if they are indices, type dataset.labels_as=index "
            "dataset.vocabulary=FILE"
        ]
    named = numbers & set(vocabulary)
    if not named:
        return "index", ["the labels are read as indices of the vocabulary, from 0: dataset.labels_as=index"]
    places = {str(index): name for index, name in enumerate(vocabulary)}
    if named < numbers or all(places.get(number) == number for number in numbers):
        return how, []
    raise DataError(
        f"{place}: {cell!r} may be names of labels or indices of dataset.vocabulary, which has both; type "
        f"dataset.labels_as=index, or ={how}"
    )


def separator_notes(lists: Mapping[str, Sequence[Entry]], separator: str) -> list[str]:
    """Where no cell holds the separator, and several hold the same other mark: whole cells have become labels."""
    cells = [entry.labels for entries in lists.values() for entry in entries]
    if any(len(labels) > 1 for labels in cells):
        return []
    marks = [mark for mark in SEPARATORS[:3] if mark != separator]  # the others are common within a name
    found = {mark: sum(mark in name for labels in cells for name in labels) for mark in marks}
    mark = max(found, key=found.__getitem__)
    told = f"no cell holds the separator {separator!r}, but {found[mark]} hold {mark!r}: if that separates labels, type"
    return [f"{told} {_setting(mark)}"] if found[mark] > 1 else []


def require_known(
    lists: Mapping[str, Sequence[Entry]], names: Sequence[str], vocabulary: str, separator: str | None
) -> None:
    """DataError, with what it may have meant, for a label that the vocabulary has not.

    separator  that the names were joined by; None: they were spelled in another way
    """
    known = set(names)
    for entry in (entry for entries in lists.values() for entry in entries):
        for name in entry.labels:
            if name not in known:
                close = difflib.get_close_matches(name, names, n=1)
                hint = f"; did it mean {close[0]!r}?" if close else ""
                marks = [mark for mark in SEPARATORS if {part.strip() for part in name.split(mark)} <= known]
                if marks and separator:
                    hint = f"; labels are separated by {separator!r} here; type {_setting(marks[0])}"
                raise DataError(f"{entry.place}: label {name!r} is not in dataset.vocabulary={vocabulary}{hint}")


def _setting(mark: str) -> str:
    return f"""'dataset.separator="{mark}"'"""
