"""The rows of an ARFF file, dense and sparse, streamed into one sparse matrix."""

import re
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import nan
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix

from mllc.data.arff_header import Attribute, split_values, unquote
from mllc.data.rows import Matrix
from mllc.errors import DataError

_LARGEST = float(np.finfo(np.float32).max)
_SPARSE_VALUE = re.compile(r"""\s*(\d+)\s+('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^\s,]+)\s*(?:,|$)""")


@dataclass(frozen=True, eq=False)
class Table:
    """matrix: (rows, attributes), nominal values as their place in the declaration, missing ones as NaN.

    lines   the line of each row
    sparse  whether there are rows written as {index value, ...}
    """

    matrix: Matrix
    lines: array
    sparse: bool


def read_rows(file: Path, lines: Iterator[tuple[int, str]], attributes: tuple[Attribute, ...]) -> Table:
    """Reads the numbered lines behind `@data`.

    A sparse row's indices are 0-based over all attributes; what it leaves out is 0 or the first nominal value.
    Raises DataError, naming file and line, for rows that are not whole or not of the declared values.
    """
    width = len(attributes)
    parsers = [_parser(attribute) for attribute in attributes]
    everywhere = range(width)
    starts, columns, values, numbers = array("q", [0]), array("i"), array("d"), array("q")
    any_sparse = False
    for number, line in lines:
        text = line.strip()
        if not text or text.startswith("%"):
            continue
        try:
            if text.startswith("{"):
                any_sparse = True
                indices, tokens = _sparse_row(text, width)
            else:
                indices, tokens = everywhere, _dense_row(text, width)
            try:
                row = [parsers[index](token) for index, token in zip(indices, tokens, strict=True)]
            except (KeyError, ValueError):
                raise ValueError(_wrong_value(attributes, parsers, indices, tokens)) from None
        except ValueError as error:
            raise DataError(f"{file}, line {number}: {error}") from None
        values.extend(row)
        columns.extend(indices)
        starts.append(len(values))
        numbers.append(number)
    if not numbers:
        raise DataError(f"{file}: there are no rows behind @data")
    matrix = csr_matrix(
        (np.frombuffer(values), np.frombuffer(columns, np.int32), np.frombuffer(starts, np.int64)),
        shape=(len(numbers), width),
    )
    return Table(matrix, numbers, any_sparse)


def _number(text: str) -> float:
    if text == "?":
        return nan
    value = float(text)
    if not -_LARGEST <= value <= _LARGEST or "_" in text:
        raise ValueError(text)
    return value


def _parser(attribute: Attribute) -> Callable[[str], float]:
    if attribute.values is None:
        return _number
    codes = {value: float(code) for code, value in enumerate(attribute.values)}
    codes.setdefault("?", nan)
    return codes.__getitem__


def _dense_row(text: str, width: int) -> list[str]:
    tokens = split_values(text) if _has_quotes(text) else [token.strip() for token in text.split(",")]
    if len(tokens) != width:
        raise ValueError(f"{len(tokens)} values, but {width} attributes are declared; is the file complete?")
    return tokens


def _sparse_row(text: str, width: int) -> tuple[list[int], list[str]]:
    if not text.endswith("}"):
        raise ValueError("the sparse row does not end with '}'; is the file complete?")
    body = text[1:-1].strip()
    if not body:
        return [], []
    if _has_quotes(body):
        pairs, position = [], 0
        while position < len(body):
            match = _SPARSE_VALUE.match(body, position)
            if match is None:
                raise ValueError(f"`index value` is expected, not {body[position : position + 40]!r}")
            pairs.append((match[1], unquote(match[2])))
            position = match.end()
    else:
        pairs = [pair.split() for pair in body.split(",")]
    try:
        indices, tokens = [int(index) for index, _ in pairs], [token for _, token in pairs]
    except ValueError:
        wrong = next(pair for pair in pairs if len(pair) != 2 or not pair[0].isdecimal())
        raise ValueError(f"`index value` is expected, not {' '.join(wrong)[:40]!r}") from None
    if min(indices) < 0 or max(indices) >= width:
        wrong = next(index for index in indices if not 0 <= index < width)
        raise ValueError(f"index {wrong} is not among the attributes 0 to {width - 1}")
    if len(set(indices)) < len(indices):
        raise ValueError(f"index {next(i for i in indices if indices.count(i) > 1)} occurs twice")
    return indices, tokens


def _has_quotes(text: str) -> bool:
    return "'" in text or '"' in text or "\\" in text


def _wrong_value(attributes, parsers, indices, tokens) -> str:
    for index, token in zip(indices, tokens, strict=True):
        try:
            parsers[index](token)
        except (KeyError, ValueError):
            kind = "a finite number" if attributes[index].values is None else "one of the declared values"
            return f"{token[:40]!r} is not {kind} of attribute {attributes[index]}"
    raise AssertionError("every value parses")
