"""Records: dataclasses that are JSON files, read back only where every field is what its annotation says."""

import json
import math
from dataclasses import fields, is_dataclass
from functools import cache
from types import NoneType
from typing import Any, get_args, get_origin

WORDS = {NoneType: "null", float: "a number", int: "a whole number", str: "a string", dict: "an object"}
WORDS |= {bool: "true or false", list: "a list"}


def read(text: str, kind: type, version: int) -> dict[str, Any]:
    """The fields of a record in JSON; ValueError where it is none, or of another version."""
    values = json.loads(text)
    if not isinstance(values, dict) or values.get("format") != version:
        found = values.get("format") if isinstance(values, dict) else type(values).__name__
        raise ValueError(f"format {found!r}, but this mllc reads format {version}")
    check_fields(values, kind)
    return values


def check_fields(values: dict[str, Any], kind: Any, place: str = "") -> None:
    """ValueError for a field that the dataclass `kind` has not, and for one that is not as annotated."""
    unknown = values.keys() - {one.name for one in fields(kind)}
    if unknown:
        raise ValueError(f"unknown fields {sorted(place + name for name in unknown)}")
    for one in fields(kind):
        if one.name in values:
            check(values[one.name], one.type, place + one.name)


def check(value: Any, kind: Any, place: str) -> None:
    """ValueError, naming the place, unless a value read from JSON is what its annotation says; numbers are finite.

    A dataclass is an object of its fields, a tuple a list.
    """
    kinds, allowed = _allowed(kind)
    found = float if type(value) is int and float in allowed else type(value)
    if not {found, Any} & allowed or (isinstance(value, float) and not math.isfinite(value)):
        wanted = " or ".join(sorted(WORDS[one] for one in allowed))
        raise ValueError(f"{place} is {json.dumps(value):.40}, but {wanted} is expected")
    for one in kinds if isinstance(value, dict | list) else ():
        if is_dataclass(one) and isinstance(value, dict):
            check_fields(value, one, f"{place}.")
        elif isinstance(value, dict) and get_origin(one) is dict:
            for key, item in value.items():
                check(item, get_args(one)[1], f"{place}.{key}")
        elif isinstance(value, list) and get_origin(one) is tuple:
            for number, item in enumerate(value):
                check(item, get_args(one)[0], f"{place}.{number}")


@cache
def _allowed(kind: Any) -> tuple[tuple[Any, ...], set[Any]]:
    """The kinds that an annotation names, and what JSON has in their place."""
    kinds = get_args(kind) if NoneType in get_args(kind) else (kind,)
    origins = {dict if is_dataclass(one) else get_origin(one) or one for one in kinds}
    return kinds, {list if one is tuple else one for one in origins}
