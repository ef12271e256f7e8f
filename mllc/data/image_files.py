"""Image files, many at a time: digests of their contents, and their pixels or why there are none."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from mllc.data.decode import TRANSFORM_VERSION, decode
from mllc.device import require_memory
from mllc.errors import DataError

T = TypeVar("T")

DIGEST_BYTES = 16

_MOST_PER_TASK = 64


def digests(files: Sequence[Path]) -> tuple[list[bytes], dict[int, str]]:
    """Of each file's content, or of the reason why it cannot be read, and these; every file is read once."""
    contents, reasons = [], {}
    for index, (content, reason) in enumerate(of_each(lambda index: _digest(files[index]), len(files))):
        contents.append(content)
        if reason is not None:
            reasons[index] = reason
    return contents, reasons


def key(contents: Sequence[bytes], size: int) -> bytes:
    """Digest of the pixels that files of these digests have at `size`, by their names: nothing is decoded."""
    found = hashlib.blake2b(f"{TRANSFORM_VERSION} {size} {len(contents)}".encode(), digest_size=DIGEST_BYTES)
    for content in contents:
        found.update(content)
    return found.digest()


def pixels(file: Path, size: int, content: bytes) -> Tensor | str:
    """uint8 (3, size, size), or why there are none; `content` is the file's digest, as `digests` found it.

    Raises DataError for a file that holds something else by now, that could be read then and cannot be now, or where
    memory is short: that says nothing about what the digest stands for, and must not be remembered as if it did.
    """
    try:
        read = file.read_bytes()
    except (OSError, ValueError) as error:
        reason = _reason(error)
        if content == _of_unreadable(reason):
            return reason
        raise DataError(f"{file}: {reason}; it could be read when this run began: type the command again") from None
    if content != _of(read):
        raise DataError(f"{file}: the file has changed since this run began; type the command again")
    try:
        return decode(read, size)
    except ValueError as error:
        return str(error)
    except MemoryError:
        raise DataError(
            f"{file}: too little memory is free to decode it; type the command again when there is more"
        ) from None


def unreadable(files: Sequence[Path], contents: Sequence[bytes], size: int) -> dict[int, str]:
    """Index -> why a file has no pixels; each is decoded for it."""
    found = of_each(lambda index: _only_reason(pixels(files[index], size, contents[index])), len(files))
    return {index: reason for index, reason in enumerate(found) if reason is not None}


def decoded(files: Sequence[Path], contents: Sequence[bytes], size: int) -> tuple[Tensor, dict[int, str]]:
    """All images in memory, uint8 (files, 3, size, size), zeros for those that `unreadable` would name, and these."""
    what = f"{len(files)} images of {size} x {size} pixels"
    require_memory(len(files) * 3 * size * size, what, "dataset.size, or type dataset.cache=disk or dataset.cache=none")
    images, reasons = torch.zeros(len(files), 3, size, size, dtype=torch.uint8), {}

    def one(index: int) -> None:
        found = pixels(files[index], size, contents[index])
        if isinstance(found, str):
            reasons[index] = found
        else:
            images[index] = found

    for _ in of_each(one, len(files)):
        pass
    return images, dict(sorted(reasons.items()))


def of_each(function: Callable[[int], T], number: int) -> Iterator[T]:
    """What threads find for 0, 1, ... in order; some indices a task, for tasks take memory: 1.6 kB each that waits."""
    step = max(1, min(_MOST_PER_TASK, number // _MOST_PER_TASK))
    tasks = [range(start, min(start + step, number)) for start in range(0, number, step)]
    with ThreadPoolExecutor() as pool:
        for found in pool.map(lambda indices: [function(index) for index in indices], tasks):
            yield from found


def _only_reason(found: Tensor | str) -> str | None:
    return found if isinstance(found, str) else None


def _digest(file: Path) -> tuple[bytes, str | None]:
    try:
        return _of(file.read_bytes()), None
    except (OSError, ValueError) as error:
        reason = _reason(error)
        return _of_unreadable(reason), reason


def _of(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=DIGEST_BYTES).digest()


def _of_unreadable(reason: str) -> bytes:
    return hashlib.blake2b(reason.encode(), digest_size=DIGEST_BYTES, person=b"unreadable").digest()


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    return getattr(error, "strerror", None) or str(error)
