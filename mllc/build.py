"""From a config to what it names: the part a cohort shares, and the replica of each of its trials."""

import inspect
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch.amp.grad_scaler import GradScaler

from mllc.config.catalogue import GROUPS
from mllc.config.compose import IDENTIFYING
from mllc.config.targets import build, target
from mllc.data.augment import check_augmentation, is_random
from mllc.data.splits import split_fingerprint
from mllc.data.statistics import label_statistics
from mllc.device import pick_device
from mllc.digests import file_digest
from mllc.errors import ConfigError, DataError
from mllc.evaluate import evaluate_baselines
from mllc.features import KeptFeatures
from mllc.feed import Feed
from mllc.losses.best_constant import best_constant
from mllc.losses.objective import Objective
from mllc.metrics.ranking import chance_average_precision
from mllc.models.backbone import Backbone
from mllc.models.front import Front
from mllc.models.weights import weights_fingerprint
from mllc.network import build_backbone, build_loss, build_model, front_settings, is_known, starts_random
from mllc.open_data import divided, read_source, sized
from mllc.replica import Replica
from mllc.result import Metrics
from mllc.types import Dataset, LabelStatistics

Config = dict[str, Any]


@dataclass(eq=False)
class Shared:
    """What the trials of a cohort share.

    backbone      its trained stages; the frozen ones are in the feed
    fingerprints  of the data and the split: part of every run's id
    frozen_file   where the frozen layers were last written: the folders of a cohort hold one file in common
    """

    data: Dataset
    statistics: LabelStatistics
    backbone: Backbone
    feed: Feed
    fingerprints: dict[str, str]
    allow: tuple[str, ...]
    frozen_file: Path | None = field(default=None, init=False)
    _baselines: dict[bool, dict[str, dict[str, Metrics]]] = field(default_factory=dict, init=False)
    _constants: dict[str, float] = field(default_factory=dict, init=False)

    def baselines(self, with_test: bool, shrinkage: float) -> dict[str, dict[str, Metrics]]:
        """Figures of all zeros, all ones and the label prior on validation, and on test if asked."""
        if with_test not in self._baselines:
            test = self.feed.truth("test") if with_test else None
            self._baselines[with_test] = evaluate_baselines(
                self.feed.truth("val"), test, self.statistics, shrinkage=shrinkage
            )
        return self._baselines[with_test]

    @cached_property
    def test_fingerprint(self) -> str:
        """Hex digest of the samples' ids in the test split, which seeds may share or not."""
        return split_fingerprint(self.data.split("test"))

    @cached_property
    def never_true(self) -> dict[str, int]:
        """Split -> number of labels without a positive in it."""
        splits = {name: label_statistics(self.data.split(name)) for name in ("val", "test")}
        found = {"train": self.statistics, **splits}
        return {name: int((statistics.label_counts == 0).sum()) for name, statistics in found.items()}

    @cached_property
    def true_labels_per_sample(self) -> float:
        """Mean number of true labels of a validation sample."""
        return label_statistics(self.data.split("val")).mean_cardinality

    @cached_property
    def chance_map(self) -> float | None:
        """The mAP that a random order has on validation, over labels with positives; None if there are none."""
        truth = self.feed.truth("val")
        found = chance_average_precision(truth.targets, truth.mask).nanmean().item()
        return None if math.isnan(found) else found

    def constant_loss(self, objective: Objective, loss: Config) -> float | None:
        """The validation loss of the best per-label constant under `objective`, whose config is `loss`.

        None for a loss that changes with the epochs: there is no one constant to hold the history against.
        """
        if "epoch" in objective.traits.needs:
            return None
        key = json.dumps(loss, sort_keys=True)
        if key not in self._constants:
            truth, device = self.feed.truth("val"), self.feed.device
            mask = None if truth.mask is None else truth.mask.to(device)
            self._constants[key] = best_constant(objective, truth.targets.to(device), mask, self.feed.batch_size)[1]
        return self._constants[key]


def check_first(conf: Config, allow: Sequence[str] = ()) -> tuple[tuple[int, ...], tuple[Front, Backbone]] | None:
    """Refuses what can be refused before data is read, which may take minutes: a device, names, weights, frozen layers.

    Returns the shape of the samples and the backbone that is built for it, where the settings tell the shape. Of the
    length of vectors they do not: what is built for another one is of use for its refusals alone.
    """
    device = pick_device(conf["device"])
    for group in GROUPS:
        target(conf[group], allow=allow)
    for group in ("optimizer", "schedule"):
        build(conf[group], allow=allow)
    dataset = sized(conf["dataset"], conf["backbone"])
    kind, size = str((dataset.get("traits") or {}).get("kind")), dataset.get("size")
    shape = {"images": (3, size, size), "features": (1,)}.get(kind)
    if not is_known(conf["backbone"]) or shape is None or not all(isinstance(side, int) for side in shape):
        return None
    return shape, build_backbone(conf, shape, device, allow)


