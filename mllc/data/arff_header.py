"""The header of an ARFF file: its relation line and its attributes, with Weka's quoting."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mllc.errors import DataError

_ATTRIBUTE = re.compile(
    r"""@attribute\s+(?P<name>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^\s'"]\S*?)"""
    r"""(?:\s+|(?=\{))(?P<type>\{(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^}'"\\]|\\.)*\}|\w+)(?P<rest>.*)""",
    re.IGNORECASE,
)
_VALUE = re.compile(r"""\s*('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^,]*?)\s*(?:,|$)""")
_NUM_LABELS = re.compile(r"""(?:^|[\s:'"])-C\s+(-?\d+)(?=[\s'"]|$)""")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


@dataclass(frozen=True)
class Attribute:
    """A column: nominal with these values, or numeric (`values` is None)."""

    name: str
    values: tuple[str, ...] | None
    line: int

    def __str__(self) -> str:
        kind = "numeric" if self.values is None else "{" + ",".join(self.values) + "}"
        return f"{self.name!r} {kind if len(kind) < 60 else kind[:56] + '...}'}"


@dataclass(frozen=True)
class Header:
    """num_labels: MEKA's `-C n` (first n) or `-C -n` (last n), or None; `-split` options are only remembered."""

    attributes: tuple[Attribute, ...]
    num_labels: int | None
    has_split: bool


def read_header(file: Path, lines: Iterator[tuple[int, str]]) -> Header:
    """Consumes the numbered lines of a file up to and with `@data`.

    Raises DataError for anything but comments, `@relation`, numeric and nominal `@attribute` lines and `@data`.
    """
    relation = ""
    attributes: list[Attribute] = []
    for number, line in lines:
        text = line.strip()
        if not text or text.startswith("%"):
            continue
        keyword = text.split(None, 1)[0].lower()
        if keyword == "@relation":
            relation = text[len(keyword) :]
        elif keyword == "@attribute":
            attributes.append(_attribute(file, number, text))
        elif keyword == "@data":
            return _header(file, relation, attributes)
        else:
            raise DataError(
                f"{file}, line {number}: @relation, @attribute or @data is expected in the header of an ARFF file, "
                f"not {text[:40]!r}"
            )
    raise DataError(f"{file}: the file ends before @data; is it a complete ARFF file?")


def _header(file: Path, relation: str, attributes: list[Attribute]) -> Header:
    seen: dict[str, int] = {}
    for attribute in attributes:
        if attribute.name in seen:
            first = seen[attribute.name]
            raise DataError(f"{file}, line {attribute.line}: attribute {attribute.name!r} repeats that of line {first}")
        seen[attribute.name] = attribute.line
    found = _NUM_LABELS.findall(relation)
    return Header(
        tuple(attributes), int(found[0]) if found else None, re.search(r"\s-split\S*\s", relation) is not None
    )


def _attribute(file: Path, number: int, text: str) -> Attribute:
    match = _ATTRIBUTE.fullmatch(text)
    if match is None:
        raise DataError(f"{file}, line {number}: `@attribute NAME TYPE` is expected, not {text[:60]!r}")
    name, kind, rest = unquote(match["name"]), match["type"], match["rest"].strip()
    if kind.lower() in ("string", "date", "relational"):
        raise DataError(
            f"{file}, line {number}: attribute {name!r} is of type {kind}; only numeric and nominal attributes can be "
            "used: remove it or turn it into numbers"
        )
    if rest and not rest.startswith("%"):
        raise DataError(f"{file}, line {number}: attribute {name!r} has something after its type: {rest[:40]!r}")
    if kind.startswith("{"):
        try:
            values = tuple(split_values(kind[1:-1]))
        except ValueError as error:
            raise DataError(f"{file}, line {number}: the values of attribute {name!r}: {error}") from None
        if len(set(values)) < len(values) or "" in values:
            raise DataError(f"{file}, line {number}: the values of attribute {name!r} are repeated or empty: {kind}")
        return Attribute(name, values, number)
    if kind.lower() not in ("numeric", "real", "integer"):
        raise DataError(
            f"{file}, line {number}: attribute {name!r} is of type {kind!r}; numeric, real, integer or "
            "{value,value,...} is expected"
        )
    return Attribute(name, None, number)


def unescape(text: str) -> str:
    r"""Resolves backslashes: `\n`, `\t` and `\r` as in C, before any other character they only protect it.

    >>> unescape(r"rock\'n\~roll")
    "rock'n~roll"
    """
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[1]), text) if "\\" in text else text


def unquote(text: str) -> str:
    """A name or value without its quotes and escapes; a quoted question mark keeps its quotes (it is not missing).

    Raises ValueError for a quote that is not closed.
    """
    if text[:1] in ("'", '"'):
        if len(text) < 2 or text[-1] != text[0]:
            raise ValueError(f"the quote is not closed in {text[:40]!r}")
        text = unescape(text[1:-1])
        return "'?'" if text == "?" else text
    return unescape(text)


def split_values(text: str) -> list[str]:
    """Comma-separated values, unquoted. Raises ValueError for a quote that is not closed."""
    values, position = [], 0
    while True:
        match = _VALUE.match(text, position)
        if match is None:
            raise ValueError(f"a comma is expected in {text[position : position + 40]!r}")
        values.append(unquote(match[1]))
        if match.end() == len(text) and not match[0].endswith(","):
            return values
        position = match.end()
