"""The trained part of a model for several replicas at once: batched matrix products over stacked weights."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from mllc.models.model import Model

ELEMENTWISE = (
    nn.Identity,
    nn.ReLU,
    nn.ReLU6,
    nn.LeakyReLU,
    nn.ELU,
    nn.GELU,
    nn.SiLU,
    nn.Hardswish,
    nn.Sigmoid,
    nn.Tanh,
    nn.Softplus,
)
"""Modules without weights or state that treat each number by itself: a stack passes through them as a batch does."""

Layer = tuple[str, nn.Module]
"""A module and its name, which with `.weight` and `.bias` names its weights."""


def layers_of(model: Model) -> list[Layer]:
    """The modules in front of the outputs, in order, containers dissolved."""
    parts = (("stages", model.stages), ("hidden", model.hidden))
    return [layer for name, part in parts for layer in _flattened(name, part)]


def _flattened(name: str, module: nn.Module) -> list[Layer]:
    if type(module) is not nn.Sequential:
        return [(name, module)]
    return [layer for key, child in module.named_children() for layer in _flattened(f"{name}.{key}", child)]


def why_not(model: Model) -> str:
    """Why a model cannot be part of a stack, or an empty text."""
    outputs: list[Layer] = [("labels", model.labels), *model.extra.items()]
    for name, module in [*layers_of(model), *outputs]:
        plain = type(module) in (nn.Linear, nn.Dropout, nn.Flatten, *ELEMENTWISE)
        if not plain or (isinstance(module, nn.Flatten) and (module.start_dim, module.end_dim) != (1, -1)):
            return f"its network has a layer that has no stacked form: {name}, a {type(module).__name__}"
    weights = list(model.parameters())
    if len({(weight.dtype, weight.device) for weight in weights}) > 1 or not all(w.requires_grad for w in weights):
        return "its weights are not all trained, on one device and of one type"
    return ""


def structure(model: Model) -> str:
    """Models with equal texts can share a stack: the layers, with sizes and shares of dropout, extra outputs apart."""
    return repr([*layers_of(model), ("labels", model.labels)])


def forward(
    layers: list[Layer], extra: tuple[str, ...], weights: Mapping[str, Tensor], features: Tensor
) -> dict[str, Tensor]:
    """What Model.forward does, for stacked `weights` (replicas, ...): `logits` (replicas, batch, labels) and the extra
    outputs (replicas, batch), features (batch, ...) being the same for all replicas.

    Dropout draws one mask for all replicas, the one that each would draw by itself.
    """
    for name, module in layers:
        if isinstance(module, nn.Linear):
            features = _linear(features, name, weights)
        elif isinstance(module, nn.Dropout):
            features = features * _mask(features, module.p) if module.p else features
        elif isinstance(module, nn.Flatten):
            features = features.flatten(1) if features.ndim != 3 else features
        else:
            features = module(features)
    with torch.autocast(features.device.type, enabled=False):
        features = features.to(weights["labels.weight"].dtype)
        outputs = {name: _linear(features, f"extra.{name}", weights).squeeze(2) for name in extra}
        return {"logits": _linear(features, "labels", weights), **outputs}


def _linear(features: Tensor, name: str, weights: Mapping[str, Tensor]) -> Tensor:
    """(batch, inputs), shared, or (replicas, batch, inputs) -> (replicas, batch, outputs)."""
    weight, bias = weights[f"{name}.weight"], weights.get(f"{name}.bias")
    if features.ndim == 2:
        features = features.expand(len(weight), *features.shape)
    if bias is None:
        return torch.bmm(features, weight.mT)
    return torch.baddbmm(bias.unsqueeze(1), features, weight.mT)


def _mask(features: Tensor, share: float) -> Tensor:
    """What dropout multiplies a batch by: 0, or what keeps the mean."""
    return functional.dropout(features.new_ones(features.shape[-2:]), share)
