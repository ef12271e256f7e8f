"""A replica's state as named tensors and JSON, and back: weights, optimizer, scaler, history."""

from typing import Any

import torch
from torch import Tensor

from mllc.replica import Replica


def state_of(replica: Replica) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Everything that the next epoch depends on; random streams need nothing, they restart from (seed, epoch, step)."""
    tensors = weights_of(replica)
    numbers: dict[str, Any] = {}
    for index, entries in replica.optimizer.state_dict()["state"].items():
        for key, value in entries.items():
            place = f"optimizer/{index}/{key}"
            (tensors if isinstance(value, Tensor) else numbers)[place] = value
    about = {
        "history": replica.history,
        "diverged": replica.diverged,
        "optimizer": numbers,
        "scaler": replica.scaler.state_dict(),
    }
    return tensors, about


def restore(replica: Replica, tensors: dict[str, Tensor], about: dict[str, Any]) -> None:
    """Puts a state from `state_of` into a freshly built replica of the same config."""
    load_weights(replica, weights_in(tensors))
    state: dict[int, dict[str, Any]] = {}
    for place, value in {**tensors, **about["optimizer"]}.items():
        if place.startswith("optimizer/"):
            _, index, key = place.split("/", 2)
            state.setdefault(int(index), {})[key] = value
    groups = replica.optimizer.state_dict()["param_groups"]
    replica.optimizer.load_state_dict({"state": state, "param_groups": groups})
    for weight, entries in replica.optimizer.state.items():
        for key, value in entries.items():
            if isinstance(value, Tensor) and value.shape == weight.shape:  # fused steps pair elements by memory order
                entries[key] = torch.empty_like(weight, dtype=value.dtype).copy_(value)
    if about["scaler"]:  # begun without one, on another device, it starts afresh
        replica.scaler.load_state_dict(about["scaler"])
    replica.history[:] = about["history"]
    replica.diverged = about["diverged"]


def weights_of(replica: Replica) -> dict[str, Tensor]:
    """The weights and buffers that the trial owns, by name."""
    return {f"model/{key}": value for key, value in replica.model.state_dict().items()}


def weights_in(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """What `weights_of` gives of a replica, found in the tensors of its `state_of`."""
    return {key: value for key, value in tensors.items() if key.startswith("model/")}


@torch.no_grad()
def load_weights(replica: Replica, tensors: dict[str, Tensor]) -> None:
    """Puts weights from `weights_of` into a replica."""
    replica.model.load_state_dict({key.removeprefix("model/"): value for key, value in tensors.items()})
