"""From a trained replica to its RunResult: best epoch, thresholds, figures, the verdict on collapse."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from mllc import __version__, checkpoint
from mllc.build import Shared
from mllc.config.compose import flat, identity
from mllc.data.statistics import label_statistics
from mllc.errors import StoreError
from mllc.evaluate import evaluate, per_label
from mllc.metrics.collapse import EpochFacts, collapse
from mllc.metrics.thresholds import Thresholds, tune_thresholds
from mllc.model_file import ModelFile
from mllc.monitors import MONITORS
from mllc.plan import TRIAL_KEYS, row_name
from mllc.replica import EpochRow, Replica
from mllc.result import RunResult
from mllc.train import predict
from mllc.trial import Trial

COLLAPSE_FIGURES = ("labels_per_sample", "loss", "map", "micro_f1_tuned")
"""Columns of the history that the verdict on collapse reads, without `val_`."""

SPLITS = ("train", "val", "test")

REPEATED = ("seed", "split.fold", "name")
"""Settings that are fields of a result: repeats, and the row."""


def best_epoch(history: Sequence[EpochRow], monitor: str) -> int | None:
    """The first epoch, counted from 1, with the best value of `monitor`; None if no epoch has one.

    >>> best_epoch([{"val_map": 0.1}, {"val_map": 0.3}, {"val_map": 0.3}], "val_map")
    2
    """
    sign = 1 if MONITORS[monitor] == "max" else -1
    known = {epoch: sign * row[monitor] for epoch, row in enumerate(history, 1) if row.get(monitor) is not None}
    return max(known, key=known.__getitem__) if known else None


def finish(replica: Replica, trial: Trial, shared: Shared, done: RunResult | None, score_test: bool) -> RunResult:
    """The result of a trained replica, or of a finished run that is now scored on test; written to its folder."""
    if replica.failure:
        return failed(trial, shared, replica.failure)
    if replica.diverged:
        result = replace(_describe(trial, shared), status="diverged", **_spent(replica))
    elif replica.pruned:
        result = replace(_describe(trial, shared), status="pruned", **_spent(replica))
    else:
        result = done or _validated(replica, trial, shared)
        found = trial.folder.load_tensors("checkpoint")
        if found is None:
            raise StoreError(
                f"{trial.folder.path}/checkpoint.safetensors is missing or damaged; type --force to train the run again"
            )
        checkpoint.load_weights(replica, found[0])
        result = _scored(replica, trial, shared, result, score_test)
    trial.folder.save_result(result)
    return result


def _validated(replica: Replica, trial: Trial, shared: Shared) -> RunResult:
    """The part of a result that comes from the history: the best epoch and the verdict on collapse."""
    monitor = trial.config["monitor"]
    best = best_epoch(replica.history, monitor)
    assert best is not None, "share refuses a validation split that a monitor has no value on"
    verdict = collapse(
        [EpochFacts(int(row["epoch"]), *(row[f"val_{name}"] for name in COLLAPSE_FIGURES)) for row in replica.history],
        reported_epoch=best,
        true_labels_per_sample=shared.true_labels_per_sample,
        chance_map=shared.chance_map,
        constant_loss=shared.constant_loss(replica.objective, trial.config["loss"]),
    )
    return replace(
        _describe(trial, shared),
        monitor_value=replica.history[best - 1][monitor],
        best_epoch=best,
        collapse={**asdict(verdict), "others": [asdict(other) for other in verdict.others]},
        **_spent(replica),
    )


def _scored(replica: Replica, trial: Trial, shared: Shared, result: RunResult, score_test: bool) -> RunResult:
    """Adds the figures on validation, whose predictions set the thresholds, and on test if asked."""
    shrinkage = trial.config["thresholds"]["shrinkage"]
    epoch = (result.best_epoch or 1) - 1
    val, _ = predict(replica.model, replica.objective, shared.feed, "val", epoch)
    thresholds = tune_thresholds(val.scores, val.targets, val.mask, shrinkage=shrinkage)
    _keep_model(trial, shared, thresholds)
    result = replace(
        result,
        val=evaluate(val, thresholds),
        threshold=thresholds.global_,
        baselines=shared.baselines(score_test, shrinkage),
    )
    if not score_test:
        return result
    test, _ = predict(replica.model, replica.objective, shared.feed, "test", epoch)
    found = {"scores": test.scores, "targets": test.targets, "decisions": test.decisions.to(torch.uint8)}
    if test.mask is not None:
        found["mask"] = test.mask.to(torch.uint8)
    trial.folder.save_tensors("scores", found)
    positives = {name: label_statistics(shared.data.split(name)).label_counts for name in SPLITS}
    rows = per_label(test, thresholds, shared.data.label_names, positives)
    trial.folder.save_table("per_label.csv", rows)
    samples = [{"id": name, "split": split} for split in SPLITS for name in shared.data.split(split).ids]
    trial.folder.save_table("split.csv", samples)
    return replace(result, test=evaluate(test, thresholds))


def _keep_model(trial: Trial, shared: Shared, thresholds: Thresholds) -> None:
    """Leaves beside the checkpoint what applying the model needs: the frozen layers and model.json.

    The frozen layers are kept, and not only how they were made: a weights file may be gone, and what a seed or
    torchvision's DEFAULT gives may change with a version. The runs of a cohort share one file on disk.
    """
    data, front, folder = shared.data, shared.feed.front, trial.folder
    files = ["checkpoint.safetensors"]
    if frozen := front.state_dict():
        shared.frozen_file = folder.keep_tensors("frozen", frozen, shared.frozen_file)
        files.append(shared.frozen_file.name)
    model = ModelFile(
        run_id=trial.run_id,
        kind=data.kind,
        label_names=data.label_names,
        input_shape=data.input_shape,
        encoding=dict(data.encoding),
        mean=shared.backbone.mean,
        std=shared.backbone.std,
        label_counts=tuple(shared.statistics.label_counts.tolist()),
        num_samples=shared.statistics.num_samples,
        mean_cardinality=shared.statistics.mean_cardinality,
        threshold=thresholds.global_,
        label_thresholds=tuple(thresholds.per_label.tolist()),
        digests={name: folder.digest(name) for name in files},
        mllc=__version__,
        torch=torch.__version__,
    )
    folder.save_model(model)


def _describe(trial: Trial, shared: Shared) -> RunResult:
    """The part of a result that is known before training."""
    conf, data = trial.config, shared.data
    settings = flat(identity(conf))
    mine = {key: value for key, value in settings.items() if key.split(".")[0] in TRIAL_KEYS - {"name"}}
    node = conf["dataset"]
    facts = {
        "fingerprint": shared.fingerprints["data"],
        "split": shared.fingerprints["split"],
        "test_split": shared.test_fingerprint,
        "files": {key: Path(node[key]).name for key in (node.get("traits") or {}).get("paths", ()) if node.get(key)},
    }
    splits = {name: len(data.split(name)) for name in SPLITS}
    folds = conf["split"]["folds"]
    return RunResult(
        run_id=trial.run_id,
        name=row_name(conf),
        dataset=conf["dataset"]["name"],
        backbone=conf["backbone"]["name"],
        loss=conf["loss"]["name"],
        optimizer=conf["optimizer"]["name"],
        seed=conf["seed"],
        settings=mine,
        fold=None if folds is None else conf["split"]["fold"],
        shared={key: value for key, value in settings.items() if key not in mine and key not in REPEATED},
        status="done",
        monitor=conf["monitor"],
        data={
            **facts,
            "num_labels": len(data.label_names),
            "samples": splits,
            "never_true": shared.never_true,
            "notes": list(data.notes),
        },
    )


def _spent(replica: Replica) -> dict[str, Any]:
    return {"epochs": replica.epoch, "seconds": sum(row["seconds"] for row in replica.history)}


def failed(trial: Trial, shared: Shared, message: str) -> RunResult:
    """The result of a run that failed; written to its folder, and tried again next time."""
    result = replace(_describe(trial, shared), status="failed", message=message)
    trial.folder.save_result(result)
    return result
