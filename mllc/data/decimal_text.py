"""Decimal numbers in text, many at a time: eight digits are eight bytes of one integer.

The digits of a word are added up in pairs, then in fours, then in eights, as in simdjson's `parse_eight_digits`
(Langdale and Lemire 2019, arXiv:1902.08318). A value that is not written plainly (an exponent, many digits) is left to
C's parser, so that every result is that of `float(text)`.
"""

import re
import warnings

import numpy as np

PAD = 8
"""Bytes that must come before the first number of a text."""

NUMBER = re.compile(rb"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
"""What is taken for a number: no `nan`, `inf`, hexadecimal or underscores, which float understands."""

_ZEROS, _HIGH, _SIX = (np.uint64(int(byte * 8, 16)) for byte in ("30", "f0", "06"))
_PAIRS = np.uint64(0x000000FF000000FF)
_FIRST, _SECOND = np.uint64(100 + (1_000_000 << 32)), np.uint64(1 + (10_000 << 32))
_TENS = 10.0 ** np.arange(16)
_EXACT_DIGITS = 15
"""Integers of so many digits, and powers of ten up to them, are exact in float64: one division rounds once."""
_IN_NUMBERS = np.zeros(256, bool)
_IN_NUMBERS[list(b"0123456789+-.eE")] = True


def whole_numbers(text: np.ndarray, ends: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The numbers that end before `ends` and have `lengths` digits, int64, and whether that is what they are.

    text  uint8, with PAD bytes before the first number; one of more than 8 digits, or of none, is said not to be one
    """
    values, good = _digits(text, ends, lengths)
    return values, good & (lengths > 0)


def decimals(text: np.ndarray, starts: np.ndarray, points: np.ndarray, ends: np.ndarray) -> np.ndarray | None:
    """Numbers written as text[start:end], none empty, float64, each as float(...) has it; None where one is no NUMBER.

    points  where the decimal point is; `end` for a number without one
    """
    negative = text[starts] == ord("-")
    whole, fraction = points - starts - negative, np.maximum(ends - points - 1, 0)
    above, good = _digits(text, points, whole)
    good &= (whole + fraction > 0) & (whole + fraction <= _EXACT_DIGITS)
    if fraction.any():
        below, below_good = _digits(text, ends, np.minimum(fraction, 8))
        good &= below_good
        long = np.flatnonzero(good & (fraction > 8))
        if len(long):
            more, more_good = _digits(text, ends[long] - 8, fraction[long] - 8)
            below[long] += more * 10**8
            good[long] &= more_good
        tens = _TENS[np.minimum(fraction, _EXACT_DIGITS)]
        values = (above * tens + below) / tens
    else:
        values = above.astype(np.float64)
    values = np.where(negative, -values, values)
    odd = np.flatnonzero(~good)
    if len(odd):
        parsed = _floats(text, starts[odd], ends[odd])
        if parsed is None:
            return None
        values[odd] = parsed
    return values


def _digits(text: np.ndarray, ends: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values of up to 8 digits before `ends`; those of none are 0; False where there are more, or other characters."""
    windows = np.ndarray(len(text) - 7, "<u8", text.data, strides=(1,))
    good = lengths <= 8
    unused = (np.clip(8 - lengths, 0, 7) * 8).astype(np.uint64)
    words = ((windows[ends - 8] ^ _ZEROS) >> unused) << unused
    words[lengths <= 0] = 0  # a shift by all 64 bits is not defined
    good &= ((words | (words + _SIX)) & _HIGH) == 0
    words = words * np.uint64(10) + (words >> np.uint64(8))
    words = ((words & _PAIRS) * _FIRST + ((words >> np.uint64(16)) & _PAIRS) * _SECOND) >> np.uint64(32)
    return words.astype(np.int64), good


def _floats(text: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray | None:
    """The words text[start:end], which do not touch and rise, by C's parser; None where one is no NUMBER.

    With these characters alone a word that is no number stops the parser, or is read as more than one.
    """
    edges = np.zeros(len(text) + 1, np.int8)
    edges[starts] += 1
    edges[ends] -= 1
    within = np.cumsum(edges[:-1], dtype=np.int8).astype(bool)
    if not _IN_NUMBERS[text[within]].all():
        return None
    words = np.where(within, text, np.uint8(ord(" "))).tobytes()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", DeprecationWarning)
            values = np.fromstring(words, sep=" ")
    except (DeprecationWarning, ValueError):
        return None
    return values if len(values) == len(starts) else None
