"""Trained: the model of a finished run, out of its folder alone; neither its data nor its weights file is needed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from mllc.device import pick_device
from mllc.errors import DataError, MllcError, StoreError
from mllc.losses.objective import Objective
from mllc.metrics.thresholds import decide
from mllc.model_file import ModelFile
from mllc.models.front import Front
from mllc.models.model import Model
from mllc.models.weights import TO_COME
from mllc.network import Config, build_backbone, build_loss, build_model
from mllc.store import RunFolder
from mllc.types import LabelStatistics, Outputs

THRESHOLDS = ("own", "global", "per-label")
"""What can decide: the rule of the loss, the one threshold tuned on validation, or one a label."""


class Answer(NamedTuple):
    """What a model says of a batch: scores, float32 on the logit scale, and the own rule's decisions, bool."""

    scores: Tensor
    decisions: Tensor


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained model, ready to be applied.

    front, model  inputs -> features -> outputs, on the device and in eval mode
    objective     outputs -> scores and decisions
    """

    config: Config
    file: ModelFile
    front: Front
    model: Model
    objective: Objective
    device: torch.device

    @torch.no_grad()
    def __call__(self, inputs: Tensor) -> Answer:
        """The answer, on the CPU, to a batch of inputs in the form of the data set's (Split.inputs).

        DataError for inputs of another shape, and where they lead to scores that are not finite.
        """
        if tuple(inputs.shape[1:]) != self.file.input_shape:
            given, wanted = by(inputs.shape[1:]), by(self.file.input_shape)
            raise DataError(f"a sample has {given} values, but the run was trained on samples of {wanted}")
        amp = self.front.amp
        features = self.front(inputs.to(self.device))
        with torch.autocast(self.device.type, dtype=amp, enabled=amp is not None):
            outputs: Outputs = self.model(features)
        scores = self.objective.scores(outputs).float()
        if not scores.isfinite().all():
            raise DataError("scores are not finite: are the values of the samples on the scale of the training data?")
        return Answer(scores.cpu(), self.objective.decide(outputs).cpu())

    def decide(self, answer: Answer, threshold: str) -> Tensor:
        """The labels predicted, bool (samples, labels), by one of THRESHOLDS."""
        if threshold == "own":
            return answer.decisions
        one = self.file.threshold if threshold == "global" else torch.tensor(self.file.label_thresholds)
        return decide(answer.scores, one)


def by(shape: Sequence[int]) -> str:
    """
    >>> by((3, 64, 64))
    '3 x 64 x 64'
    """
    return " x ".join(map(str, shape))


def load(path: Path, *, device: str = "auto", allow: Sequence[str] = ()) -> Trained:
    """The model in the folder of a run that is done, with the weights of its best epoch.

    Nothing in the folder is executed: it is YAML, JSON and safetensors; what a `_target_` names is looked up among the
    allowed packages, as for every config. StoreError for damaged files, also where they can still be read.
    """
    folder = RunFolder(path)
    again = f"make the run again: {folder.command()} --force"
    file, tensors = folder.model(), {}
    for name, digest in file.digests.items():
        if folder.digest(name) != digest:
            raise StoreError(f"{path / name} is not the file that the run wrote; {again}")
        found = folder.load_tensors(Path(name).stem)
        if found is None:
            raise StoreError(f"{path / name} is damaged; {again}")
        prefix = "front/" if name == "frozen.safetensors" else ""
        tensors |= {prefix + key: value for key, value in found[0].items()}
    try:
        return assemble(folder.config(), file, tensors, device=device, allow=allow)
    except MllcError:
        raise
    except (KeyError, TypeError, AttributeError, ValueError, RuntimeError) as error:
        said = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise StoreError(f"{path} is damaged, or made by another version of mllc ({said}); {again}") from None


def assemble(
    config: Config, file: ModelFile, tensors: Mapping[str, Tensor], *, device: str = "auto", allow: Sequence[str] = ()
) -> Trained:
    """The model of a config with its weights: `front/...` of the frozen layers, `model/...` of the others.

    RuntimeError where the weights are not those of such a model.
    """
    place = pick_device(device)
    amp = "off" if place.type == "cpu" and config["amp"] == "fp16" else config["amp"]  # trained on a GPU, applied here
    config = {**config, "amp": amp, "backbone": _unloaded(config["backbone"])}
    statistics = LabelStatistics(torch.tensor(file.label_counts), file.num_samples, file.mean_cardinality)
    objective = build_loss(config, statistics, allow).to(place)
    front, backbone = build_backbone(config, file.input_shape, place, allow)
    model = build_model(config, backbone, objective, statistics, place)
    front = Front(front.stages, file.mean, file.std, front.amp, front.channels_last).to(place)
    for module, prefix in ((front, "front/"), (model, "model/")):
        own = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
        module.load_state_dict(own)
    return Trained(config, file, front.eval(), model.eval(), objective, place)


def _unloaded(backbone: Config) -> Config:
    """A backbone's config without the initial weights, which the trained ones replace: their file may be gone.

    A network of mllc's may have to know that there were some; one of the user's takes null for none.
    """
    if backbone.get("weights") is None:
        return backbone
    return {**backbone, "weights": TO_COME if backbone["_target_"].startswith("mllc.") else None}
