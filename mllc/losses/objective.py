"""Objective: a loss with its settings and statistics, the extra outputs it needs, its decision rule and its scores."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from mllc.errors import ConfigError
from mllc.foreign import told
from mllc.losses.binding import bind, choose
from mllc.losses.counts import initial_count
from mllc.losses.precision import full_precision, widen
from mllc.losses.rules import RULES
from mllc.losses.scores import SCORES
from mllc.losses.traits import RESERVED, STATISTICS, Traits
from mllc.types import LabelStatistics, Outputs

INITIAL_BIAS = {"count": initial_count}
"""Extra output -> function of settings and statistics that says at which value its unit starts; else 0."""


@dataclass(frozen=True, eq=False)
class Objective:
    """What a model is trained for, and how its outputs are read.

    name          the loss's name, for messages
    function      (logits, targets, and by name extra outputs, mask, epoch) -> loss, as little reduced as it can be
    rule          outputs -> decisions, bool (batch, labels)
    score         outputs -> scores (batch, labels), on the logit scale
    reduction     over the labels: `sum`, or `mean`, which is the sum divided by the number of labels
    traits        what the loss's YAML declares
    initial_bias  the bias at which the unit of each extra output starts
    """

    name: str
    function: partial[Tensor]
    rule: partial[Tensor]
    score: partial[Tensor]
    reduction: str
    traits: Traits
    initial_bias: Mapping[str, float]

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the extra outputs, each (batch,), that the model must return beside `logits`."""
        return self.traits.outputs

    def values(self, outputs: Outputs, targets: Tensor, mask: Tensor | None = None, epoch: int = 0) -> Tensor:
        """The loss before any reduction: (batch, labels), (batch,), (labels,) or (), by the loss's shape.

        Computed in float32 also under autocast; float64 stays. A `mask`, False where a target is unknown, sets these
        entries to 0; a loss of another shape than `element` takes one only if it asks for it, else ConfigError.
        """
        extra: dict[str, Tensor | int] = {name: outputs[name] for name in self.outputs}
        if "epoch" in self.traits.needs:
            extra["epoch"] = epoch
        if "mask" in self.traits.needs:
            extra["mask"] = torch.ones_like(targets, dtype=torch.bool) if mask is None else mask
        elif mask is not None:
            self.require_mask()
        values = self.function(outputs["logits"], targets, **extra)
        if mask is not None and self.traits.shape == "element":
            values = values.masked_fill(~mask, 0)
        return values

    def require_mask(self) -> None:
        """ConfigError unless the loss can leave out unknown targets."""
        if self.traits.shape != "element" and "mask" not in self.traits.needs:
            raise ConfigError(
                f"loss {self.name!r} has no value for each single label and cannot leave out unknown targets, "
                "and this data has some; use a loss of shape `element`, such as loss=bce"
            )

    def loss(self, outputs: Outputs, targets: Tensor, mask: Tensor | None = None, epoch: int = 0) -> Tensor:
        """Per-sample loss (batch,); a scalar for a loss of shape `label` or `batch`, which has no value per sample.

        With reduction `mean` it is divided by the number of labels, masked ones included, whatever the shape.
        """
        values = self.values(outputs, targets, mask, epoch)
        if self.traits.shape in ("element", "label"):
            values = values.sum(-1)
        return values / targets.shape[-1] if self.reduction == "mean" else values

    def mean(self, outputs: Outputs, targets: Tensor, mask: Tensor | None = None, epoch: int = 0) -> Tensor:
        """The scalar that training minimises: the mean of `loss` over the batch."""
        return self.loss(outputs, targets, mask, epoch).mean()

    def decide(self, outputs: Outputs) -> Tensor:
        """The labels predicted by the objective's own rule, bool (batch, labels)."""
        return self.rule({name: widen(output) for name, output in outputs.items()})

    def scores(self, outputs: Outputs) -> Tensor:
        """How sure the model is of each label, float32 (batch, labels), on the logit scale."""
        return self.score({name: widen(output) for name, output in outputs.items()})

    def to(self, device: torch.device | str) -> "Objective":
        """The same objective with its statistics on `device`: move it once, not in each step."""
        return replace(self, **{part: _to(getattr(self, part), device) for part in ("function", "rule", "score")})


