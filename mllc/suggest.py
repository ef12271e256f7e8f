"""The "did you mean" of every message about a name."""

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a sentence about `name`: `; did you mean 'focal'?`, or `.` where no known name is close.

    A dotted name is also compared by its last part: `lr` finds `optimizer.lr`.

    >>> did_you_mean("asymetric", ["focal", "asymmetric"])
    "; did you mean 'asymmetric'?"
    >>> did_you_mean("lr", ["seed", "optimizer.lr"])
    "; did you mean 'optimizer.lr'?"
    >>> did_you_mean("xyz", ["focal"])
    '.'
    """
    known = list(known)
    last_parts = {key.rpartition(".")[2]: key for key in known}
    close = get_close_matches(name, known, 1) or [
        last_parts[part] for part in get_close_matches(name.rpartition(".")[2], last_parts, 1)
    ]
    return f"; did you mean '{close[0]}'?" if close else "."
