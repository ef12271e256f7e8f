"""How messages count and list."""

from collections.abc import Callable, Sequence


def counted(number: int, noun: str) -> str:
    """
    >>> counted(1, "label"), counted(2, "label")
    ('1 label', '2 labels')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"


def are(number: int) -> str:
    """The verb of so many: is or are."""
    return "is" if number == 1 else "are"


def listed(names: Sequence[str], limit: int = 5, quote: Callable[[str], str] = repr) -> str:
    """Names for a message: the first few, and how many more.

    >>> listed(["sun", "sea", "sky"], limit=2)
    "'sun', 'sea' and 1 more"
    """
    shown = ", ".join(map(quote, names[:limit]))
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"