def share(conf: Config, allow: tuple[str, ...] = ()) -> Shared:
    """Reads and splits the data, builds the backbone and freezes its front; nothing here depends on the loss."""
    expected = check_first(conf, allow)
    device = pick_device(conf["device"])
    dataset, seed = conf["dataset"], conf["seed"]
    name = dataset["name"]
    source = read_source(conf, allow)
    data, places = divided(conf, source)
    if len(data.train) < 2:
        raise DataError(f"dataset={name}: too few training samples are left ({len(data.train)}); at least 2 are needed")
    statistics = label_statistics(data.train)
    _require_true_labels(data, statistics, conf["monitor"])
    built = expected[1] if expected is not None and expected[0] == data.input_shape else None
    front, backbone = built or build_backbone(conf, data.input_shape, device, allow)
    if any(True for _ in front.parameters()) and starts_random(conf["backbone"]):
        note = (
            f"backbone={conf['backbone']['name']} backbone.freeze={conf['backbone']['freeze']}: the frozen layers keep "
            "their random initial weights; for trained ones type backbone.weights=DEFAULT or =FILE, where it has them"
        )
        data = replace(data, notes=(*data.notes, note))
    augment, kept = dataset.get("augment") or {}, None
    check_augmentation(augment, data.input_shape)
    if front.is_frozen and is_random(augment):
        off = " ".join(f"dataset.augment.{key}=0" for key, value in augment.items() if is_random({key: value}))
        note = (
            "training images are augmented, so the frozen layers see each of them anew in every epoch: one view an "
            f"epoch, the same for every loss; to have them seen once, and kept for later runs, type {off}"
        )
        data = replace(data, notes=(*data.notes, note))
    elif front.is_frozen and is_known(conf["backbone"]) and not starts_random(conf["backbone"]):
        from mllc.data.image_cache import cache_folder

        settings = front_settings(conf["backbone"])
        kept = KeptFeatures(front, source, places, cache_folder(conf["cache"]), device, settings)
    feed = Feed(name, data, seed, conf["batch_size"], front, device, augment, kept, accumulate=conf["accumulate"])
    fingerprints = {"data": data.fingerprint, "split": split_fingerprint(data.train, data.val, data.test)}
    return Shared(data, statistics, backbone, feed, fingerprints, allow)


def _require_true_labels(data: Dataset, statistics: LabelStatistics, monitor: str) -> None:
    """DataError where there is nothing to learn, or nothing that the best epoch could be chosen by.

    statistics  of data.train
    """
    advice = {
        "train": "there is nothing to learn; check the file and the settings that say where its labels are (dataset.*)",
        "val": f"monitor={monitor} has nothing to go by; type a larger split.val, dataset.val=FILE or monitor=val_loss",
    }
    for name in advice:
        split = data.split(name)
        unknown = split.mask is not None and not split.mask.any()
        silent = (statistics if name == "train" else label_statistics(split)).mean_cardinality == 0
        if silent and (unknown or name == "train" or monitor != "val_loss"):
            count = f"the {len(split)} {name} samples"
            found = f"all labels of {count} are unknown" if unknown else f"none of {count} has a true label"
            raise DataError(f"{found}: {advice[name]}")


def file_fingerprints(conf: Config, allow: tuple[str, ...] = ()) -> dict[str, str]:
    """Digests of what a config refers to beside its data: files named by path, and code that is not mllc's own."""
    found = {}
    for group in IDENTIFYING:
        node = conf[group]
        if group != "dataset":
            for key in (node.get("traits") or {}).get("paths") or ():
                found[f"{group}.{key}"] = weights_fingerprint(node.get(key))
        source = inspect.getsourcefile(target(node, allow=allow))
        if source and node["_target_"].partition(".")[0] not in ("mllc", "torch", "torchvision"):
            found[f"{group}._target_"] = file_digest(Path(source))
    return found


def objective_of(conf: Config, shared: Shared) -> Objective:
    """The objective of a trial on its cohort's data; ConfigError where the two do not go together."""
    objective = build_loss(conf, shared.statistics, shared.allow)
    if objective.traits.coupled and conf["accumulate"] > 1:
        raise ConfigError(
            f"accumulate={conf['accumulate']}: loss {objective.name!r} ties the samples of a batch together, so its "
            "value is not the sum of its parts'; type accumulate=1 with a smaller batch_size, or leave this loss out"
        )
    if any(shared.data.split(split).mask is not None for split in ("train", "val", "test")):
        try:
            objective.require_mask()
        except ConfigError as error:
            advice = (conf["dataset"].get("traits") or {}).get("without_unknown")
            if advice is None:
                raise
            raise ConfigError(f"{error}; or {advice}") from None
    return objective


def build_replica(conf: Config, name: str, shared: Shared) -> Replica:
    """A fresh replica: label outputs and trained stages start the same for every trial of one seed."""
    feed = shared.feed
    objective = objective_of(conf, shared).to(feed.device)
    model = build_model(conf, shared.backbone, objective, shared.statistics, feed.device)
    optimizer = build(conf["optimizer"], allow=shared.allow)
    fused = "fused" in inspect.signature(optimizer.func).parameters
    if conf["optimizer"]["name"] == "adagrad" and feed.device.type == "cuda":
        fused = False  # torch 2.9 to 2.11 have it for the CPU only
    return Replica(
        name,
        model,
        objective,
        optimizer(model.parameters(), **({"fused": True} if fused else {})),
        build(conf["schedule"], allow=shared.allow),
        GradScaler(feed.device.type, enabled=feed.amp is torch.float16),
        clip=conf["clip"],
    )
