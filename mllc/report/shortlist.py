"""What follows from a data set's facts: losses worth comparing, a weight of positives, and what to type."""

import shlex
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mllc.advice import PositiveWeight, positive_weight
from mllc.config import catalogue
from mllc.inspection import Inspection
from mllc.inspection.labels import LabelFacts
from mllc.report.inspected import zeros
from mllc.wording import counted

WEIGHTED = 1.1
"""Weight of positives from which one is worth trying."""

SPARSE = 0.1
"""Share of true targets below which positives are outnumbered enough to say so."""

VERY_SPARSE = 0.02
"""Likewise, from which the outputs should not start at even odds."""

UNEQUAL = 10.0
"""Mean of IRLbl from which labels are called unequal."""

STEADY = 0.25
"""Standard deviation of the number of true labels, as a share of its mean, up to which the number is the same."""

FEW_EMPTY = 0.05
"""Share of samples without a true label up to which a softmax is proposed that cannot say `none`."""

NOT_PASSED_ON = ("loss", "optimizer", "schedule", "seed", "name", "tune", "sweep", "head", "epochs")
"""Overrides of an inspection that the proposed comparison sets itself, or that say nothing of the data."""


class Suggestion(NamedTuple):
    """A loss of the catalogue, and the fact of the data that it answers."""

    loss: str
    reason: str


def weights(found: Inspection) -> PositiveWeight | None:
    """The range of weights of positives to start from; None where nothing is true in training."""
    mean = found.splits["train"].cardinality
    return positive_weight(len(found.label_names), mean) if mean > 0 else None


def shortlist(found: Inspection) -> list[Suggestion]:
    """Losses to compare, `bce` first; only those that can leave out unknown targets, where there are any."""
    train, weight = found.splits["train"], weights(found)
    listed = [Suggestion("bce", "the usual choice, and the row that the others are held against")]
    if weight is not None and weight.own >= WEIGHTED:
        listed += _outnumbered(train, weight)
    if weight is not None:
        listed += _counted(train)
    unequal = train.mean_imbalance
    if unequal is not None and unequal >= UNEQUAL:
        reason = f"the most frequent label is true {unequal:.3g} times as often as another, on average"
        listed.append(Suggestion("logit_adjusted", f"{reason}; it learns what each label is beyond its own frequency"))
    unknown = any(facts.unknown for facts in found.splits.values())
    return [one for one in listed if not unknown or _takes_mask(one.loss)]


def _outnumbered(train: LabelFacts, weight: PositiveWeight) -> list[Suggestion]:
    share = f"{zeros(train.density)} % of the targets are 0"
    found = [Suggestion("weighted_bce", f"{share}; positives weigh more, by the weight below")]
    if train.density < SPARSE:
        found.append(Suggestion("asymmetric", f"{share}; those that the model has right count next to nothing"))
        found.append(Suggestion("zlpr", f"{share}; a sample's labels are judged together, however many they are"))
    return found


def _counted(train: LabelFacts) -> list[Suggestion]:
    """Losses that share one distribution among a sample's labels."""
    mean, most = train.cardinality, len(train.per_sample) - 1
    if train.spread <= STEADY * mean and train.empty <= FEW_EMPTY * train.num_samples:
        k = max(1, round(mean))
        number = f"samples have {mean:.3g} true {'label' if mean == 1 else 'labels'}, give or take {train.spread:.2g}"
        largest = "largest is" if k == 1 else f"{k} largest are"
        return [Suggestion("softmax_ce", f"{number}: the {largest} an answer (loss.rule=top_k)")]
    least = int((train.per_sample > 0).argmax())
    return [Suggestion("softmax_count", f"samples have {least} to {most} true labels; it learns which, and how many")]


def _takes_mask(loss: str) -> bool:
    traits = catalogue.settings("loss", loss)["traits"]
    return traits["shape"] == "element" or "mask" in traits["needs"]


def advice(found: Inspection, listed: Sequence[Suggestion]) -> dict[str, str]:
    """What else follows, in sentences by name."""
    train, weight = found.splits["train"], weights(found)
    told = {}
    if weight is not None and weight.own >= WEIGHTED:
        told["pos_weight"] = (
            f"A weight of positives (pos_weight) to start from: {_rough(weight.own)} where labels are predicted at "
            f"probability 1/2, {_rough(weight.tuned)} where the threshold is tuned. A rule of thumb for micro-F1, from "
            "made data (benchmarks/README.md); the balanced weight, zeros over ones, would be "
            f"{_rough((1 - train.density) / train.density, 3)}."
        )
    told["threshold"] = (
        "Tune the threshold, whatever the loss: much of what separates losses at their own threshold is gone at the "
        "tuned one. Every run reports both."
    )
    if train.density < VERY_SPARSE and weight is not None:
        told["bias"] = (
            f"At a density of {train.density:.2g} outputs that start at even odds first have to learn to say no: "
            "compare head.bias_init=zero,prior as well."
        )
    empty = train.empty / train.num_samples
    if empty > FEW_EMPTY:
        told["empty"] = (
            f"{100 * empty:.3g} % of the training samples have no true label: a softmax alone learns nothing from them "
            "and cannot answer so; softmax_count can."
        )
    if any(facts.unknown for facts in found.splits.values()):
        told["unknown"] = (
            "Some targets are unknown: only losses that have a value for each label can leave them out, and only such "
            "are listed."
        )
    if len(train.per_sample) == 2 and len(found.label_names) > 1:
        told["single"] = (
            "No training sample has two true labels. If exactly one is right, softmax_ce is the ordinary "
            "classification loss; if others are true but not marked, see hill, splc, weak_negatives and large_loss."
        )
    if train.never_true:
        told["never"] = (
            f"No loss learns labels that are never true in training ({train.never_true} of {len(found.label_names)}): "
            "leave them out, or find samples of them."
        )
    leaked = found.across["train", "test"].count
    if leaked:
        told["leak"] = (
            f"{counted(leaked, 'test sample')} {'is a copy' if leaked == 1 else 'are copies'} of training samples: "
            "figures on test flatter."
        )
    return told


def _rough(number: float, digits: int = 2) -> str:
    """The first digits of a number, as it would be typed: 1100, not 1.1e+03."""
    return f"{float(f'{number:.{digits}g}'):.10g}"


def next_command(listed: Sequence[Suggestion], overrides: Sequence[str]) -> str:
    """The comparison of the shortlist on this data."""
    kept = [text for text in overrides if text.lstrip("+").partition("=")[0].partition(".")[0] not in NOT_PASSED_ON]
    losses = ",".join(one.loss for one in listed)
    words = ["mllc", "sweep", *kept, f"loss={losses}", "tune.trials=10", "seed=range(3)"]
    return " ".join(shlex.quote(word) if word != f"loss={losses}" else word for word in words)


def as_objects(listed: Sequence[Suggestion]) -> list[Mapping[str, str]]:
    return [one._asdict() for one in listed]
