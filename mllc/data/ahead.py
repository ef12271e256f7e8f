"""Reading ahead: the rows of the batches to come are fetched while the one before them is worked on."""

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing

from torch import Tensor

from mllc.types import Rows

Arriving = Generator[Tensor, None, None]
"""Rows of one batch after the other; to be closed, so that what reads ahead ends."""

AHEAD = 2
"""Batches that a thread reads ahead."""


def stream(rows: Rows, batches: Iterable[Tensor], *, pin: bool = False) -> Arriving:
    """The rows of one index tensor after the other, read ahead; what that needs ends with the iterator.

    A thread does it, unless the rows have a way of their own: PyTorch lets others work while it copies, or waits for
    the disk. `pin`: in memory that a GPU can copy from on its own.
    """
    own = getattr(rows, "stream", None)
    with closing(_thread(rows, batches, pin) if own is None else own(batches, pin=pin)) as arriving:
        yield from arriving


def _thread(rows: Rows, batches: Iterable[Tensor], pin: bool) -> Arriving:
    pool = ThreadPoolExecutor(1)
    waiting: deque[Future[Tensor]] = deque()
    try:
        for batch in batches:
            waiting.append(pool.submit(lambda index: rows[index].pin_memory() if pin else rows[index], batch))
            if len(waiting) > AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
