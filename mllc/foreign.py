"""What to say of an exception that came out of code that is not mllc's, such as a loss of the user's."""

import sysconfig
import traceback
from pathlib import Path

NOT_THEIRS = (str(Path(__file__).parent) + "/", sysconfig.get_path("stdlib") + "/", "<")
"""How the files begin that are not the user's: mllc's own, the standard library, frozen modules."""


def told(error: BaseException) -> str:
    """The exception, and the deepest line of the user's own code that it went through (else the deepest there is).

    >>> told(SyntaxError("invalid syntax", ("mine.py", 3, 1, "")))
    'SyntaxError: invalid syntax (mine.py, line 3)'
    """
    if isinstance(error, SyntaxError):
        return f"{type(error).__name__}: {error.msg} ({error.filename}, line {error.lineno})"
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [f for f in frames if not f.filename.startswith(NOT_THEIRS) and "site-packages" not in f.filename]
    (place,) = (theirs or frames)[-1:]
    return f"{type(error).__name__}: {error} ({place.filename}, line {place.lineno})"