def build_objective(
    function: Callable[..., Tensor], name: str, config: Mapping[str, object], statistics: LabelStatistics
) -> Objective:
    """Bind a loss function to the resolved mapping of its YAML and to the training split's statistics.

    Everything is checked here, before training: that the settings are those of the function, the reduction, the
    rule, the traits, and, on a tiny batch, every domain that the functions check themselves.
    Raises ConfigError that names the loss.
    """
    traits = Traits.read(name, config)
    settings = {key: value for key, value in config.items() if key not in RESERVED}
    known: dict[str, object] = {statistic: getattr(statistics, statistic) for statistic in STATISTICS}
    needed = {need: known[need] for need in traits.needs if need in known}
    later = {"logits", "targets", "epoch", "mask", *traits.outputs}
    loss = bind(f"loss {name!r}", function, settings, needed, later)

    reduction = choose("reduction", config.get("reduction", "sum"), ("sum", "mean"))
    rule_name = choose("rule", config.get("rule", "above"), RULES)
    if rule_name == "above" and traits.shift_invariant:
        raise ConfigError(
            f"rule 'above' means nothing for loss {name!r}, which leaves the zero of a row's logits free; "
            "use loss.rule=top_k, or the loss's own rule"
        )
    # rules and scores read the outputs as the loss does: they know its settings
    context = {key: config[key] for key in ("threshold", "k") if key in config} | settings | known
    rule = bind(f"rule {rule_name!r}", RULES[rule_name], {}, context, {"outputs"})
    if config.get("k") is not None and "k" not in rule.keywords:
        raise ConfigError(f"k={config['k']} is not used by rule {rule_name!r}; add loss.rule=top_k, or leave k null")
    score = bind(f"scores {traits.scores!r}", SCORES[traits.scores], {}, context, {"outputs"})
    bias = {
        output: bind(output, INITIAL_BIAS[output], {}, context)() if output in INITIAL_BIAS else 0.0
        for output in traits.outputs
    }
    function = partial(full_precision(loss.func), **loss.keywords)
    objective = Objective(name, function, rule, score, reduction, traits, bias)
    num_labels = len(statistics.label_counts)
    _try(objective, num_labels)
    if (rule.keywords.get("k") or 0) > num_labels:
        raise ConfigError(f"loss.k={config['k']}: there are only {num_labels} labels; type a smaller number, or null")
    return objective


def _try(objective: Objective, num_labels: int) -> None:
    """Call every part once on three samples, so that a setting outside its domain is found before training."""
    name, shape = objective.name, objective.traits.shape
    targets = torch.zeros(3, num_labels)
    targets[0, 0] = 1
    outputs = {"logits": torch.zeros(3, num_labels), **{extra: torch.zeros(3) for extra in objective.outputs}}
    function = objective.function.func
    own = function.__module__.startswith("mllc.")
    what = f"loss {name!r}" if own else f"loss {name!r} ({function.__module__}.{function.__qualname__})"
    try:
        with torch.no_grad():
            values = objective.values(outputs, targets)
    except (Exception, SystemExit) as error:  # whatever a function of the user's does
        said = str(error) if own and isinstance(error, ValueError | TypeError) else told(error)
        raise ConfigError(f"{what}: {said}") from error
    if not isinstance(values, Tensor):
        raise ConfigError(f"{what} returns {type(values).__name__}, not a tensor; does its last line say return?")
    try:
        with torch.no_grad():
            objective.decide(outputs)
            objective.scores(outputs)
    except KeyError as error:
        rule = objective.rule.func.__name__
        raise ConfigError(
            f"rule {rule!r} reads the extra output {error}, which loss {name!r} does not have; "
            "use loss.rule=top_k, or a loss with that output, such as loss=softmax_count"
        ) from error
    except (ValueError, TypeError) as error:
        raise ConfigError(f"loss {name!r}: {error}") from error
    allowed = {"element": (3, num_labels), "sample": (3,), "label": (num_labels,), "batch": ()}
    if values.shape != allowed[shape]:
        raise ConfigError(
            f"{what} returns shape {tuple(values.shape)} for 3 samples of {num_labels} labels, but its "
            f"traits.shape is {shape!r}, which is {allowed[shape]}"
        )


def _to(function: partial[Tensor], device: torch.device | str) -> partial[Tensor]:
    moved = {key: value.to(device) if isinstance(value, Tensor) else value for key, value in function.keywords.items()}
    return partial(function.func, **moved)
