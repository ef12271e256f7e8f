"""Features of a frozen front, computed once for a data set and kept on disk for every later run, seed and sweep."""

import hashlib
import io
import json
import logging
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mllc.data.ahead import stream
from mllc.data.rows import join, mapped_rows, select
from mllc.device import size as size_text
from mllc.models.front import Front
from mllc.types import Dataset, Rows

VERSION = 2
"""To be raised with any change to what is kept: older files are then left alone."""

CHUNK = 128
"""Rows that go through the front at once: always the same ones, whatever the batch size, the split and the seed."""

TIMES_INPUTS, SMALL_BYTES = 8, 1 << 30
"""Features are kept up to so many times the bytes of the inputs as they are stored, or up to so many bytes."""

ADVICE = "a deeper backbone.freeze, whose features are smaller (backbone.freeze=all has the smallest)"

DIGEST_BYTES = 16
"""At the end of a file, behind the array: the digest of all that comes before it."""

READ_BYTES = 1 << 24
"""A file is verified so many bytes at a time."""

WRITING = ".features-"
"""How the names of files begin that are being written."""

DAY_SECONDS = 24 * 60 * 60

_log = logging.getLogger("mllc")


@dataclass(eq=False)
class KeptFeatures:
    """The features of all samples of a source, its own splits one after the other, in one file.

    front     on its device; nothing random may come before it
    source    the data set as it was read, before anything was carved from it
    places    split -> the places of its samples in the file
    folder    of the file, which is named by the weights, what is done to the pixels, the device and the content
    backbone  the settings that the front was built from, as plain data, beside its weights and where it was cut
    """

    front: Front
    source: Dataset
    places: Mapping[str, Tensor]
    folder: Path
    device: torch.device
    backbone: Mapping[str, Any]

    def of(self, split: str) -> Rows | None:
        """The features of a split, in memory where they are few; None where the disk is not to hold them (it warns)."""
        if self._rows is None:
            return None
        place = self.places[split]
        return self._rows if torch.equal(place, torch.arange(len(self._rows))) else select(self._rows, place)

    @cached_property
    def _rows(self) -> Rows | None:
        file = self.folder / f"features-{self._key()}.npy"
        found = _read(file)
        if found is None:
            try:
                self._write(file)
            except OSError as error:
                _log.warning(
                    "the features of the frozen layers cannot be kept in %s (%s), so every run computes them anew; "
                    "type %s",
                    self.folder,
                    error.strerror or error,
                    ADVICE if isinstance(error, TooLargeError) else "cache=FOLDER",
                )
                return None
            found = _read(file)
        return None if found is None else mapped_rows(found)

    def _key(self) -> str:
        """Digest of all that the features depend on, the layout of the weights in memory apart."""
        front, digest = self.front, hashlib.blake2b(digest_size=16)
        numbers = [front.mean.flatten().tolist(), front.std.flatten().tolist()]
        versions = [VERSION, torch.__version__, CHUNK]
        network = [dict(self.backbone), str(front.stages), str(front.amp), front.channels_last]
        device = [self.device.type]
        if self.device.type == "cuda":
            device += [torch.cuda.get_device_name(self.device), torch.get_float32_matmul_precision()]
        told = [*versions, *numbers, *network, *device, self.source.fingerprint]
        digest.update(json.dumps(told, sort_keys=True).encode())
        for name, value in front.stages.state_dict().items():
            digest.update(f"\n{name} {value.dtype} {tuple(value.shape)}".encode())
            digest.update(value.cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
        return digest.hexdigest()

    def _content(self) -> Iterator[bytes | memoryview]:
        """The file, a piece at a time: an array of float32 as NumPy keeps one; OSError where it is too large."""
        rows = join([part.inputs for part in self.source.splits.values()])
        with closing(stream(rows, torch.arange(len(rows)).split(CHUNK))) as arriving:
            for number, chunk in enumerate(arriving):
                features = self.front(chunk.to(self.device)).cpu().contiguous().numpy()
                if not number:
                    self._require_room(features[0].nbytes * len(rows), chunk[0].nbytes * len(rows), len(rows))
                    yield _header((len(rows), *features.shape[1:]))
                yield features.data

    def _require_room(self, needed: int, inputs: int, samples: int) -> None:
        """Raises OSError where the disk should not be asked to hold so many bytes, made of so many bytes of inputs."""
        free = shutil.disk_usage(self.folder).free
        if needed > free // 2:
            raise OSError(f"{size_text(needed)} of disk needed, at most half of {size_text(free)} free is taken")
        if needed > max(SMALL_BYTES, TIMES_INPUTS * inputs):
            raise TooLargeError(f"{size_text(needed)}, made of {size_text(inputs)} of inputs")
        _log.info("the frozen layers see each of %d samples once; kept for later runs: %s", samples, size_text(needed))

    def _write(self, file: Path) -> None:
        """Computes the features; the file is written under another name first, so that what has the name is whole."""
        self.folder.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(self.folder)
        # Not of tempfile: its files are for one user alone, and a cache may be shared.
        temporary, digest = self.folder / f"{WRITING}{uuid.uuid4().hex}", hashlib.blake2b(digest_size=DIGEST_BYTES)
        try:
            # Plain writes, not a map: on a full disk a write fails with a reason, a map kills the process.
            with temporary.open("xb") as stream:
                for piece in self._content():
                    stream.write(piece)
                    digest.update(piece)
                stream.write(digest.digest())
            temporary.replace(file)
        finally:
            temporary.unlink(missing_ok=True)


class TooLargeError(OSError):
    """Features that are too large beside the inputs to be worth their place on disk."""


def _header(shape: tuple[int, ...]) -> bytes:
    """What comes before the numbers in a file of float32 in NumPy's format."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return header.getvalue()


def _remove_abandoned(folder: Path) -> None:
    """Removes what processes that were killed have left half written, a day later."""
    for path in folder.glob(f"{WRITING}*"):
        with suppress(OSError):  # gone meanwhile, or another user's
            if time.time() - path.stat().st_mtime > DAY_SECONDS:
                path.unlink()


def _read(file: Path) -> np.memmap | None:
    """What was kept, mapped; None where there is nothing, or not what was written."""
    try:
        content = np.memmap(file, np.uint8, mode="r")
        told, digest = content[-DIGEST_BYTES:].tobytes(), hashlib.blake2b(digest_size=DIGEST_BYTES)
        for start in range(0, len(content) - DIGEST_BYTES, READ_BYTES):
            digest.update(content[start : min(start + READ_BYTES, len(content) - DIGEST_BYTES)].data)
        if digest.digest() == told:
            return np.lib.format.open_memmap(file, mode="c")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError):
        pass
    _log.warning("the features kept in %s are damaged; computing them again", file)
    return None
