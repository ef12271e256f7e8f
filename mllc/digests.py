"""SHA-256 of files, each read once as long as it stays the same: a cohort's trials share weights of many megabytes."""

import hashlib
import os
from pathlib import Path

_known: dict[tuple[int, ...], str] = {}


def file_digest(file: Path) -> str:
    """The digest in hexadecimal digits; OSError where the file cannot be read.

    A file that has the same size and time as before is taken as unchanged. Hard links are one file.
    """
    with file.open("rb") as stream:
        about = os.fstat(stream.fileno())
        same = (about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns)
        if same not in _known:
            _known[same] = hashlib.file_digest(stream, "sha256").hexdigest()
        return _known[same]
