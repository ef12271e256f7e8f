"""The losses of stacked replicas: those of one function in one call, their settings as tensors."""

import inspect
import itertools
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from mllc.engine.loss_trial import LIKE, Call, alike, draws_random_numbers, each, each_drawing
from mllc.losses.objective import Objective
from mllc.types import Outputs


@dataclass(frozen=True)
class Group:
    """Replicas whose losses are one call.

    members  their objectives
    form     together: the function sees (members, batch, labels) | mapped: it is mapped over the members by
             torch.func.vmap | each: one call a member | drawing: the same, each as if it drew its random numbers alone
    free     names of the settings that differ among the members, and are tensors in the call
    """

    members: Sequence[Objective]
    form: str
    free: tuple[str, ...]
    call: Call


class LossGroups:
    """The mean loss of each of K replicas on a shared batch, equal to `Objective.mean` of each, in few calls.

    Replicas that stand beside each other (see `in_groups`) share a call if they have the same function, traits and
    reduction, and settings that differ in numbers alone: such a number becomes a tensor (members, 1, 1), which
    broadcasts over the group's logits (members, batch, labels). No loss has to promise that this is right: each form
    is tried once on small batches in float64 and kept only if its values and gradients are those of the members' own
    calls, so a function of the user's may do what it likes.
    """

    def __init__(
        self, objectives: Sequence[Objective], device: torch.device | str, dtype: torch.dtype = torch.float32
    ) -> None:
        """`device` and `dtype` (float32, or float64 where the logits are) of the settings."""
        runs = itertools.groupby(objectives, _family)
        self.groups = [
            group for _, run in runs for group in _groups(list(run), torch.empty((), device=device, dtype=dtype))
        ]

    def __call__(self, outputs: Outputs, targets: Tensor, mask: Tensor | None = None, epoch: int = 0) -> Tensor:
        """Mean losses (K,).

        outputs        `logits` (K, batch, labels) and each extra output (K, batch); what a loss does not read may be
                       anything
        targets, mask  (batch, labels), the same for all
        """
        sizes = [len(group.members) for group in self.groups]
        parts = {name: values.split(sizes) for name, values in outputs.items()}
        losses = []
        for g, group in enumerate(self.groups):
            own = {name: parts[name][g] for name in ("logits", *group.members[0].outputs)}
            losses.append(group.call(own, targets, mask, epoch))
        return torch.cat(losses)

    @property
    def uses_epoch(self) -> bool:
        """Whether a loss changes with the epoch, which is a number of Python: a captured call serves one epoch."""
        return any("epoch" in group.members[0].traits.needs for group in self.groups)


def in_groups(objectives: Sequence[Objective]) -> list[int]:
    """The places of the objectives in an order in which those that can share a call stand beside each other."""
    families, settings = [_family(one) for one in objectives], [_numbers(one) for one in objectives]
    return sorted(
        range(len(objectives)),
        key=lambda place: (families.index(families[place]), settings.index(settings[place])),
    )


def _groups(members: list[Objective], like: Tensor) -> Iterator[Group]:
    """The fewest calls for members of one family; settings get the device and the type of `like`."""
    traits, settings = members[0].traits, [_numbers(member) for member in members]
    free = tuple(name for name in settings[0] if any(one[name] != settings[0][name] for one in settings))
    by_rows = traits.shape in ("element", "sample") and not traits.coupled
    forms: dict[str, Callable[..., Call]] = {"together": _together} if by_rows else {}
    if traits.shape != "label":  # the only one compares all pairs of samples: mapped it would take too much memory
        forms["mapped"] = _mapped
    if len(members) > 1:
        for form, make in forms.items():
            if alike(members, partial(make, free=free, like=LIKE)):
                yield Group(members, form, free, make(members, free=free, like=like))
                return
    if free:
        for _, equal in itertools.groupby(members, _numbers):
            yield from _groups(list(equal), like)
    else:
        form, call = ("drawing", each_drawing) if draws_random_numbers(members[0]) else ("each", each)
        yield Group(members, form, (), partial(call, members))


# the forms of a call -----------------------------------------------------------------------------------------------


def _together(members: list[Objective], *, free: tuple[str, ...], like: Tensor) -> Call:
    objective = _with(members[0], {name: _tensor(members, name, like).view(-1, 1, 1) for name in free})

    def call(outputs: Outputs, targets: Tensor, mask: Tensor | None, epoch: int) -> Tensor:
        shape = outputs["logits"].shape
        mask = mask if mask is None else mask.expand(shape)
        return objective.loss(outputs, targets.expand(shape), mask, epoch).mean(-1)

    return call


def _mapped(members: list[Objective], *, free: tuple[str, ...], like: Tensor) -> Call:
    settings = {name: _tensor(members, name, like) for name in free}

    def call(outputs: Outputs, targets: Tensor, mask: Tensor | None, epoch: int) -> Tensor:
        def own(outputs: Outputs, settings: dict[str, Tensor]) -> Tensor:
            return _with(members[0], settings).mean(outputs, targets, mask, epoch)

        return torch.func.vmap(own)(outputs, settings)

    return call


def _with(objective: Objective, settings: Mapping[str, Tensor]) -> Objective:
    return replace(objective, function=partial(objective.function, **settings))


def _tensor(members: list[Objective], name: str, like: Tensor) -> Tensor:
    return like.new_tensor([member.function.keywords[name] for member in members])


# what members share ------------------------------------------------------------------------------------------------


def _family(objective: Objective) -> Hashable:
    """What members of a group have in common. A number of 0 often switches a part of a loss off: it is 0 for all."""
    function, traits = objective.function, objective.traits
    settings = {name: value == 0 if _is_number(value) else _known(value) for name, value in function.keywords.items()}
    kind = (traits.shape, traits.coupled, traits.needs, traits.outputs, objective.reduction)
    return (inspect.unwrap(function.func), kind, tuple(sorted(settings.items())))


def _numbers(objective: Objective) -> dict[str, float]:
    return {name: value for name, value in objective.function.keywords.items() if _is_number(value)}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _known(value: Any) -> Hashable:
    return (tuple(value.shape), tuple(value.flatten().tolist())) if isinstance(value, Tensor) else repr(value)
