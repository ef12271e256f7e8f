"""From a config, the shape of a sample and the training split's statistics to a network: no data is needed."""

import copy
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import nn

from mllc import seeding
from mllc.config.targets import build, target
from mllc.data.statistics import prior_log_odds
from mllc.device import amp_dtype, require_memory
from mllc.errors import ModelError
from mllc.losses.objective import Objective, build_objective
from mllc.models.backbone import Backbone, split_frozen
from mllc.models.front import Front
from mllc.models.model import Model, hidden_layer, output_unit
from mllc.types import LabelStatistics

Config = dict[str, Any]


def build_backbone(
    conf: Config, input_shape: tuple[int, ...], device: torch.device, allow: Sequence[str] = ()
) -> tuple[Front, Backbone]:
    """The frozen front, on the device, and the backbone with the stages that are trained, which start as seeded."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seeding.derive(conf["dataset"]["name"], conf["seed"], "init", "backbone"))
        backbone = _build_backbone(conf["backbone"], input_shape, allow)
    frozen, trained = split_frozen(backbone.stages, conf["backbone"].get("freeze", "none"))
    front = Front(frozen, backbone.mean, backbone.std, amp_dtype(conf["amp"], device), conf["channels_last"])
    return front.to(device), replace(backbone, stages=trained)


def starts_random(backbone: Config) -> bool:
    """Whether a backbone has random weights: its `weights` are null, or it is one of mllc's that takes none."""
    return backbone["weights"] is None if "weights" in backbone else is_known(backbone)


def is_known(backbone: Config) -> bool:
    """Whether a backbone is one of mllc's: what a user's own code computes may change without any setting saying so."""
    return backbone["_target_"].startswith("mllc.")


def front_settings(backbone: Config) -> Config:
    """The settings of a backbone that its stages may depend on: not the files that its weights come from, nor where
    they are cut, which the stages themselves show."""
    paths = (backbone.get("traits") or {}).get("paths") or ()
    return {key: value for key, value in backbone.items() if key not in ("freeze", "traits", *paths)}


def build_loss(conf: Config, statistics: LabelStatistics, allow: Sequence[str] = ()) -> Objective:
    """The objective of a config, bound to the statistics of the training split."""
    function = target(conf["loss"], allow=allow)
    return build_objective(function, conf["loss"]["name"], conf["loss"], statistics)


def build_model(
    conf: Config, backbone: Backbone, objective: Objective, statistics: LabelStatistics, device: torch.device
) -> Model:
    """A fresh model on the device; label outputs and stages start the same for every trial of one seed."""
    head, num_labels = conf["head"], len(statistics.label_counts)
    width = head["hidden"] if head["kind"] == "mlp" else backbone.num_features
    weights = num_weights(conf, backbone, num_labels)
    what = f"{weights:,} weights, {width} features x {num_labels} labels among them"
    each = 8 if device.type == "cpu" else 4  # with the gradient; on a GPU only the start passes the host
    require_memory(each * weights, what, _sizes(conf["backbone"]))
    seed = partial(seeding.derive, conf["dataset"]["name"], conf["seed"], "init")
    bias = prior_log_odds(statistics) if head["bias_init"] == "prior" else 0.0
    labels = output_unit(width, num_labels, seed("labels"), bias)
    extra = {out: output_unit(width, 1, seed(out), objective.initial_bias[out]) for out in objective.outputs}
    hidden = nn.Sequential()
    if head["kind"] == "mlp":
        hidden = hidden_layer(backbone.num_features, width, head["dropout"], seed("head"))
    model = Model(copy.deepcopy(backbone.stages), labels, extra, hidden).to(device)
    if conf["channels_last"] and any(weight.ndim == 4 for weight in model.parameters()):
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model


def num_weights(conf: Config, backbone: Backbone, num_labels: int) -> int:
    """How many weights a trial of `conf` owns and trains, extra outputs and biases apart."""
    stages, features, head = sum(p.numel() for p in backbone.stages.parameters()), backbone.num_features, conf["head"]
    return stages + (head["hidden"] * (features + num_labels) if head["kind"] == "mlp" else features * num_labels)


def _build_backbone(node: Config, input_shape: tuple[int, ...], allow: Sequence[str]) -> Backbone:
    try:
        return build(node, input_shape, allow=allow, reserved=("freeze",))
    except (RuntimeError, TypeError) as error:  # torch says an impossible size in several ways
        reason = str(error).splitlines()[0]
        if not any(
            sign in reason for sign in ("DefaultCPUAllocator", "calculation overflowed", "Overflow when unpacking")
        ):
            raise
        raise ModelError(
            f"backbone={node['name']} does not fit into memory: {reason.rpartition('Allocator: ')[2]}; "
            f"lower {_sizes(node)}"
        ) from None


def _sizes(backbone: Config) -> str:
    """The settings that make a model large, for messages."""
    keys = [f"backbone.{key}" for key in ("hidden", "width", "bottleneck") if key in backbone]
    return ", ".join([*keys, "or the size of the samples"])
