"""Rows: the weights of several replicas as the rows of one matrix, and so the state of their optimizers."""

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from mllc.engine.stacked_losses import in_groups
from mllc.engine.stacked_optimizers import Kind, kind_of, rates_of, settings_of
from mllc.models.model import Model
from mllc.replica import Replica

ALIGNED = 64
"""Each weight starts at a multiple of so many numbers, as matrix units like it."""

RATES = 3
"""Numbers of `rates_of` for each replica."""


class Place(NamedTuple):
    """Where a weight lies in each row."""

    start: int
    stop: int
    shape: torch.Size

    def of(self, rows: Tensor) -> Tensor:
        """The view of `rows` (replicas, numbers) that holds this weight, (replicas, *shape)."""
        return rows[:, self.start : self.stop].unflatten(1, self.shape)


class Part(NamedTuple):
    """Neighbouring rows whose optimizers are of one kind.

    settings  on the host in float64, (replicas,)
    fixed     the same on the device, (replicas, 1)
    state     the entries of torch's state, (replicas, numbers)
    """

    kind: Kind
    rows: slice
    settings: dict[str, Tensor]
    fixed: dict[str, Tensor]
    state: dict[str, Tensor]

    @property
    def num_rows(self) -> int:
        """How many."""
        return self.rows.stop - self.rows.start


