"""What a setting may be: values that fit, values that do not, and the words of the refusal."""

import math

import pytest

from mllc.config import settings
from mllc.config.settings import NotAllowed


@pytest.mark.parametrize(
    ("value", "allowed", "expected"),
    [
        (3, "integer", 3),
        (0, "integer >= 0", 0),
        (2, "number", 2.0),
        (1e-4, "number > 0", 1e-4),
        (0.99, "number >= 0 < 1", 0.99),
        (1, "number >= 0 <= 1", 1.0),
        (None, "number|null", None),
        ("balanced", "number > 0|balanced", "balanced"),
        (True, "bool", True),
        ("/a/b", "text", "/a/b"),
        ([8, 4], "[integer >= 1]", [8, 4]),
        ([], "[integer]", []),
        ([0.9, 1], "[number]", [0.9, 1.0]),
        (2, "none|all|integer >= 1", 2),
        ({"a": 1}, "any", {"a": 1}),
    ],
)
def test_fits(value, allowed, expected):
    found = settings.fit(value, allowed)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("value", "allowed"),
    [
        (2.0, "integer"),
        (True, "integer"),
        (True, "number"),
        ("3", "integer"),
        ("fast", "number"),
        (0, "number > 0"),
        (1.0, "number >= 0 < 1"),
        (math.nan, "number"),
        (math.inf, "number > 0"),
        (None, "number"),
        ("sqr", "number|sqrt"),
        (1, "bool"),
        ("true", "bool"),
        (5, "text"),
        ([0], "[integer >= 1]"),
        (512, "[integer]"),
        (["a"], "[integer]"),
        ("null", "number|null"),
        ("integer", "integer|null"),
    ],
)
def test_does_not_fit(value, allowed):
    with pytest.raises(NotAllowed, match=r"."):
        settings.fit(value, allowed)


def test_refusal_says_what_is_allowed():
    with pytest.raises(NotAllowed, match=r"^a number > 0 and < 1, balanced or null$"):
        settings.fit("x", "number > 0 < 1 | balanced | null")
    with pytest.raises(NotAllowed, match=r"^a list \[a,b,...\], each a whole number >= 1$"):
        settings.fit(512, "[integer >= 1]")


@pytest.mark.parametrize(
    ("default", "allowed"),
    [(3, "integer"), (3.0, "number"), (True, "bool"), ("a", "text"), ([1], "[integer]"), ([], "[any]"), (None, "any")],
)
def test_a_default_declares_its_type(default, allowed):
    assert settings.allowed_by(default) == allowed
