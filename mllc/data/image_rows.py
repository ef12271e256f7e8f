"""How the images of a data set are held: in memory, mapped from disk, or decoded for each batch."""

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch

from mllc.data import image_files
from mllc.data.image_cache import Cache
from mllc.data.rows import mapped_rows
from mllc.data.streamed import Streamed
from mllc.device import available_bytes, require_memory
from mllc.types import Rows

CACHES = ("auto", "memory", "disk", "none")


class Held(NamedTuple):
    """The images of a split: their rows, digests of their files' contents, and why some have no pixels, by index."""

    rows: Rows
    contents: list[bytes]
    unreadable: dict[int, str]


def hold(
    lists: Mapping[str, Sequence[Path]],
    size: int,
    cache: str,
    folder: Path,
    place: Callable[[str, int], str],
    *,
    check: bool,
) -> dict[str, Held]:
    """The images of each split, uint8 (files, 3, size, size), the same pixels whatever `cache` is.

    cache   memory  decoded now, nothing is written
            disk    decoded once for all runs, into `folder`; up to TENSOR_LIMIT_BYTES a split are read into memory
                    as one tensor, which is faster, larger ones stay a memory map
            none    decoded again for each batch, by processes of their own
            auto    disk, where what is still to be written may be, and takes at most half of the free disk (later
                    runs start at once, whatever the size); else memory, where all splits together take at most a
                    quarter of what is free; else none
    place   split and index -> how messages name an image
    check   with `none`, decode every image now, so that those without pixels are known

    Every file is read once for its digest.
    """
    at_once = min(max(map(len, lists.values())), 32, (os.cpu_count() or 1) + 4)  # threads of a ThreadPoolExecutor
    require_memory(at_once * 3 * size * size, f"decoding images of {size} x {size} pixels", "dataset.size")
    read = {split: image_files.digests(files) for split, files in lists.items()}
    caches = {split: Cache(files, read[split][0], size, folder) for split, files in lists.items()}
    if cache == "auto":
        cache = _chosen(list(caches.values()), folder)
    held = {}
    for split, files in lists.items():
        contents, unreadable = read[split]
        if cache == "none":
            rows = Streamed(files, contents, size, partial(place, split))
            unreadable = image_files.unreadable(files, contents, size) if check else unreadable
        elif cache == "memory":
            rows, unreadable = image_files.decoded(files, contents, size)
        else:
            pixels, unreadable = caches[split].open()
            rows = mapped_rows(pixels)
        held[split] = Held(rows, contents, unreadable)
    return held


def _chosen(caches: Sequence[Cache], folder: Path) -> str:
    """What `auto` stands for."""
    missing = sum(cache.missing_bytes() for cache in caches)
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not missing or (os.access(there, os.W_OK) and missing <= shutil.disk_usage(there).free // 2):
        return "disk"
    total = sum(len(cache.files) * cache.image_bytes for cache in caches)
    return "memory" if total <= available_bytes(torch.device("cpu")) // 4 else "none"