class Rows:
    """The weights, gradients and optimizer states of replicas of one structure.

    While it lives, a replica's parameters and state are views of it: whoever reads or writes them (checkpoints,
    predictions) need not know; `hand_back` gives them tensors of their own. What a row has too much, for an extra
    output that its replica does not have, is zero and stays zero.

    replicas  those of one kind of optimizer beside each other, and among them those that can share a call of a loss
    leaves    name of a weight -> (replicas, *shape), what a forward pass takes and is differentiated by
    """

    def __init__(self, replicas: Sequence[Replica]) -> None:
        kinds = {replica: kind_of(replica.optimizer) for replica in replicas}
        in_calls = [replicas[place] for place in in_groups([replica.objective for replica in replicas])]
        self.replicas = tuple(sorted(in_calls, key=lambda replica: repr(kinds[replica])))
        self._places = _places([replica.model for replica in self.replicas])
        numbers = _aligned(max(place.stop for place in self._places.values()))
        first = next(self.replicas[0].model.parameters())
        self._weights = first.new_zeros((len(self.replicas), numbers))
        self._gradients = torch.zeros_like(self._weights)
        self._steps = torch.tensor([_steps(replica) for replica in self.replicas])
        self._mirror = self._steps.float().unsqueeze(1).repeat(1, len(self._places))  # as torch keeps them
        clips = [math.inf if replica.clip is None else replica.clip for replica in self.replicas]
        self._clip = None if min(clips) == math.inf else torch.tensor(clips).to(self._weights).unsqueeze(1)
        self._parts: list[Part] = []
        for kind, found in itertools.groupby(enumerate(self.replicas), lambda pair: kinds[pair[1]]):
            indices, group = zip(*found, strict=True)
            self._parts.append(self._part(kind, slice(indices[0], indices[-1] + 1), group))
        self._take_over()
        self.leaves = {name: place.of(self._weights).detach().requires_grad_() for name, place in self._places.items()}

    def _part(self, kind: Kind, rows: slice, replicas: Sequence[Replica]) -> Part:
        numbers = [settings_of(replica.optimizer.param_groups[0]) for replica in replicas]
        settings = {key: torch.tensor([each[key] for each in numbers], dtype=torch.float64) for key in numbers[0]}
        fixed = {key: value.to(self._weights).unsqueeze(1) for key, value in settings.items()}
        return Part(kind, rows, settings, fixed, {key: torch.zeros_like(self._weights[rows]) for key in kind.state})

    @torch.no_grad()
    def _take_over(self) -> None:
        for part in self._parts:
            for k, replica in enumerate(self.replicas[part.rows]):
                for w, (name, weight) in enumerate(replica.model.named_parameters()):
                    place, entries = self._places[name], replica.optimizer.state[weight]
                    weight.data = place.of(self._weights[part.rows])[k].copy_(weight)
                    for key, rows in part.state.items():
                        view = place.of(rows)[k]
                        entries[key] = view.copy_(entries[key]) if key in entries else view
                    if part.kind.counts:
                        entries["step"] = self._mirror[part.rows][k, w]

    def hand_back(self) -> None:
        """Gives every replica tensors of its own, equal to its rows as they are now."""
        for replica in self.replicas:
            on_device = bool(replica.optimizer.param_groups[0].get("fused"))  # where torch wants its counts
            for weight in replica.model.parameters():
                weight.data = weight.data.clone()
                entries = replica.optimizer.state[weight]
                for key, value in entries.items():
                    entries[key] = value.clone().to(weight.device) if key == "step" and on_device else value.clone()

    @property
    def dtype(self) -> torch.dtype:
        """Of all the numbers."""
        return self._weights.dtype

    def differentiate(self, loss: Tensor, *, add: bool = False) -> None:
        """Leaves the gradients of `loss` by the leaves for `update`, or adds them to those that are there."""
        found = torch.autograd.grad(loss, list(self.leaves.values()), allow_unused=True, materialize_grads=True)
        for place, gradient in zip(self._places.values(), found, strict=True):
            own = place.of(self._gradients)
            (own.add_ if add else own.copy_)(gradient)

    def rates(self, progress: float) -> Tensor:
        """All that `update` needs to know of the step to come, at `progress`: one copy, which nobody waits for."""
        lr = torch.tensor([_set_lr(replica, progress) for replica in self.replicas], dtype=torch.float64)
        done = self._steps + 1
        of_parts = [rates_of(part.settings, lr[part.rows], done[part.rows]) for part in self._parts]
        packed = torch.cat([rate for rates in of_parts for rate in rates]).to(self._weights.dtype).unsqueeze(1)
        if self._weights.is_cuda:
            packed = packed.pin_memory().to(self._weights.device, non_blocking=True)
        return packed

    @torch.no_grad()
    def update(self, rates: Tensor) -> None:
        """One step of every optimizer: its gradients clipped, weights and state moved. The device alone works here."""
        if self._clip is not None:
            norm = torch.linalg.vector_norm(self._gradients, dim=1, keepdim=True)
            factor = (self._clip / (norm + 1e-6)).clamp(max=1)  # as torch.nn.utils.clip_grad_norm_ has it
            self._gradients.mul_(torch.where(self._clip.isinf(), 1, factor))
        sizes = [RATES * part.num_rows for part in self._parts]
        for part, own in zip(self._parts, rates.split(sizes), strict=True):
            weights, gradients = self._weights[part.rows], self._gradients[part.rows]
            part.kind.step(weights, gradients, part.state, part.fixed, own.chunk(RATES))

    def count(self) -> None:
        """A step is done."""
        self._steps += 1
        self._mirror += 1


def _places(models: Sequence[Model]) -> dict[str, Place]:
    places: dict[str, Place] = {}
    end = 0
    for model in models:
        for name, weight in model.named_parameters():
            if name not in places:
                places[name] = Place(end, end + weight.numel(), weight.shape)
                end = _aligned(end + weight.numel())
    return places


def _aligned(number: int) -> int:
    return -(-number // ALIGNED) * ALIGNED


def _steps(replica: Replica) -> int:
    """Steps that the optimizer has done."""
    return max((int(entries["step"]) for entries in replica.optimizer.state.values() if "step" in entries), default=0)


def _set_lr(replica: Replica, progress: float) -> float:
    (group,), (base,) = replica.optimizer.param_groups, replica.base_lrs
    group["lr"] = base * replica.schedule(progress)
    return group["lr"]
