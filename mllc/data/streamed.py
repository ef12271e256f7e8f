"""Images that are decoded for each batch, ahead of it, by processes of their own."""

import ctypes
import multiprocessing
import shutil
import signal
import sys
import threading
import warnings
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from mllc.data.ahead import Arriving
from mllc.data.image_files import pixels
from mllc.device import cores
from mllc.errors import DataError

AHEAD_BYTES = 1 << 29
"""Pixels that are decoded ahead of the batch in use, in all processes together."""

_SHARED_MEMORY = "/dev/shm"

PR_SET_PDEATHSIG = 1
"""Of Linux's prctl: the signal that a process gets when its parent ends."""


class Streamed:
    """Rows of image files, uint8 (3, size, size) each, that are read and decoded whenever they are asked for.

    contents  digests of what the files held when the run began: one that has changed since is refused
    place     index -> how messages name an image

    Asking raises DataError for an image that has no pixels.
    """

    decoded = True

    def __init__(self, files: Sequence[Path], contents: Sequence[bytes], size: int, place: Callable[[int], str]):
        self._images, self._place = _Images(files, contents, size), place

    def __len__(self) -> int:
        return len(self._images.files)

    def __getitem__(self, index: Tensor, /) -> Tensor:
        return self._checked(self._images[index.tolist()])

    def stream(self, batches: Iterable[Tensor], *, pin: bool = False) -> Arriving:
        """The rows of one index tensor after the other, decoded ahead; the processes end with the iterator.

        pin  in memory that a GPU can copy from on its own
        """
        indices = [batch.tolist() for batch in batches]
        workers, each = _workers(max(map(len, indices), default=0) * 3 * self._images.size**2, len(indices))
        loader = DataLoader(
            self._images,  # type: ignore[arg-type]
            batch_size=None,
            sampler=indices,
            num_workers=workers,
            collate_fn=_as_it_is,
            pin_memory=pin,
            prefetch_factor=each if workers else None,
            worker_init_fn=_follow_parent,
            generator=torch.Generator(),  # else it would draw from the one that training draws from
            multiprocessing_context=_context() if workers else None,
        )
        arriving = _begun(loader)
        try:
            for found in arriving:
                yield self._checked(found)
        except (RuntimeError, ConnectionError, EOFError) as error:  # by what PyTorch was about when it ended
            if isinstance(error, RuntimeError) and "DataLoader worker" not in str(error):
                raise
            raise DataError(
                f"a process that decodes images has ended ({str(error) or type(error).__name__}): was memory short? "
                "Type a smaller batch_size, or dataset.cache=disk"
            ) from None
        finally:
            del arriving  # ends the processes

    def joined(self, others: "Sequence[Streamed]") -> "Streamed":
        """These rows and then those of others of the same size, as one: they share the processes of one stream."""
        parts = [self, *others]
        ends = list(accumulate(map(len, parts)))

        def place(index: int) -> str:
            number = bisect_right(ends, index)
            return parts[number]._place(index - (ends[number - 1] if number else 0))

        files = [file for part in parts for file in part._images.files]
        contents = [content for part in parts for content in part._images.contents]
        return Streamed(files, contents, self._images.size, place)

    def _checked(self, found: "Tensor | tuple[int, str] | DataError") -> Tensor:
        if isinstance(found, Tensor):
            return found
        if isinstance(found, DataError):
            raise found
        index, reason = found
        raise DataError(f"{self._place(index)}: {reason}; type dataset.on_bad_image=skip to leave out such images")


class _Images:
    """What a process needs to decode a batch: its pixels, or the first image that has none and why.

    Errors are handed over as they are: a DataLoader would put the process's traceback into their text.
    """

    def __init__(self, files: Sequence[Path], contents: Sequence[bytes], size: int):
        self.files, self.contents, self.size = files, contents, size

    def __getitem__(self, index: Sequence[int], /) -> "Tensor | tuple[int, str] | DataError":
        found = torch.empty(len(index), 3, self.size, self.size, dtype=torch.uint8)
        for row, i in enumerate(index):
            try:
                image = pixels(self.files[i], self.size, self.contents[i])
            except DataError as error:
                return error
            if isinstance(image, str):
                return i, image
            found[row] = image
        return found


def _begun(loader: DataLoader) -> Iterator[Any]:
    """The iterator of a loader, whose processes run from here on.

    PyTorch's handler for the end of a process, which raises wherever the run then happens to be, is put away again:
    asking for the next batch finds out as well, within seconds.
    """
    before = signal.getsignal(signal.SIGCHLD)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*fork", DeprecationWarning)  # the children start no threads
        arriving = iter(loader)
    if before is not None and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGCHLD, before)
    return arriving


def _workers(batch_bytes: int, num_batches: int) -> tuple[int, int]:
    """Processes, and batches that each may have ahead; none, decoding in this one, where shared memory is too small."""
    try:
        ahead = min(AHEAD_BYTES, shutil.disk_usage(_SHARED_MEMORY).free // 2)
    except OSError:
        ahead = AHEAD_BYTES
    fit = ahead // max(batch_bytes, 1)
    workers = min(cores(), num_batches, fit)
    return workers, 2 if fit >= 2 * workers else 1


def _context() -> str | None:
    return "fork" if "fork" in multiprocessing.get_all_start_methods() else None


def _follow_parent(_worker: int) -> None:
    """Ctrl-C reaches the whole group of processes; the parent ends these. Where it is killed they end at once on
    Linux, elsewhere in seconds: they hold the locks on run folders that it held, which it may want to take up again."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _as_it_is(found: Any) -> Any:
    return found
