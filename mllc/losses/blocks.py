"""Large batches a few rows at a time, so that what a formula makes on its way stays in the processor's cache."""

import functools
from collections.abc import Callable, Iterator
from typing import Any, Concatenate, ParamSpec, TypeVar

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

P = ParamSpec("P")
T = TypeVar("T")
Loss = Callable[Concatenate[Tensor, Tensor, P], Tensor]

AT_ONCE = 2**16
"""Elements of a block: several tensors of this size fit into the cache of a core."""


def by_rows(
    slope: Callable[..., Tensor] | None = None, *, with_slope: Callable[..., tuple[Tensor, Tensor]] | None = None
) -> Callable[[Loss[P]], Loss[P]]:
    """Make a loss compute large batches on a CPU block by block. No row's values may depend on another row.

    A formula of ten operations reads and writes the whole batch ten times, and in the backward pass ten times more,
    with most of what it made kept in between. By blocks that stays in the cache and nothing is kept: the backward pass
    computes each block once more. Small batches, GPUs and compiled code take the formula as it is.

    slope    (logits, targets, and the settings) -> derivative of each element's value, or of its row's, by the
             element's logit, where writing it out saves time; None: autograd finds it
    with_slope  (logits, targets, and the settings) -> the values and that derivative at once, where they share most of
             their work; it is kept, a tensor of the size of the logits, and nothing is computed once more
    returns  a decorator for a loss. Tensors among the settings are split if they have the shape of the logits; they and
             the targets get no gradient, and there is no second derivative of a large batch
    """

    def decorate(function: Loss[P]) -> Loss[P]:
        @functools.wraps(function)
        def wrapper(logits: Tensor, targets: Tensor, *args: P.args, **kwargs: P.kwargs) -> Tensor:
            tensors = {key: value for key, value in kwargs.items() if isinstance(value, Tensor)}
            if (
                args  # losses have none: their settings are named
                or logits.dim() != 2
                or len(logits) == 1
                or logits.numel() <= AT_ONCE
                or logits.device.type != "cpu"
                or any(other.requires_grad for other in (targets, *tensors.values()))
                or torch.compiler.is_compiling()
            ):
                return function(logits, targets, *args, **kwargs)
            settings: dict[str, Any] = {**(function.__kwdefaults__ or {}), **kwargs}
            rest = {key: value for key, value in settings.items() if key not in tensors}
            if with_slope is not None and logits.requires_grad and torch.is_grad_enabled():
                at_once = functools.partial(_call, with_slope, tuple(tensors), rest)
                return _KeptSlope.apply(at_once, logits, targets, *tensors.values())[0]  # type: ignore[no-any-return]
            call = functools.partial(_call, function, tuple(tensors), rest)
            slope_call = None if slope is None else functools.partial(_call, slope, tuple(tensors), rest)
            return _Blocks.apply(call, slope_call, logits, targets, *tensors.values())  # type: ignore[no-any-return]

        return wrapper

    return decorate


def _call(function: Callable[..., T], names: tuple[str, ...], rest: dict[str, Any], *tensors: Tensor) -> T:
    logits, targets, *others = tensors
    return function(logits, targets, **dict(zip(names, others, strict=True)), **rest)


def _blocks(tensors: tuple[Tensor, ...], elements: int) -> Iterator[tuple[slice, list[Tensor]]]:
    logits = tensors[0]
    rows = max(1, elements // logits.shape[1])
    for start in range(0, len(logits), rows):
        block = slice(start, start + rows)
        yield block, [tensor[block] if tensor.shape == logits.shape else tensor for tensor in tensors]


class _Blocks(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(call: Callable[..., Tensor], slope: Callable[..., Tensor] | None, *tensors: Tensor) -> Tensor:
        values = None
        for block, parts in _blocks(tensors, AT_ONCE):
            part = call(*parts)
            if values is None:
                values = part.new_empty(len(tensors[0]), *part.shape[1:])
            values[block] = part
        assert values is not None
        return values

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.call, ctx.slope, *tensors = inputs
        ctx.save_for_backward(*tensors)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        found = None
        for block, parts in _blocks(ctx.saved_tensors, AT_ONCE):
            above = gradient[block]
            if ctx.slope is None:
                part = torch.func.vjp(lambda logits: ctx.call(logits, *parts[1:]), parts[0])[1](above)[0]  # noqa: B023
            else:
                part = ctx.slope(*parts).mul_(above if above.dim() == 2 else above.unsqueeze(-1))
            found = part.new_empty(len(gradient), part.shape[1]) if found is None else found
            found[block] = part
        return None, None, found, *[None] * (len(ctx.saved_tensors) - 1)


class _KeptSlope(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(call: Callable[..., tuple[Tensor, Tensor]], *tensors: Tensor) -> tuple[Tensor, Tensor]:
        values, slopes = None, torch.empty_like(tensors[0])
        for block, parts in _blocks(tensors, 4 * AT_ONCE):  # it makes fewer tensors on its way
            part, slopes[block] = call(*parts)
            values = part.new_empty(len(slopes), *part.shape[1:]) if values is None else values
            values[block] = part
        assert values is not None
        return values, slopes

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        ctx.set_materialize_grads(False)  # zeros for the slopes' own gradient would be as large as they are
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(output[1])
        ctx.tensors = len(inputs) - 1

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, _: None) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        (slopes,) = ctx.saved_tensors
        found = slopes * (gradient if gradient.dim() == 2 else gradient.unsqueeze(-1))
        return None, found, *[None] * (ctx.tensors - 1)
