"""A loss tried on small batches: whether a call for several replicas gives what their own calls give."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from mllc.losses.objective import Objective
from mllc.types import Outputs

SAMPLES, LABELS, EPOCHS = 6, 7, (0, 100)
LIKE = torch.empty((), dtype=torch.float64)
"""Device and type of a trial."""
EXTREMES = torch.tensor([0.0, 30.0, -30.0, 120.0, -120.0, 800.0, -800.0])
"""Logits at which exponentials vanish or overflow: one sample of each batch has these."""
TOLERANCE = 1e-12

Call = Callable[[Outputs, Tensor, Tensor | None, int], Tensor]
"""(outputs (members, batch, ...), shared targets (batch, labels), shared mask, epoch) -> mean losses (members,)"""


class Batch(NamedTuple):
    """What the members of a group share."""

    targets: Tensor
    mask: Tensor | None
    epoch: int


def each(members: Sequence[Objective], outputs: Outputs, targets: Tensor, mask: Tensor | None, epoch: int) -> Tensor:
    """The members' own calls: the form that needs no trial."""
    own = zip(*(values.unbind() for values in outputs.values()), strict=True)
    pairs = zip(members, own, strict=True)
    return torch.stack([one.mean(dict(zip(outputs, mine, strict=True)), targets, mask, epoch) for one, mine in pairs])


def each_drawing(
    members: Sequence[Objective], outputs: Outputs, targets: Tensor, mask: Tensor | None, epoch: int
) -> Tensor:
    """The members' own calls, each with the random numbers that it would draw alone."""
    device = outputs["logits"].device
    losses = []
    for k, member in enumerate(members):
        own = {name: values[k : k + 1] for name, values in outputs.items()}
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            losses.append(each([member], own, targets, mask, epoch))
    return torch.cat(losses)


def alike(members: Sequence[Objective], make: Callable[[list[Objective]], Call]) -> bool:
    """Whether what `make` makes of the members gives the values and gradients of their own calls, in float64.

    Tried with and without unknown targets, early and late in training. What raises is not alike.
    """
    small, draw = [_small(member) for member in members], torch.Generator().manual_seed(0)
    try:
        with torch.random.fork_rng(devices=[]):
            call = make(small)
            return all(_same(call, small, batch, draw) for batch in _batches(small[0], draw))
    except (Exception, SystemExit):  # whatever a function of the user's does
        return False


def draws_random_numbers(objective: Objective) -> bool:
    """Whether the loss draws random numbers of its own; True also where it fails on a small batch, so that this cannot
    be told. mllc's own draw none."""
    if objective.function.func.__module__.startswith("mllc."):
        return False
    small, draw = _small(objective), torch.Generator().manual_seed(0)
    try:
        with torch.random.fork_rng(devices=[]):
            before = torch.get_rng_state()
            for batch in _batches(small, draw):
                each([small], _outputs(small, 1, batch, draw), *batch)
            return not torch.equal(before, torch.get_rng_state())
    except (Exception, SystemExit):
        return True


def _same(call: Call, members: list[Objective], batch: Batch, draw: torch.Generator) -> bool:
    outputs = _outputs(members[0], len(members), batch, draw)
    values, wanted = call(outputs, *batch), each(members, outputs, *batch)
    pairs = [(values, wanted), *zip(_slopes(values, outputs), _slopes(wanted, outputs), strict=True)]
    return all(found.shape == right.shape and _close(found, right) for found, right in pairs)


def _slopes(values: Tensor, outputs: Outputs) -> Sequence[Tensor]:
    return torch.autograd.grad(values.sum(), list(outputs.values()), materialize_grads=True)


def _close(found: Tensor, wanted: Tensor) -> bool:
    return torch.allclose(found, wanted, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True)


def _small(objective: Objective) -> Objective:
    """On the CPU, in float64, with few labels."""
    keywords = objective.function.keywords.items()
    tensors = {name: value[..., :LABELS].cpu() for name, value in keywords if isinstance(value, Tensor)}
    wide = {name: value.double() if value.is_floating_point() else value for name, value in tensors.items()}
    return replace(objective, function=partial(objective.function, **wide))


def _batches(objective: Objective, draw: torch.Generator) -> Iterator[Batch]:
    sizes = [
        value.shape[-1] for value in objective.function.keywords.values() if isinstance(value, Tensor) and value.dim()
    ]
    shape = (SAMPLES, min([LABELS, *sizes]))
    masks: list[Tensor | None] = [None]
    if objective.traits.shape == "element" or "mask" in objective.traits.needs:
        masks.append(torch.rand(shape, generator=draw) < 0.7)
    for epoch in EPOCHS:
        for mask in masks:
            targets = (torch.rand(shape, generator=draw) < 0.4).double()
            targets[0], targets[1] = 0, 1
            yield Batch(targets, mask, epoch)


def _outputs(objective: Objective, number: int, batch: Batch, draw: torch.Generator) -> Outputs:
    logits = 3 * torch.randn(number, *batch.targets.shape, generator=draw, dtype=torch.float64)
    logits[:, -1] = EXTREMES[: logits.shape[-1]]
    extra = {name: torch.randn(logits.shape[:2], generator=draw, dtype=torch.float64) for name in objective.outputs}
    return {name: values.requires_grad_() for name, values in {"logits": logits, **extra}.items()}
