"""A run's config -> Python for a PyTorch loop of one's own: loss, optimizer, schedule, decisions. Text in, text out."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mllc.config import catalogue

WIDTH = 100

STATISTICS = {
    "label_counts": "train_targets.sum(0, dtype=torch.float32)",
    "num_samples": "len(train_targets)",
    "priors": "train_targets.sum(0, dtype=torch.float32) / len(train_targets)",
    "mean_cardinality": "train_targets.sum(dtype=torch.float64).item() / len(train_targets)",
}
"""How what losses and rules may know of the labels comes from the training targets."""

ARGUMENTS = {
    "above": ("threshold",),
    "softmax_above": ("mean_cardinality",),
    "product_above": ("penalty",),
    "top_count": ("penalty",),
    "top_k": ("mean_cardinality", "k"),
    "softmax": (),
    "product": ("penalty",),
    "initial_count": ("mean_cardinality", "penalty"),
}
"""What the rules, the scores and the start of the count unit (mllc.losses.rules, scores, counts) ask for by name."""


@dataclass
class Snippet:
    """The code for a run.

    config        as the run's config.yaml has it
    about         the comment that it opens with
    threshold     the one tuned on validation, on the scale of the scores
    figures       what the run reached by each way to decide, in words: own, tuned, per_label
    best_epoch    the one that the run kept, from 1
    verdict_file  whether a JSON file with one threshold a label lies beside the code, under the same name
    """

    config: Mapping[str, Any]
    about: Sequence[str] = ()
    threshold: float | None = None
    figures: Mapping[str, str] = field(default_factory=dict)
    best_epoch: int | None = None
    verdict_file: bool = False

    def __post_init__(self) -> None:
        self.loss = self.config["loss"]
        traits = self.loss.get("traits") or {}
        self.needs = traits.get("needs") or ()
        self.extra = tuple(traits.get("outputs") or ())
        self.scores = traits.get("scores", "logits")
        self.outputs = ", ".join(("logits", *self.extra))
        self.imports = {"mllc.losses": {"as_module"}}
        self.computed: list[str] = []

    def text(self) -> str:
        """The code, ending in a newline."""
        body = [*self._start(), *self._loss(), *self._optimizer(), "", *self._loop(), *self._decisions()]
        plain = ["import json", "from pathlib import Path", ""] if self.verdict_file else []
        imports = [f"from {module} import {', '.join(sorted(names))}" for module, names in sorted(self.imports.items())]
        statistics = [f"{name} = {STATISTICS[name]}" for name in self.computed]
        comment = [f"# {line}".rstrip() for line in (*self.about, *self._yours())]
        return "\n".join([*comment, "", *plain, "import torch", *imports, "", *statistics, *body]) + "\n"

    def _yours(self) -> Iterator[str]:
        yield "Yours:"
        yield f"  model          features -> {self.outputs}; logits are (batch, labels), before any sigmoid"
        head = self.config["head"]
        if head.get("kind") == "mlp":
            drops = f" and dropout of {head['dropout']}" if head["dropout"] else ""
            yield f"                 it ends, in the run, in {head['hidden']} hidden units with ReLU{drops}"
        if head["bias_init"] == "prior":
            yield "  label_layer    the linear layer that makes the logits"
        for name in self.extra:
            yield f"  {name + '_layer':14} the linear layer that makes {name}, one number a sample: (batch,)"
        yield f"  batches        features and targets (0.0 or 1.0); in the run of {self.config['batch_size']} samples"
        yield from self._features()
        if self.computed:
            yield "  train_targets  those of all training samples, (samples, labels)"

    def _features(self) -> Iterator[str]:
        """What the run did to the data before its model saw it: its figures are of that."""
        data = self.config["dataset"]
        if data.get("standardize"):
            yield "                 numeric features standardised: minus their mean, over their deviation, in training"
        augment = {name: value for name, value in (data.get("augment") or {}).items() if value}
        if augment.keys() - {"magnitude"}:
            yield f"                 augmented in training: {augment}"

    def _start(self) -> Iterator[str]:
        """Where the biases of the outputs start."""
        starts = []
        if self.config["head"]["bias_init"] == "prior":
            self._compute("label_counts", "num_samples")
            log_odds = "((label_counts + 0.5) / (num_samples - label_counts + 0.5)).log()"
            starts.append(f"    label_layer.bias.copy_({log_odds})")
        if "count" in self.extra:
            starts.append(f"    count_layer.bias.fill_({self._asked('mllc.losses.counts', 'initial_count')})")
        if starts:
            yield from ("with torch.no_grad():  # the outputs start at what is true of the training labels", *starts)

    def _loss(self) -> Iterator[str]:
        statistics = [need for need in self.needs if need in STATISTICS]
        self._compute(*statistics)
        settings = {"reduction": self.loss.get("reduction", "sum")} | _settings(self.loss, catalogue.OF_EVERY_LOSS)
        function = self._imported(self.loss["_target_"])
        given = [function, *_given(settings), *(f"{one}={one}" for one in statistics)]
        yield from _call("loss_function = as_module", *given)
        if statistics:
            yield "loss_function.to(next(model.parameters()).device)"

    def _optimizer(self) -> Iterator[str]:
        optimizer, schedule = self.config["optimizer"], self.config["schedule"]
        target = self._imported(optimizer["_target_"])
        yield from _call(f"optimizer = {target}", "model.parameters()", *_given(_settings(optimizer)))
        if self._is_scheduled():
            progress = f"(step + 0.5) / ({self.config['epochs']} * len(batches))"
            rate = f"{self._imported(schedule['_target_'])}({', '.join([progress, *_given(_settings(schedule))])})"
            yield from _call("schedule = torch.optim.lr_scheduler.LambdaLR", "optimizer", f"lambda step: {rate}")

    def _is_scheduled(self) -> bool:
        schedule = self.config["schedule"]
        return schedule["name"] != "constant" or bool(schedule.get("warmup"))

    def _loop(self) -> Iterator[str]:
        given = ["logits", "targets", *(f"{name}={name}" for name in self.extra)]
        given += ["epoch=epoch"] if "epoch" in self.needs else []
        if self.best_epoch:
            yield f"# The run's figures are of its epoch {self.best_epoch}, the best by {self.config['monitor']}:"
            yield "# keep the weights of the one that is best on validation."
        yield f"for epoch in range({self.config['epochs']}):"
        yield "    for features, targets in batches:"
        yield f"        {self.outputs} = model(features)"
        yield f"        loss = loss_function({', '.join(given)})"
        yield "        optimizer.zero_grad()"
        yield "        loss.backward()"
        if self.config["clip"] is not None:
            yield f"        torch.nn.utils.clip_grad_norm_(model.parameters(), {self.config['clip']!r})"
        yield "        optimizer.step()"
        if self._is_scheduled():
            yield "        schedule.step()"

    def _decisions(self) -> Iterator[str]:
        given = ", ".join(f'"{name}": {name}' for name in ("logits", *self.extra)).join("{}")
        rule = self._asked("mllc.losses.rules", self.loss.get("rule", "above"), given)
        yield from self._function("decide", "The labels that the loss's own rule predicts", "own", rule)
        scores = "logits" if self.scores == "logits" else self._asked("mllc.losses.scores", self.scores, given)
        if self.threshold is not None:
            said = "One threshold for all labels, tuned on validation"
            yield from self._function("decide_tuned", said, "tuned", f"{scores} > {self.threshold!r}")
        if self.verdict_file:
            yield from ("", "", 'verdict = json.loads(Path(__file__).with_suffix(".json").read_text())')
            yield 'thresholds = torch.tensor(verdict["thresholds"])'
            said = 'One threshold a label, in the order of verdict["labels"]'
            yield from self._function("decide_per_label", said, "per_label", f"{scores} > thresholds.to(logits.device)")
        if self.threshold is not None:
            yield from ("", "", "# A threshold holds for the model that it was tuned for. For yours, on validation:")
            yield "# mllc.metrics.thresholds.tune_thresholds(scores, targets)"

    def _function(self, name: str, said: str, way: str, value: str) -> list[str]:
        reached = f" ({self.figures[way]})" if way in self.figures else ""
        return ["", "", f"def {name}({self.outputs}):", f'    """{said}{reached}."""', f"    return {value}"]

    def _asked(self, module: str, function: str, *first: str) -> str:
        """A call of one of ARGUMENTS, with what the config and the training targets have of them."""
        self.imports.setdefault(module, set()).add(function)
        given = list(first)
        for name in ARGUMENTS[function]:
            if name in STATISTICS:
                self._compute(name)
                given.append(f"{name}={name}")
            elif self.loss.get(name) is not None:
                given += _given({name: self.loss[name]})
        return f"{function}({', '.join(given)})"

    def _compute(self, *statistics: str) -> None:
        self.computed += [name for name in statistics if name not in self.computed]

    def _imported(self, target: str) -> str:
        """How the code calls what a `_target_` names; what is torch's keeps its path."""
        module, _, name = target.rpartition(".")
        if module.partition(".")[0] == "torch":
            return target
        self.imports.setdefault(module, set()).add(name)
        return name


def _settings(node: Mapping[str, Any], without: Sequence[str] = ("name",)) -> dict[str, Any]:
    """What the target of a YAML is called with."""
    return {key: value for key, value in node.items() if catalogue.is_setting(key) and key not in without}


def _given(settings: Mapping[str, Any]) -> list[str]:
    return [f"{key}={json.dumps(value) if isinstance(value, str) else value}" for key, value in settings.items()]


def _call(function: str, *arguments: str) -> list[str]:
    """A call on one line where it fits, else with its arguments on one line, or on one each."""
    inside = ", ".join(arguments)
    if len(function) + len(inside) + 2 <= WIDTH:
        return [f"{function}({inside})"]
    lines = [inside] if len(inside) + 4 <= WIDTH else [f"{argument}," for argument in arguments]
    return [f"{function}(", *(f"    {line}" for line in lines), ")"]
