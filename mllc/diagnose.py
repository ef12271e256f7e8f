"""Scores and targets of anyone's model -> what is wrong with it, in numbers. Nothing is trained.

The words are made elsewhere: mllc.report.findings says what the numbers mean and what to try next.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mllc.data.scored import Scored, Unit
from mllc.errors import DataError
from mllc.metrics import baselines
from mllc.metrics.collapse import Verdict, state, useful
from mllc.metrics.ranking import (
    average_precision,
    chance_average_precision,
    of_samples,
)
from mllc.metrics.signs import better_columns, inverted, look
from mllc.metrics.thresholded import Counts, as_metrics, count, decision_figures
from mllc.metrics.thresholds import decide, tune_thresholds
from mllc.result import Metrics
from mllc.types import LabelStatistics, Predictions

OWN = {"logits": 0.0, "probabilities": 0.5}
"""The threshold that a model is taken to have where none is given, by the unit of its scores."""

FLAT = 0.1
"""Spread of the scores on the logit scale under which they are constant: .1 changes the odds of a label by a tenth."""

WAYS = ("", "_tuned", "_per_label", "_top_k")
"""Ways to decide, as endings of the figures' names: its own, one tuned threshold, one a label, the k surest labels."""


@dataclass(frozen=True)
class Diagnosis:
    """What scores and targets alone say of a model; plain values, ready for JSON.

    unknown     number of unknown targets; they count nowhere
    seed        of the halves
    metrics     figures of the ranking by the names of mllc.evaluate, and those of decisions (mllc.metrics.thresholded)
                four times, with the endings of WAYS. `_tuned` and `_per_label`: each sample is decided by thresholds
                tuned on the half that it is not in, so that their gain is honest. `_top_k`: the `k` surest labels of
                each sample. `score_spread`: root mean square, over labels, of the standard deviation of a label's
                scores over samples, on the logit scale
    baselines   all_zeros | all_ones | label_prior -> figures of decisions, and `map`, the same for every constant
                answer. `micro_f1_tuned` of the prior: the best that the same labels for every sample reach
    collapsed   silent, flood or constant, in this order, as in mllc.metrics.collapse; only that constant here is a
                `score_spread` under FLAT. None: not collapsed
    ranks       whether the order of the scores is worth a threshold (mllc.metrics.collapse.useful)
    thresholds  own, tuned (for all labels) and per_label (a list), in the unit of the scores, tuned on all samples; a
                label is predicted where its score is greater. own is None where the model's own decisions were given,
                and are those of no single threshold
    k           the mean number of true labels, rounded, at least 1
    look        what the values look like (mllc.metrics.signs.look)
    inverted    whether the scores rank with their sign changed, and not as they are
    columns     index of a label -> index of the column that fits it better, where nothing ranks (mllc.metrics.signs)
    labels      one object a label: index, label, positives, predicted (by the own threshold), ap, chance (the ap of a
                random order) and ranks (these three None without positives), threshold
    notes       what the reader did
    """

    unit: Unit
    num_samples: int
    num_labels: int
    unknown: int
    seed: int
    metrics: Metrics
    baselines: dict[str, Metrics]
    collapsed: Verdict | None
    ranks: bool
    thresholds: dict[str, Any]
    k: int
    look: str | None
    inverted: bool
    columns: dict[int, int]
    labels: tuple[dict[str, Any], ...]
    notes: tuple[str, ...]


def diagnose(scored: Scored, *, threshold: float | None = None, seed: int = 0) -> Diagnosis:
    """The diagnosis of a model.

    threshold  at which the model decides, in the unit of the scores; None: as its own decisions do, if they were given,
               else 0 for logits, 0.5 for probabilities
    seed       of the halves on which thresholds are tuned and measured

    DataError for a threshold that scores of this unit cannot have.

    >>> scored = Scored.of([[-1.0, -3.0], [-2.0, -1.0], [-1.0, -4.0]], [[1, 0], [0, 1], [1, 0]], unit="logits")
    >>> found = diagnose(scored)
    >>> found.collapsed, found.metrics["map"], found.metrics["micro_f1"]
    ('silent', 1.0, 0.0)
    """
    own = _own_threshold(scored) if threshold is None else _typed_threshold(scored, threshold)
    scores, targets = torch.from_numpy(scored.scores.astype(np.float64)), torch.from_numpy(scored.targets)
    mask = None if scored.mask is None else torch.from_numpy(scored.mask)
    decisions = torch.from_numpy(scored.decisions) if own is None else decide(scores, own)
    predictions = Predictions(scores, decisions, targets, mask)
    logits = scores if scored.unit == "logits" else torch.from_numpy(scored.log_odds())
    ap, chance = average_precision(scores, targets, mask), chance_average_precision(targets, mask)

    metrics = _ranking(predictions, ap, chance) | decision_figures(predictions.decisions, targets, mask)
    true_labels = metrics["true_labels_per_sample"] or 0.0
    k = max(1, round(true_labels))
    surest = torch.zeros_like(predictions.decisions).scatter_(1, scores.topk(k).indices, True)
    for way, decisions in zip(WAYS[1:], (*_held_out(logits, targets, mask, seed), surest), strict=True):
        metrics |= {name + way: value for name, value in decision_figures(decisions, targets, mask).items()}
    metrics["score_spread"] = spread = float(logits.var(0, unbiased=False).mean().sqrt())

    reached = max(metrics[f"micro_f1{way}"] or 0.0 for way in WAYS[1:])
    ranks = useful(metrics["map"] or 0.0, metrics["map_chance"] or 0.0, reached)
    columns = [] if ranks else better_columns(scores, targets, mask).tolist()
    counts = count(predictions.decisions, targets, mask).labels
    thresholds = {"own": own, **_tuned(logits, targets, mask, scored.unit)}
    return Diagnosis(
        unit=scored.unit,
        num_samples=len(targets),
        num_labels=targets.shape[1],
        unknown=0 if mask is None else int((~mask).sum()),
        seed=seed,
        metrics=metrics,
        baselines=_baselines(predictions, counts),
        collapsed=state(metrics["labels_per_sample"], true_labels) or ("constant" if spread < FLAT else None),
        ranks=ranks,
        thresholds=thresholds,
        k=k,
        look=look(scores),
        inverted=not ranks and inverted(scores, targets, mask),
        columns={label: column for label, column in enumerate(columns) if column >= 0},
        labels=_labels(scored.label_names, counts, ap, chance, thresholds["per_label"]),
        notes=scored.notes,
    )


