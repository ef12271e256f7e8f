"""Ctrl-C: ends mllc at once while it imports and reads, and in good order while it works.

Python's own KeyboardInterrupt is not enough: importing a C extension loses it or makes another error of it, and a
second one lands in the midst of what the first set in motion.
"""

import os
import signal
import time
from types import FrameType
from typing import NoReturn

EXIT_CODE = 130
PATIENCE_S = 1.0


def leave_at_once() -> None:
    """From here on Ctrl-C ends the process, unless the caller of mllc wants it ignored (`nohup`, `&` in a script)."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)


def unwind() -> None:
    """From here on the first Ctrl-C is a KeyboardInterrupt, so that what was begun is put away.

    For a second, others are taken for the same one; later ones end the process. Without `leave_at_once` before it,
    nothing changes: a program that imports mllc keeps its own way.
    """
    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, _raise_once)


def _raise_once(number: int, frame: FrameType | None) -> NoReturn:
    first = time.monotonic()

    def again(number: int, frame: FrameType | None) -> None:
        if time.monotonic() - first > PATIENCE_S:
            _leave(number, frame)

    signal.signal(signal.SIGINT, again)
    raise KeyboardInterrupt


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    os.write(2, b"mllc: stopped\n")
    os._exit(EXIT_CODE)
