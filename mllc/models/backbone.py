"""Backbone: a network from inputs to a feature vector, as a row of stages that can be frozen from the front."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import fx, nn

from mllc.errors import ModelError
from mllc.suggest import did_you_mean


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

    freeze  "none": all stages are trained; "all": none is; N: the last N stages that have weights are; the name of a
            module: what is behind it is. The head, which comes behind the backbone, is always trained.

    A frozen batch norm keeps its running statistics: they would otherwise drift although no weight moves. Dropout
    behind the last weights stays with the trained rest, where it acts.
    """
    with_weights = [i for i, stage in enumerate(stages) if any(True for _ in stage.parameters())]
    if freeze == "none":
        first_trained = 0
    elif freeze == "all":
        first_trained = _behind_weights(stages, with_weights)
    elif isinstance(freeze, int) and not isinstance(freeze, bool) and 1 <= freeze <= len(with_weights):
        first_trained = with_weights[-freeze]
    elif isinstance(freeze, str) and freeze in (names := _ends(stages)):
        first_trained = names[freeze]
        if with_weights and first_trained > with_weights[-1]:
            first_trained = _behind_weights(stages, with_weights)
    else:
        raise ModelError(f"backbone.freeze={freeze}: {_may_be(stages, freeze, len(with_weights))}")
    frozen, trained = stages[:first_trained], stages[first_trained:]
    frozen.eval().requires_grad_(False)
    return frozen, trained


def _behind_weights(stages: nn.Sequential, with_weights: Sequence[int]) -> int:
    """The first stage to train where no weight is: dropout behind the last weights, if there is any."""
    behind = range(with_weights[-1] + 1 if with_weights else 0, len(stages))
    return next((i for i in behind if _drops_out(stages[i])), len(stages))


def _drops_out(stage: nn.Module) -> bool:
    return any(isinstance(module, nn.Dropout) for module in stage.modules())


def _ends(stages: nn.Sequential) -> dict[str, int]:
    """The modules that the frozen part can end with -> the number of stages up to and including them.

    A stage that was cut from a larger network (a GraphModule) keeps its modules' names there. One of them ends the
    stage if nothing but norms and the like is behind it; the others lie within.
    """
    ends: dict[str, int] = {}
    first = next((i for i, stage in enumerate(stages) if any(True for _ in stage.parameters())), len(stages))
    for i, (key, stage) in enumerate(stages.named_children(), 1):
        if i <= first:
            continue
        if not isinstance(stage, fx.GraphModule):
            ends |= {key: i} if not key.isdigit() else {}
            continue
        called = [str(node.target) for node in stage.graph.nodes if node.op == "call_module"]
        heavy = [j for j, name in enumerate(called) if _is_heavy(stage.get_submodule(name))]
        for name in called[max(heavy, default=0) :]:
            ends |= {".".join(parts): i for parts in _prefixes(name)}
    return ends


def _is_heavy(module: nn.Module) -> bool:
    return any(weight.ndim >= 2 for weight in module.parameters())


def _prefixes(name: str) -> Iterator[list[str]]:
    """
    >>> list(_prefixes("layer1.0"))
    [['layer1'], ['layer1', '0']]
    """
    parts = name.split(".")
    return (parts[:length] for length in range(1, len(parts) + 1))


def _may_be(stages: nn.Sequential, freeze: str | int, layers: int) -> str:
    """What `freeze` may be, for a message."""
    names = _ends(stages)
    inside = {name for stage in stages for name, _ in stage.named_modules() if isinstance(stage, fx.GraphModule)}
    if str(freeze) == "0":
        return "N is how many of the last layers are trained: type all to train none of them, none to train all"
    counts = f"this backbone has {layers} layers with weights; use none, all, or the number of last layers to train, "
    counts += f"1 to {layers}"
    if isinstance(freeze, str) and freeze in inside:
        above = next((".".join(p) for p in reversed(list(_prefixes(freeze))) if ".".join(p) in names), None)
        whole = f"; type backbone.freeze={above}" if above else did_you_mean(freeze, names)
        return f"this module lies within a block, which is frozen as a whole or not at all{whole}"
    top = list(dict.fromkeys(name.partition(".")[0] for name in names))
    named = f", or the last module to freeze: {', '.join(top)}" if names else "; its layers have no names"
    hint = did_you_mean(freeze, names) if isinstance(freeze, str) else "."
    return f"{counts}{named}{hint.removesuffix('.')}"


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
            "choose another: mllc list backbones"
        )
    return input_shape[0]