def _typed_threshold(scored: Scored, threshold: float) -> float:
    typed = float(scored.scores.dtype.type(threshold))
    if not math.isfinite(typed) or (scored.unit == "probabilities" and not 0 <= typed <= 1):
        raise DataError(f"--threshold {typed:g} is none for {scored.unit}; that of a sigmoid is {OWN[scored.unit]:g}")
    return typed


def _own_threshold(scored: Scored) -> float | None:
    """The usual one, unless the model's decisions are given and are others: then the one that they are made by, if any.

    >>> def own(decided):
    ...     scored = Scored.of([[-3.0, 1.0], [2.0, 4.0]], [[1, 0], [0, 1]], unit="logits", decisions=decided)
    ...     return _own_threshold(scored)
    >>> own(None), own([[0, 1], [1, 1]]), own([[0, 0], [0, 1]]), own([[1, 0], [0, 1]])
    (0.0, 0.0, 3.0, None)
    """
    usual = OWN[scored.unit]
    if scored.decisions is None:
        return usual
    scores = scored.scores.astype(np.float64)
    most = scores[~scored.decisions].max(initial=-math.inf)
    least = scores[scored.decisions].min(initial=math.inf)
    if most <= usual < least:
        return usual
    if most >= least:
        return None
    at = most if least == math.inf else np.nextafter(least, most) if most == -math.inf else (most + least) / 2
    return float(at) if scored.unit == "logits" or at >= 0 else None


def _ranking(predictions: Predictions, ap: Tensor, chance: Tensor) -> Metrics:
    truth = predictions.scores, predictions.targets, predictions.mask
    return as_metrics(
        {
            "map": ap.nanmean(),
            "map_all": ap.nan_to_num().mean(),
            "map_chance": chance.nanmean(),
            "labels_scored": (~ap.isnan()).sum(),
            "labels_skipped": ap.isnan().sum(),
            **of_samples(*truth, at=(1,)),
        }
    )


def _held_out(logits: Tensor, targets: Tensor, mask: Tensor | None, seed: int) -> tuple[Tensor, Tensor]:
    """Decisions with one threshold, and with one a label, all tuned on the half that the sample is not in."""
    order = torch.randperm(len(logits), generator=torch.Generator().manual_seed(seed))
    halves = order[: len(order) // 2], order[len(order) // 2 :]
    decided = torch.empty_like(targets, dtype=torch.bool), torch.empty_like(targets, dtype=torch.bool)
    for mine, other in (halves, halves[::-1]):
        found = tune_thresholds(logits[other], targets[other], None if mask is None else mask[other])
        for into, threshold in zip(decided, (found.global_, found.per_label), strict=True):
            into[mine] = decide(logits[mine], threshold)
    return decided


def _tuned(logits: Tensor, targets: Tensor, mask: Tensor | None, unit: Unit) -> dict[str, Any]:
    """The thresholds to use, in the unit of the scores."""
    found = tune_thresholds(logits, targets, mask)
    every = torch.cat([logits.new_tensor([found.global_]), found.per_label])
    one, *per_label = (every if unit == "logits" else every.sigmoid()).tolist()
    return {"tuned": one, "per_label": per_label}


def _baselines(predictions: Predictions, counts: Counts) -> dict[str, Metrics]:
    statistics = LabelStatistics(counts.true.float(), len(predictions.targets), 0.0)
    made = {
        "all_zeros": baselines.all_zeros(predictions),
        "all_ones": baselines.all_ones(predictions),
        "label_prior": baselines.label_prior(predictions, statistics),
    }
    share = counts.true.double() / counts.known.clamp(min=1)
    figures: dict[str, Metrics] = {
        name: {"map": float(share[counts.true > 0].mean())} | decision_figures(one.decisions, one.targets, one.mask)
        for name, one in made.items()
    }
    order = share.argsort(descending=True)
    hits, predicted = counts.true[order].cumsum(0).double(), counts.known[order].cumsum(0)
    return figures | {
        "label_prior": figures["label_prior"]
        | {"micro_f1_tuned": float((2 * hits / (predicted + counts.true.sum())).max())}
    }


def _labels(
    names: tuple[str, ...], counts: Counts, ap: Tensor, chance: Tensor, thresholds: list[float]
) -> tuple[dict[str, Any], ...]:
    columns = counts.true.tolist(), counts.predicted.tolist(), ap.tolist(), chance.tolist(), thresholds
    return tuple(
        {
            "index": index,
            "label": name,
            "positives": positives,
            "predicted": predicted,
            "ap": value if positives else None,
            "chance": by_chance if positives else None,
            "ranks": useful(value, by_chance) if positives else None,
            "threshold": threshold,
        }
        for index, (name, positives, predicted, value, by_chance, threshold) in enumerate(
            zip(names, *columns, strict=True)
        )
    )
