"""Files written by a thread, so that training goes on meanwhile."""

from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

import torch
from torch import Tensor

WAITING = 4
"""Writes that may wait; whoever is faster than the disk then waits for it, and memory stays bounded."""


class Writer:
    """A context in which writes are done one after the other, in their order; at its end all are.

    An error of a write is raised by a later `do`, or at the end; nothing that was asked for after it is written.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "writer")
        self._waiting: deque[Future[None]] = deque()
        self._broken = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error: object, *_: object) -> None:
        self._thread.shutdown()
        if error is None:
            self._settle(0)

    def do(self, write: Callable[[], None]) -> None:
        """Asks for a write, and waits while too many are waiting."""
        self._settle(WAITING - 1)
        self._waiting.append(self._thread.submit(self._write, write))

    def _write(self, write: Callable[[], None]) -> None:
        if self._broken:
            return
        self._broken = True  # until it is done
        write()
        self._broken = False

    def _settle(self, most: int) -> None:
        """Waits until at most so many writes are left; raises what went wrong in one."""
        while self._waiting and (len(self._waiting) > most or self._waiting[0].done()):
            self._waiting.popleft().result()


def snapshot(tensors: Mapping[str, Tensor]) -> Callable[[], dict[str, Tensor]]:
    """Copies of tensors as they are now, on the CPU, for whoever calls what is returned; the host does not wait here.

    Copies from a GPU are begun, behind the steps that it still has to do, and waited for by the call.
    """
    cuda = any(tensor.is_cuda for tensor in tensors.values())
    copies = {
        name: torch.empty_like(tensor, device="cpu", pin_memory=tensor.is_cuda).copy_(tensor, non_blocking=True)
        for name, tensor in tensors.items()
    }
    copied = torch.cuda.Event() if cuda else None
    if copied is not None:
        copied.record()

    def wait() -> dict[str, Tensor]:
        if copied is not None:
            copied.synchronize()
        return copies

    return wait
