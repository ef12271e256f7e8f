"""Backbone: a network from inputs to a feature vector, as a row of stages that can be frozen from the front."""

from dataclasses import dataclass

from torch import nn

from mllc.errors import ModelError


@dataclass(frozen=True, eq=False)
class Backbone:
    """Stages from inputs (batch, *input_shape) to features (batch, num_features).

    mean, std  of the pixels (in [0, 1]) that the stages expect, one a channel; empty: pixels as they are
    """

    stages: nn.Sequential
    num_features: int
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()


def split_frozen(stages: nn.Sequential, freeze: str | int) -> tuple[nn.Sequential, nn.Sequential]:
    """Cuts `stages` into a frozen front (eval mode for good, no gradients) and a trained rest.

    freeze  "none": all stages are trained; "all": none is; N: the last N stages that have weights are. The head, which
            comes behind the backbone, is always trained.

    A frozen batch norm keeps its running statistics: they would otherwise drift although no weight moves. Dropout
    behind the last weights stays with the trained rest, where it acts.
    """
    with_weights = [i for i, stage in enumerate(stages) if any(True for _ in stage.parameters())]
    if freeze == "none":
        first_trained = 0
    elif freeze == "all":
        behind = range(with_weights[-1] + 1 if with_weights else 0, len(stages))
        first_trained = next((i for i in behind if _drops_out(stages[i])), len(stages))
    elif isinstance(freeze, int) and not isinstance(freeze, bool) and 1 <= freeze <= len(with_weights):
        first_trained = with_weights[-freeze]
    else:
        raise ModelError(
            f"backbone.freeze={freeze}: this backbone has {len(with_weights)} layers with weights; "
            f"use none, all, or the number of last layers to train, 1 to {len(with_weights)}"
        )
    frozen, trained = stages[:first_trained], stages[first_trained:]
    frozen.eval().requires_grad_(False)
    return frozen, trained


def _drops_out(stage: nn.Module) -> bool:
    return any(isinstance(module, nn.Dropout) for module in stage.modules())


def require_images(name: str, input_shape: tuple[int, ...], smallest: int = 1) -> int:
    """The number of channels of image inputs; ModelError for feature vectors and for a side below `smallest` pixels."""
    if len(input_shape) != 3:
        raise ModelError(
            f"backbone={name} wants images, but the samples of this data set are vectors of {input_shape[0]} features; "
            "use backbone=mlp or backbone=linear"
        )
    if min(input_shape[1:]) < smallest:
        raise ModelError(
            f"backbone={name} needs images of at least {smallest} x {smallest} pixels, and these have "
            f"{input_shape[1]} x {input_shape[2]}; raise dataset.size (of digits: dataset.grid, 8 pixels a cell), or "
            "use backbone=resnet18"
        )
    return input_shape[0]
