"""The domains of settings: each check raises a ValueError that says what was given and what is allowed."""

import math
from collections.abc import Sequence
from typing import Any

from torch import Tensor


def check_number(
    name: str, value: Any, *, low: float = -math.inf, high: float = math.inf, open_ends: bool = False
) -> None:
    """A finite number in [low, high], or in (low, high) with `open_ends`. A tensor passes: see mllc.losses.numbers.

    >>> check_number("gamma", -1, low=0)
    Traceback (most recent call last):
    ValueError: gamma must be a number in [0, inf], got -1
    """
    if isinstance(value, Tensor):
        return
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not (number and low <= value <= high and not (open_ends and value in (low, high))):
        ends = "()" if open_ends else "[]"
        raise ValueError(f"{name} must be a number in {ends[0]}{low}, {high}{ends[1]}, got {value!r}")


def check_flag(name: str, value: Any) -> None:
    """True or False, and nothing that Python merely takes for one."""
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be true or false, got {value!r}")


def check_word(name: str, value: Any, words: Sequence[str]) -> None:
    """One of a few words.

    >>> check_word("penalty", "msee", ("mse", "poisson"))
    Traceback (most recent call last):
    ValueError: penalty must be mse or poisson, got 'msee'
    """
    if value not in words:
        raise ValueError(f"{name} must be {' or '.join(words)}, got {value!r}")
