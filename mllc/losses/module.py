"""Losses as torch modules, and losses for models that end in a sigmoid."""

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from mllc.losses.binding import bind, choose

SAMPLES = 7
"""Of the batch on which a loss shows what shape it returns."""


class LossModule(nn.Module):
    """A loss with its settings: `module(logits, targets)` is the scalar that training minimises.

    Settings that are tensors (label counts, say) are buffers: they move with the module and are saved with it.
    """

    def __init__(self, function: Callable[..., Tensor], reduction: str, settings: dict[str, Any]) -> None:
        super().__init__()
        later = {"logits", "targets", *_given_later(function, settings)}
        bind(f"loss {function.__name__!r}", function, settings, {}, later)  # refuses settings it does not have
        self.function, self.reduction = function, choose("reduction", reduction, ("sum", "mean", "none"))
        self.settings = {name: value for name, value in settings.items() if not isinstance(value, Tensor)}
        self.tensors = [name for name in settings if name not in self.settings]
        for name in self.tensors:
            self.register_buffer(name, settings[name])
        self.per_label = _is_per_label(function, settings)
        self.takes_mask = "mask" in inspect.signature(function).parameters

    def forward(self, logits: Tensor, targets: Tensor, mask: Tensor | None = None, **extra: Any) -> Tensor:
        """The loss of a batch: the mean over samples of the sum over labels, or as `reduction` says.

        logits, targets  (batch, labels); targets in [0, 1]
        mask             bool (batch, labels), False where a target is unknown; for losses with a value per element, and
                         those that take a mask themselves
        extra            what the loss takes beside: extra outputs such as `count` (batch,), `epoch`
        raises           ValueError for targets outside [0, 1] (such as -1 for a negative), which on a GPU waits for
                         the device; not while compiling
        """
        _check_range("targets", targets)
        known = {name: getattr(self, name) for name in self.tensors}
        if self.takes_mask:
            extra["mask"] = mask
        values = self.function(logits, targets, **self.settings, **known, **extra)
        if mask is not None:
            if values.shape == targets.shape:
                values = values.masked_fill(~mask, 0)
            elif not self.takes_mask:
                raise ValueError(f"{self.function.__name__} has no value per element and takes no mask")
        if self.reduction == "none":
            return values
        values = values.sum(-1) if values.dim() == 2 or self.per_label else values
        return values.mean() / (targets.shape[-1] if self.reduction == "mean" else 1)

    def extra_repr(self) -> str:
        shown = {"reduction": self.reduction, **self.settings}
        return ", ".join([self.function.__name__, *(f"{name}={value!r}" for name, value in shown.items())])


def as_module(function: Callable[..., Tensor], *, reduction: str = "sum", **settings: Any) -> LossModule:
    """A loss function as a `torch.nn.Module`, for training loops that want one.

    function   of mllc.losses, or any (logits, targets, *, settings) -> (batch, labels), (batch,), (labels,) or ()
    reduction  sum: over labels, then the mean over samples, as on the command line; mean: that divided by the number
               of labels; none: what the function returns
    settings   the function's, checked at once; statistics that it needs (label_counts=..., num_samples=...) as well
    raises     ConfigError for a setting that the function does not have

    >>> from mllc.losses import asymmetric
    >>> as_module(asymmetric, gamma_neg=4)
    LossModule(asymmetric, reduction='sum', gamma_neg=4)
    """
    return LossModule(function, reduction, settings)


def from_probabilities(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The same loss for models that end in a sigmoid: its first argument is p = sigmoid(z), in [0, 1].

    z = log p - log(1 - p), with p kept between 2e-31 and 1 - 6e-8 in float32: beyond, the model has thrown away what
    its logit was, and the gradient with it. Better to leave the sigmoid out of the model; under float16, where the
    slope 1/p of small probabilities overflows, make it `logits.float().sigmoid()`. Probabilities outside [0, 1] are a
    ValueError, which waits for the device (not while compiling) and cannot be asked for under vmap.

    >>> from mllc.losses import bce
    >>> from_probabilities(bce)(torch.tensor([[0.5]]), torch.tensor([[1.0]]))
    tensor([[0.6931]])
    """

    def loss(probabilities: Tensor, targets: Tensor, **settings: Any) -> Tensor:
        _check_range("probabilities", probabilities)
        wide = probabilities.float() if probabilities.dtype in (torch.float16, torch.bfloat16) else probabilities
        return function(wide.clamp(*_ends(wide.dtype)).logit(), targets, **settings)

    loss.__name__, loss.__doc__ = function.__name__, function.__doc__
    loss.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]
    return loss


def _ends(dtype: torch.dtype) -> tuple[float, float]:
    """How near a probability may come to 0, where 1/p must leave room for weights, and to 1, where 1 - p is above 0."""
    about = torch.finfo(dtype)
    return about.tiny * 2**24, 1 - about.eps / 2


def _check_range(name: str, values: Tensor) -> None:
    if torch.compiler.is_compiling():
        return
    lowest, highest = (bound.item() for bound in values.aminmax())
    if not 0 <= lowest <= highest <= 1:
        raise ValueError(f"{name} must lie in [0, 1], and these go from {lowest} to {highest}")


def _given_later(function: Callable[..., Tensor], settings: dict[str, Any]) -> list[str]:
    """Parameters without a default that are no settings: they come with each batch."""
    parameters = list(inspect.signature(function).parameters.values())[2:]
    return [p.name for p in parameters if p.default is inspect.Parameter.empty and p.name not in settings]


def _is_per_label(function: Callable[..., Tensor], settings: dict[str, Any]) -> bool:
    """Whether the function returns one value a label; found out on a batch of zeros."""
    labels = next((len(value) for value in settings.values() if isinstance(value, Tensor) and value.dim()), SAMPLES - 4)
    samples = SAMPLES if labels != SAMPLES else SAMPLES + 1
    zeros = torch.zeros(samples, labels)
    extra = {name: 0 if name == "epoch" else torch.zeros(samples) for name in _given_later(function, settings)}
    with torch.no_grad():
        return function(zeros, zeros, **settings, **extra).shape == (labels,)
