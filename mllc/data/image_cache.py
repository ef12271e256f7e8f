"""Decoded images on disk, written and checked part by part: what was begun is gone on with, what is damaged is mended.

A cache is two files, named by a digest of the image files' contents, the size and TRANSFORM_VERSION:

    KEY.npy    the array, uint8 (files, 3, size, size)
    KEY.jsonl  one line for each part of the array that is done: its number, digest, and images without pixels

Nothing is ever written that another process would write otherwise, so several may build one cache at a time.
"""

import errno
import hashlib
import io
import json
import logging
import os
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np

from mllc.data.image_files import key, pixels
from mllc.device import size as size_text
from mllc.errors import DataError

PART_BYTES = 4 << 20
"""Pixels of a part: what a thread holds while it decodes one, and what is lost at most when the process is killed."""

_REPORT_SECONDS = 5
_log = logging.getLogger("mllc")


def cache_folder(cache: str | None) -> Path:
    """The folder for caches: the one given, else $MLLC_CACHE, else ~/.cache/mllc."""
    return Path(cache or os.environ.get("MLLC_CACHE") or "~/.cache/mllc").expanduser()


class Cache:
    """The cache of some files (their digests are `contents`) in a folder; nothing is opened before it is asked for."""

    def __init__(self, files: Sequence[Path], contents: Sequence[bytes], size: int, folder: Path):
        self.files, self.contents, self.size, self.folder = files, contents, size, folder
        self.image_bytes = 3 * size * size
        self.array = folder / f"{key(contents, size).hex()}.npy"
        self._journal = self.array.with_suffix(".jsonl")
        per_part = max(1, PART_BYTES // self.image_bytes)
        self._parts = [range(start, min(start + per_part, len(files))) for start in range(0, len(files), per_part)]
        self._header = _header((len(files), 3, size, size))
        self._lock = threading.Lock()

    def missing_bytes(self) -> int:
        """What is left to write, as far as the journal knows."""
        done = self._told()
        return sum(len(part) for number, part in enumerate(self._parts) if number not in done) * self.image_bytes

    def open(self) -> tuple[np.memmap, dict[int, str]]:
        """The images, memory-mapped, and why some have no pixels (they are zeros), by index.

        Parts that are not there, or not as they were written, are decoded, in parallel; where none is, nothing is
        written. Raises DataError where the folder cannot be written or the disk is too small, and for a file that is no
        longer what its digest says.
        """
        missing = len(self.files) * self.image_bytes
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with ThreadPoolExecutor() as pool:
                told = self._told()
                checked = zip(told, pool.map(self._is_sound, told.items()), strict=True)
                sound = {number: told[number][1] for number, fine in checked if fine}
                todo = [number for number in range(len(self._parts)) if number not in sound]
                missing = sum(len(self._parts[number]) for number in todo) * self.image_bytes
                if len(sound) < len(told):
                    _log.warning("the image cache %s is damaged; decoding %s again", self.array, size_text(missing))
                sound |= self._written(todo, missing, pool)
            images = np.lib.format.open_memmap(self.array, mode="c")
        except OSError as error:
            raise DataError(
                f"the image cache cannot be written to {self.folder}: {error.strerror}; type cache=FOLDER, "
                f"dataset.cache=none, or a smaller dataset.size ({size_text(missing)} are needed for "
                f"{self.size} x {self.size} pixels)"
            ) from None
        return images, {index: reason for number in sorted(sound) for index, reason in sound[number].items()}

    def _told(self) -> dict[int, tuple[str, dict[int, str]]]:
        """Part -> its digest and the images without pixels, as the journal has it; a torn line counts for nothing."""
        found = {}
        try:
            lines = self._journal.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:  # none yet, or a folder that cannot be used: writing will say so
            return {}
        for line in filter(None, lines):
            try:
                number, digest, reasons = json.loads(line)
                if number in range(len(self._parts)):
                    found[number] = (digest, {int(index): str(reason) for index, reason in reasons.items()})
            except (ValueError, TypeError, AttributeError):
                _log.warning("a line of %s is damaged", self._journal)
        return found

    def _is_sound(self, told: tuple[int, tuple[str, dict[int, str]]]) -> bool:
        number, (digest, reasons) = told
        part = self._parts[number]
        try:
            with self.array.open("rb") as stream:
                stream.seek(self._offset(part))
                return _digest(stream.read(len(part) * self.image_bytes), reasons) == digest
        except FileNotFoundError:
            return False

    def _offset(self, part: range) -> int:
        return len(self._header) + part.start * self.image_bytes

    def _written(self, todo: Sequence[int], missing: int, pool: ThreadPoolExecutor) -> dict[int, dict[int, str]]:
        """Decodes and writes parts; returns the images without pixels of each."""
        if not todo:
            self._write_header()
            return {}
        if missing > shutil.disk_usage(self.folder).free:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        _log.info("decoding images into a cache of %s: %s", size_text(missing), self.array)
        begun = self._begun()
        try:
            self._write_header()
            return dict(zip(todo, self._reported(pool.map(self._write, todo), len(todo)), strict=True))
        except OSError as error:
            if begun and error.errno in (errno.ENOSPC, errno.EDQUOT):  # a full disk is not left full
                self.array.unlink(missing_ok=True)
                self._journal.unlink(missing_ok=True)
            raise

    def _begun(self) -> bool:
        """Whether this process is the one that begins the file: no other has finished a part of it."""
        try:
            self.array.touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    def _write_header(self) -> None:
        """Nothing is opened for writing where the header is there: the folder of a whole cache may be read-only."""
        with suppress(FileNotFoundError), self.array.open("rb") as stream:
            if stream.read(len(self._header)) == self._header:
                return
        with open(os.open(self.array, os.O_RDWR | os.O_CREAT, 0o666), "r+b") as stream:
            stream.write(self._header)

    def _write(self, number: int) -> dict[int, str]:
        part, reasons = self._parts[number], {}
        blank = bytes(self.image_bytes)
        images = []
        for index in part:
            found = pixels(self.files[index], self.size, self.contents[index])
            if isinstance(found, str):
                reasons[index] = found
            images.append(blank if isinstance(found, str) else found.numpy().tobytes())
        content = b"".join(images)
        # Plain writes, not a map: on a full disk a write fails with a reason, a map kills the process.
        with self.array.open("r+b") as stream:
            stream.seek(self._offset(part))
            stream.write(content)
        line = json.dumps([number, _digest(content, reasons), reasons])
        with self._lock, self._journal.open("a", encoding="utf-8") as journal:
            journal.write(f"\n{line}")  # the line break comes first: what was torn before stays a line of its own
        return reasons

    def _reported(self, done: Iterator[dict[int, str]], parts: int) -> Iterator[dict[int, str]]:
        due = time.monotonic() + _REPORT_SECONDS
        for number, reasons in enumerate(done, 1):
            yield reasons
            if time.monotonic() > due:
                _log.info("decoded %d %% of the images", 100 * number // parts)
                due = time.monotonic() + _REPORT_SECONDS


def _header(shape: tuple[int, ...]) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return stream.getvalue()


def _digest(content: bytes, reasons: dict[int, str]) -> str:
    digest = hashlib.blake2b(content, digest_size=16)
    digest.update(json.dumps({str(index): reason for index, reason in reasons.items()}).encode())
    return digest.hexdigest()
