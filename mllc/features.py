"""Features of a frozen front, computed once for a data set and kept on disk for every later run, seed and sweep."""

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mllc.data.ahead import stream
from mllc.data.rows import TENSOR_LIMIT_BYTES as IN_MEMORY
from mllc.data.rows import Mapped, join, select
from mllc.device import size as size_text
from mllc.models.front import Front
from mllc.types import Dataset, Rows, Split

VERSION = 1
"""To be raised with any change to what is kept: older files are then left alone."""

CHUNK = 128
"""Rows that go through the front at once: always the same ones, whatever the batch size, the split and the seed."""

_log = logging.getLogger("mllc")


@dataclass(eq=False)
class KeptFeatures:
    """The features of all samples of a source, its own splits one after the other, in one file.

    front   on its device; nothing random may come before it
    source  the data set as it was read, before anything was carved from it
    carved  divides a data set as the run's was: it is called with one whose inputs are the samples' places in the file
    folder  of the file, which is named by the weights, what is done to the pixels, the device's type and the content
    """

    front: Front
    source: Dataset
    carved: Callable[[Dataset], Dataset]
    folder: Path
    device: torch.device

    def of(self, split: str) -> Rows | None:
        """The features of a split, in memory where they are few; None where the disk cannot hold them (it warns)."""
        if self._rows is None:
            return None
        place = self._places[split]
        return self._rows if torch.equal(place, torch.arange(len(self._rows))) else select(self._rows, place)

    @cached_property
    def _places(self) -> Mapping[str, Tensor]:
        numbers = torch.arange(sum(map(len, self._parts.values()))).split([len(part) for part in self._parts.values()])
        parts = zip(self._parts.items(), numbers, strict=True)
        carved = self.carved(replace(self.source, **{name: replace(part, inputs=at) for (name, part), at in parts}))
        return {name: carved.split(name).inputs for name in ("train", "val", "test")}  # type: ignore[misc]

    @property
    def _parts(self) -> dict[str, Split]:
        splits = {name: getattr(self.source, name) for name in ("train", "val", "test")}
        return {name: split for name, split in splits.items() if split is not None}

    @cached_property
    def _rows(self) -> Rows | None:
        array, about = (self.folder / f"features-{self._key()}.{kind}" for kind in ("npy", "json"))
        found = _read(array, about)
        if found is None:
            try:
                self._write(array, about)
            except OSError as error:
                _log.warning(
                    "the features of the frozen layers cannot be kept in %s (%s), so every run computes them anew; "
                    "type cache=FOLDER",
                    self.folder,
                    error.strerror or error,
                )
                return None
            found = _read(array, about)
        if found is None:
            return None
        return torch.from_numpy(np.array(found)) if found.nbytes <= IN_MEMORY else Mapped(found)

    def _key(self) -> str:
        """Digest of all that the features depend on, the layout of the weights in memory apart."""
        front, digest = self.front, hashlib.blake2b(digest_size=16)
        numbers = [front.mean.flatten().tolist(), front.std.flatten().tolist()]
        versions = [VERSION, torch.__version__, CHUNK]
        told = [*versions, *numbers, str(front.amp), self.device.type, self.source.fingerprint, str(front.stages)]
        digest.update(json.dumps(told).encode())
        for name, value in front.stages.state_dict().items():
            digest.update(f"\n{name} {value.dtype} {tuple(value.shape)}".encode())
            digest.update(value.cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
        return digest.hexdigest()

    def _chunks(self) -> Iterator[np.ndarray]:
        rows = join([part.inputs for part in self._parts.values()])
        with closing(stream(rows, torch.arange(len(rows)).split(CHUNK))) as arriving:
            for chunk in arriving:
                yield self.front(chunk.to(self.device)).cpu().contiguous().numpy()

    def _write(self, array: Path, about: Path) -> None:
        """Computes the features; both files are written under other names first, so that what has the name is whole."""
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = [path.with_name(f".{path.name}.{os.getpid()}") for path in (array, about)]
        samples, digest = sum(map(len, self._parts.values())), hashlib.blake2b(digest_size=16)
        try:
            # Plain writes, not a map: on a full disk a write fails with a reason, a map kills the process.
            with temporary[0].open("wb") as file:
                for number, chunk in enumerate(self._chunks()):
                    if not number:
                        self._begin(file, (samples, *chunk.shape[1:]))
                    file.write(chunk.data)
                    digest.update(chunk.data)
            temporary[1].write_text(json.dumps({"digest": digest.hexdigest()}), encoding="utf-8")
            temporary[0].replace(array)
            temporary[1].replace(about)
        finally:
            for path in temporary:
                path.unlink(missing_ok=True)

    def _begin(self, stream, shape: tuple[int, ...]) -> None:
        """Writes the header of an array of float32; OSError where the disk will not hold it."""
        needed, free = 4 * int(np.prod(shape, dtype=np.int64)), shutil.disk_usage(self.folder).free
        if needed > free:
            raise OSError(f"{size_text(needed)} of disk needed, {size_text(free)} free")
        _log.info("the frozen layers see each of %d samples once; kept for later runs: %s", shape[0], size_text(needed))
        np.lib.format.write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": shape})


def _read(array: Path, about: Path) -> np.ndarray | None:
    """What was kept, mapped; None where there is nothing, or not what was written."""
    try:
        told = json.loads(about.read_text(encoding="utf-8"))["digest"]
        features = np.lib.format.open_memmap(array, mode="c")
        digest = hashlib.blake2b(digest_size=16)
        for start in range(0, len(features), CHUNK):
            digest.update(features[start : start + CHUNK].data)
        if digest.hexdigest() == told:
            return features
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    _log.warning("the features kept in %s are damaged; computing them again", array)
    return None
