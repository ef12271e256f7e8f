"""What a setting may be, written as `number > 0 | balanced | null`: a value is refused before torch is imported.

int, number      with bounds: `int >= 1`, `number >= 0 < 1`; an infinite number or nan is never allowed
text, bool, null, any
[int >= 1]       a list of such, of any length; [number, number] one of two
balanced         any other word stands for itself
"""

import itertools
import math
import operator
import re
from typing import Any

_BOUNDS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
_NAMES = {"integer": "a whole number", "number": "a number", "bool": "true or false", "text": "text", "any": "a value"}

_DECLARATION = r"[\w-]+|(integer|number)( (<|>)=? -?[\d.]+(e-?\d+)?)+"


class NotAllowed(ValueError):  # noqa: N818 (a refusal that always becomes a ConfigError)
    """A value outside what its setting may be."""


def fit(value: Any, allowed: str) -> Any:
    """`value` if it is allowed (a number comes back as float, so that 2 and 2.0 are one setting); else NotAllowed.

    >>> fit(2, "number > 0 | balanced")
    2.0
    >>> fit([32, 16], "[integer >= 1]")
    [32, 16]
    >>> fit([0.9], "[number < 1, number < 1]")
    Traceback (most recent call last):
    mllc.config.settings.NotAllowed: a list [a,b] of 2: a number < 1, a number < 1
    >>> fit("ten", "integer >= 1")
    Traceback (most recent call last):
    mllc.config.settings.NotAllowed: a whole number >= 1
    """
    for one in allowed.split("|"):
        try:
            return _fit_one(value, one.strip())
        except NotAllowed:
            continue
    raise NotAllowed(describe(allowed))


def allowed_by(default: Any) -> str:
    """What a setting without a declaration may be: the type of its default; anything, where that is null.

    >>> allowed_by(0.5), allowed_by(True), allowed_by([64, 32]), allowed_by(None)
    ('number', 'bool', '[integer]', 'any')
    """
    if isinstance(default, list):
        kinds = {allowed_by(item) for item in default}
        return f"[{kinds.pop()}]" if len(kinds) == 1 else "[any]"
    types = {bool: "bool", int: "integer", float: "number", str: "text"}
    return types.get(type(default), "any")


def is_declaration(text: str) -> bool:
    """Whether `text` says what a setting may be.

    >>> is_declaration("[integer >= 1] | null"), is_declaration("number > x")
    (True, False)
    """
    return all(re.fullmatch(_DECLARATION, part.strip(" []")) for part in re.split(r"[|,]", text))


def words(allowed: str) -> list[str]:
    """The words that stand for themselves.

    >>> words("number > 0 | balanced | sqrt | null")
    ['balanced', 'sqrt']
    """
    parts = (part.strip() for part in allowed.split("|"))
    return [part for part in parts if re.fullmatch(r"\w+", part) and part not in (*_NAMES, "null")]


def bounds(allowed: str) -> tuple[float | None, float | None]:
    """The numbers below and above which nothing is allowed, whether they themselves are or not.

    >>> bounds("number > 0 <= 1 | null"), bounds("integer >= 1")
    ((0.0, 1.0), (1.0, None))
    """
    found = {sign: float(bound) for sign, bound in re.findall(r"(<|>)=? (-?[\d.]+(?:e-?\d+)?)", allowed)}
    return found.get(">"), found.get("<")


def describe(allowed: str) -> str:
    """In words, for a message.

    >>> describe("number > 0 | balanced | null")
    'a number > 0, balanced or null'
    """
    parts = [_describe_one(part.strip()) for part in allowed.split("|")]
    return " or ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))


def _describe_one(one: str) -> str:
    if one.startswith("["):
        items = [describe(item.strip()) for item in one[1:-1].split(",")]
        if len(items) == 1:
            return f"a list [a,b,...], each {items[0]}"
        return f"a list [{','.join('abcdefgh'[: len(items)])}] of {len(items)}: {', '.join(items)}"
    name, _, bounds = one.partition(" ")
    return f"{_NAMES.get(name, name)} {bounds.replace(' <', ' and <')}" if bounds else _NAMES.get(name, name)


def _fit_one(value: Any, one: str) -> Any:
    name, *bounds = one.split()
    if one.startswith("[") and isinstance(value, list):
        items = one[1:-1].split(",")
        if len(items) not in (1, len(value)):
            raise NotAllowed
        return [fit(item, kind.strip()) for item, kind in zip(value, itertools.cycle(items), strict=False)]
    if name == "any" or (name == "null" and value is None) or (name == "bool" and isinstance(value, bool)):
        return value
    if isinstance(value, str) and (name == "text" or value == one in words(one)):
        return value
    if _is_number(value, name) and all(
        _BOUNDS[sign](value, float(bound)) for sign, bound in zip(bounds[::2], bounds[1::2], strict=True)
    ):
        return value if name == "integer" else float(value)
    raise NotAllowed


def _is_number(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return False
    if name == "integer":
        return isinstance(value, int)
    return name == "number" and isinstance(value, int | float) and math.isfinite(value)
