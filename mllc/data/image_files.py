"""Image files, many at a time: digests of their contents, and their pixels or why there are none."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from torch import Tensor

from mllc.data.decode import TRANSFORM_VERSION, decode
from mllc.device import require_memory

DIGEST_BYTES = 16


def digests(files: Sequence[Path]) -> tuple[list[bytes], dict[int, str]]:
    """Of each file's content, or of the reason why it cannot be read, and these; every file is read once."""
    with ThreadPoolExecutor() as pool:
        contents, reasons = zip(*pool.map(_digest, files), strict=True)
    return list(contents), {index: reason for index, reason in enumerate(reasons) if reason is not None}


def key(contents: Sequence[bytes], size: int) -> bytes:
    """Digest of the pixels that files of these digests have at `size`, by their names: nothing is decoded."""
    found = hashlib.blake2b(f"{TRANSFORM_VERSION} {size} {len(contents)}".encode(), digest_size=DIGEST_BYTES)
    for content in contents:
        found.update(content)
    return found.digest()


def pixels(file: Path, size: int, content: bytes | None = None) -> Tensor | str:
    """uint8 (3, size, size), or why there are none; `content` is the digest of what the file should hold."""
    try:
        read = file.read_bytes()
        if content is not None and content != _of(read):
            return "the file has changed since this run began"
        return decode(read, size)
    except (OSError, ValueError) as error:
        return _reason(error)


def unreadable(files: Sequence[Path], size: int) -> dict[int, str]:
    """Index -> why a file has no pixels; each is decoded for it."""
    with ThreadPoolExecutor() as pool:
        found = pool.map(lambda file: _only_reason(pixels(file, size)), files)
        return {index: reason for index, reason in enumerate(found) if reason is not None}


def decoded(files: Sequence[Path], size: int) -> tuple[Tensor, dict[int, str]]:
    """All images in memory, uint8 (files, 3, size, size), zeros for those that `unreadable` would name, and these."""
    what = f"{len(files)} images of {size} x {size} pixels"
    require_memory(len(files) * 3 * size * size, what, "dataset.size, or type dataset.cache=disk or dataset.cache=none")
    images, reasons = torch.zeros(len(files), 3, size, size, dtype=torch.uint8), {}

    def one(index: int) -> None:
        found = pixels(files[index], size)
        if isinstance(found, str):
            reasons[index] = found
        else:
            images[index] = found

    with ThreadPoolExecutor() as pool:
        for _ in pool.map(one, range(len(files))):
            pass
    return images, dict(sorted(reasons.items()))


def _only_reason(found: Tensor | str) -> str | None:
    return found if isinstance(found, str) else None


def _digest(file: Path) -> tuple[bytes, str | None]:
    try:
        return _of(file.read_bytes()), None
    except (OSError, ValueError) as error:
        reason = _reason(error)
        return hashlib.blake2b(reason.encode(), digest_size=DIGEST_BYTES, person=b"unreadable").digest(), reason


def _of(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=DIGEST_BYTES).digest()


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    return getattr(error, "strerror", None) or str(error)
