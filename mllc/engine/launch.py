"""How a step is launched: kernel by kernel, compiled, or as one CUDA graph; and why not.

A stack's step is many small kernels, and on a GPU most of its time is the host's, which launches them one at a time.
torch.compile makes fewer of them; a CUDA graph launches them all at once. Whatever fails falls back to kernel by kernel
and says why, once.
"""

import logging
from collections.abc import Callable, Hashable
from typing import Any, Protocol

import torch
from torch import Tensor

from mllc.engine.stacked_losses import LossGroups
from mllc.foreign import told

log = logging.getLogger("mllc")

WARM_UPS = 3
"""Batches of one shape in succession that are stepped kernel by kernel before the next one is captured."""

Step = Callable[..., Tensor]
"""(tensors or None, and the epoch) -> losses; all that changes from step to step are the tensors and the epoch, and no
weight moves before an error."""


def compiled(*functions: Callable[..., Any], backend: str = "inductor") -> list[Callable[..., Any]]:
    """Each function by torch.compile; as it is from the first call on that fails, before it has changed anything."""
    torch.compiler.reset()  # what earlier stacks compiled counts towards the most that a function may have
    return [or_as_it_is(function, backend) for function in functions]


def or_as_it_is(function: Callable[..., Any], backend: str = "inductor") -> Callable[..., Any]:
    """A function, or a module, by torch.compile; see `compiled`."""
    fast = torch.compile(function, dynamic=False, backend=backend)
    chosen = fast

    def call(*inputs: Any, **settings: Any) -> Any:
        nonlocal chosen
        if chosen is function:
            return function(*inputs, **settings)
        try:
            return fast(*inputs, **settings)
        except torch.cuda.OutOfMemoryError:
            raise
        except Exception as error:  # of the compiler, or the function's own: then the next line raises it again
            found = function(*inputs, **settings)
            log.warning("compile=compile: torch.compile fails, steps are not compiled: %s", told(error))
            log.debug("torch.compile failed", exc_info=True)
            chosen = function
            return found

    return call


def why_no_graph(device: torch.device, losses: LossGroups) -> str:
    """Why a step with these losses cannot be a CUDA graph, as far as it is known beforehand; or an empty text."""
    if device.type != "cuda":
        return f"CUDA graphs need a GPU, and this is {device.type}"
    drawing = [group.members[0].name for group in losses.groups if group.form == "drawing"]
    return f"loss {drawing[0]!r} draws random numbers of its own" if drawing else ""


class Graph(Protocol):
    """A captured step: replayed with other inputs of the same shapes."""

    def __call__(self, *inputs: Tensor | None) -> Tensor: ...


class Graphed:
    """A step as a CUDA graph: captured when a shape has come `WARM_UPS` times in succession, replayed from then on.

    Other shapes, such as an epoch's last and smaller batch, are stepped kernel by kernel. A graph has the numbers of
    Python that it was captured with: where losses change with the `epoch`, each epoch has a graph of its own. Random
    numbers follow the seed that is set before the call, as CUDA keeps it outside the graph.
    """

    def __init__(
        self,
        step: Step,
        *,
        by_epoch: bool,
        capture: Callable[..., Graph] | None = None,
        warm_up: Callable[..., Tensor] | None = None,
    ) -> None:
        """`capture(step, *inputs, epoch=...)` makes the graph and `warm_up` the steps before; both are CUDA's."""
        self._step, self._by_epoch = step, by_epoch
        self._capture, self._warm_up = capture or CudaGraph, warm_up or on_the_side
        self._graph: Graph | None = None
        self._captured: Hashable = None
        self._last, self._times = None, 0
        self._why_not = ""

    def __call__(self, *inputs: Tensor | None, epoch: int) -> Tensor:
        """The losses of a step."""
        if self._why_not:
            return self._step(*inputs, epoch=epoch)
        key = (epoch if self._by_epoch else None, *(None if one is None else (one.shape, one.dtype) for one in inputs))
        if self._graph is not None and key == self._captured:
            self._times = 0
            return self._graph(*inputs)
        self._times, self._last = self._times + 1 if key == self._last else 1, key
        try:
            if self._times <= WARM_UPS:
                return self._warm_up(self._step, *inputs, epoch=epoch)
            self._graph = None  # first, so that its memory is free
            self._graph, self._captured = self._capture(self._step, *inputs, epoch=epoch), key
        except torch.cuda.OutOfMemoryError:
            raise
        except Exception as error:  # of the capture, or the step's own: then the next line raises it again
            losses = self._step(*inputs, epoch=epoch)
            self._why_not = told(error)
            log.warning("compile=graph: no CUDA graph, steps are launched kernel by kernel: %s", self._why_not)
            log.debug("no CUDA graph", exc_info=True)
            return losses
        return self._graph(*inputs)


class CudaGraph:
    """A step captured with inputs of its own, into which those of each call are copied."""

    def __init__(self, step: Step, *inputs: Tensor | None, epoch: int) -> None:
        self._inputs = [None if one is None else one.clone() for one in inputs]
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._losses = step(*self._inputs, epoch=epoch)

    def __call__(self, *inputs: Tensor | None) -> Tensor:
        for own, given in zip(self._inputs, inputs, strict=True):
            if own is not None and given is not None:
                own.copy_(given, non_blocking=True)
        self._graph.replay()
        return self._losses.clone()  # the next replay writes into the same place


def on_the_side(step: Step, *inputs: Tensor | None, epoch: int) -> Tensor:
    """A step on a stream of its own, as CUDA asks for before a capture; RuntimeError if it waits for the device."""
    main, side, mode = torch.cuda.current_stream(), torch.cuda.Stream(), torch.cuda.get_sync_debug_mode()
    side.wait_stream(main)
    torch.cuda.set_sync_debug_mode("error")
    try:
        with torch.cuda.stream(side):
            return step(*inputs, epoch=epoch)
    finally:
        torch.cuda.set_sync_debug_mode(mode)
        main.wait_stream(side)
