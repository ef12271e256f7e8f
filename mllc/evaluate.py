"""Predictions and thresholds -> every figure that a run reports, by name.

Each name is a key of RunResult.val, .test and .baselines; None where a figure is undefined (an average of nothing).

    map, map_all, map_micro        average precision: mean over labels with positives, over all labels with 0 for the
                                   others, and of all pairs in one list; `map_chance`: of a random order, as `map`
    labels_scored, labels_skipped  labels with and without positives in the split
    lrap, p_at_1, p_at_3, p_at_5   label-ranking average precision, precision at k
    micro_f1, ..., never_predicted see `mllc.metrics.thresholded.decision_figures`; by the objective's own rule

The figures of THRICE are there twice more: `_tuned`, with one threshold from validation, and `_per_label`, with one a
label.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from mllc.errors import DataError
from mllc.metrics import baselines
from mllc.metrics.ranking import (
    average_precision,
    chance_average_precision,
    micro_average_precision,
    of_samples,
)
from mllc.metrics.thresholded import as_metrics, count, decision_figures, f1, precision, recall
from mllc.metrics.thresholds import Thresholds, best_f1, decide, tune_thresholds
from mllc.result import Metrics
from mllc.types import LabelStatistics, Predictions

THRICE = ("micro_f1", "macro_f1", "sample_f1", "hamming_loss", "labels_per_sample")
"""Figures reported with the own rule, with one tuned threshold and with one threshold a label."""


def evaluate(predictions: Predictions, thresholds: Thresholds) -> Metrics:
    """Every figure of a split; `thresholds` were tuned on validation. DataError for predictions that are not sound."""
    check(predictions)
    scores, truth = predictions.scores, (predictions.targets, predictions.mask)
    per_label = average_precision(scores, *truth)
    scored = ~per_label.isnan()
    figures = {
        "map": per_label.nanmean(),
        "map_all": per_label.nan_to_num().mean(),
        "map_micro": micro_average_precision(scores, *truth),
        "map_chance": chance_average_precision(*truth).nanmean(),
        "labels_scored": scored.sum(),
        "labels_skipped": (~scored).sum(),
        **of_samples(scores, *truth),
    }
    metrics = as_metrics(figures) | decision_figures(predictions.decisions, *truth)
    for way, threshold in (("tuned", thresholds.global_), ("per_label", thresholds.per_label)):
        again = decision_figures(decide(scores, threshold), *truth)
        metrics |= {f"{name}_{way}": again[name] for name in THRICE}
    return metrics


def epoch_metrics(predictions: Predictions) -> Metrics:
    """The figures to watch after an epoch: the cheap ones, and those that may choose the best epoch (mllc.monitors).

    `micro_f1_tuned` is tuned and measured on these same predictions.
    """
    check(predictions)
    truth = predictions.targets, predictions.mask
    own = decision_figures(predictions.decisions, *truth)
    ranking = as_metrics(
        {
            "map": average_precision(predictions.scores, *truth).nanmean(),
            "micro_f1_tuned": best_f1(predictions.scores, *truth),
        }
    )
    names = ("map", "micro_f1", "macro_f1", "hamming_loss", "labels_per_sample", "micro_f1_tuned")
    return {name: (own | ranking)[name] for name in names}


def evaluate_baselines(
    val: baselines.Truth, test: baselines.Truth | None, statistics: LabelStatistics, *, shrinkage: float = 10.0
) -> dict[str, dict[str, Metrics]]:
    """The figures of each baseline on each split: split -> all_zeros | all_ones | label_prior -> figures.

    The label prior's thresholds are tuned on validation like anyone's; all zeros and all ones stay what they are.
    """
    num_labels = val.targets.shape[1]
    prior = baselines.label_prior(val, statistics)
    tuned = tune_thresholds(prior.scores, prior.targets, prior.mask, shrinkage=shrinkage)
    at_zero = torch.zeros(num_labels, device=val.targets.device)
    fixed = Thresholds(0.0, at_zero, at_zero)
    return {
        split: {
            "all_zeros": evaluate(baselines.all_zeros(truth), fixed),
            "all_ones": evaluate(baselines.all_ones(truth), fixed),
            "label_prior": evaluate(baselines.label_prior(truth, statistics), tuned),
        }
        for split, truth in (("val", val), ("test", test))
        if truth is not None
    }


def per_label(
    predictions: Predictions, thresholds: Thresholds, label_names: Sequence[str], positives: Mapping[str, Tensor]
) -> list[dict[str, Any]]:
    """One row a label, for per_label.csv: its index, name, positives in each split, figures and threshold.

    `positives` holds the positives of each label by split (train, val, test), in the order of the columns. The figures
    are None for a label without positives here, so that the mean of a column is the macro average of `evaluate`;
    precision is 0 where nothing is predicted. `threshold` is the label's own, shrunk.
    """
    check(predictions)
    truth = predictions.targets, predictions.mask
    own = count(predictions.decisions, *truth).labels
    figures = {
        "ap": average_precision(predictions.scores, *truth),
        "f1": f1(own),
        "precision": precision(own),
        "recall": recall(own),
        "f1_tuned": f1(count(decide(predictions.scores, thresholds.global_), *truth).labels),
        "f1_per_label": f1(count(decide(predictions.scores, thresholds.per_label), *truth).labels),
    }
    scored = (own.true > 0).tolist()
    columns: dict[str, list[Any]] = {
        "index": list(range(len(label_names))),
        "label": list(label_names),
        **{f"{split}_positives": [round(n) for n in counts.tolist()] for split, counts in positives.items()},
        **{
            name: [value if keep else None for value, keep in zip(values.tolist(), scored, strict=True)]
            for name, values in figures.items()
        },
        "threshold": thresholds.per_label.tolist(),
    }
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def check(predictions: Predictions) -> None:
    """DataError unless the shapes agree, there is something to score, and every score is finite."""
    scores, targets = predictions.scores, predictions.targets
    for name in ("scores", "decisions", "mask"):
        value = getattr(predictions, name)
        if value is not None and (value.shape != targets.shape or value.ndim != 2):
            raise DataError(
                f"{name} have the shape {tuple(value.shape)} and targets {tuple(targets.shape)}; "
                "give both as (samples, labels)"
            )
    for name in ("decisions", "mask"):
        value = getattr(predictions, name)
        if value is not None and value.dtype != torch.bool:
            raise DataError(f"{name} are {value.dtype}; give torch.bool")
    if not targets.numel():
        raise DataError(f"nothing to evaluate: the targets have the shape {tuple(targets.shape)}")
    if not torch.stack(scores.aminmax()).isfinite().all():  # NaN is both; needs no memory
        bad = int((~scores.isfinite()).sum())
        raise DataError(f"{bad} of {scores.numel()} scores are NaN or infinite; give finite scores on the logit scale")
