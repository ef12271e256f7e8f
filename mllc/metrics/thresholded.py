"""Figures of decisions: everything follows from counts of true and false positives, per label and per sample."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from mllc.metrics import kernels
from mllc.result import Metrics


@dataclass(frozen=True, eq=False)
class Counts:
    """Counts over the known entries, int64, all of one shape: (labels,), (samples,) or ().

    tp     predicted and true
    fp     predicted and false
    fn     true and not predicted
    known  entries whose target is known
    """

    tp: Tensor
    fp: Tensor
    fn: Tensor
    known: Tensor

    @property
    def predicted(self) -> Tensor:
        return self.tp + self.fp

    @property
    def true(self) -> Tensor:
        return self.tp + self.fn

    @property
    def wrong(self) -> Tensor:
        return self.fp + self.fn

    def total(self) -> "Counts":
        """The counts of everything together, scalars: their ratios are the micro averages."""
        return Counts(self.tp.sum(), self.fp.sum(), self.fn.sum(), self.known.sum())

    def at(self, keep: Tensor) -> "Counts":
        """The counts of the labels (or samples) where `keep` is True."""
        return Counts(self.tp[keep], self.fp[keep], self.fn[keep], self.known[keep])


class Counted(NamedTuple):
    """The same decisions, counted for each label and for each sample."""

    labels: Counts
    samples: Counts


def count(decisions: Tensor, targets: Tensor, mask: Tensor | None = None) -> Counted:
    """Counts the bool `decisions` (samples, labels) against `targets`, some samples at a time."""
    samples, labels = targets.shape
    per_label = torch.zeros(4, labels, dtype=torch.long, device=targets.device)
    per_sample = torch.zeros(4, samples, dtype=torch.long, device=targets.device)
    step = max(1, kernels.CHUNK // max(1, labels))
    for start in range(0, samples, step):
        rows = slice(start, start + step)
        predicted, true = decisions[rows], targets[rows].bool()
        sets = [predicted & true, predicted, true]
        if mask is not None:
            sets = [*(part & mask[rows] for part in sets), mask[rows]]
        for i, part in enumerate(sets):
            per_label[i] += kernels.count(part, 0)
            per_sample[i, rows] = kernels.count(part, 1)
    if mask is None:
        per_label[3], per_sample[3] = samples, labels
    return Counted(
        *(Counts(tp, predicted - tp, true - tp, known) for tp, predicted, true, known in (per_label, per_sample))
    )


def precision(counts: Counts) -> Tensor:
    """tp / (tp + fp), float64; 0 where nothing is predicted (scikit-learn's zero_division=0)."""
    return _ratio(counts.tp, counts.predicted)


def recall(counts: Counts) -> Tensor:
    """tp / (tp + fn), float64; 0 where nothing is true."""
    return _ratio(counts.tp, counts.true)


def f1(counts: Counts) -> Tensor:
    """2 tp / (2 tp + fp + fn), float64; 0 where nothing is predicted and nothing is true."""
    return _ratio(2 * counts.tp, counts.predicted + counts.true)


def decision_figures(decisions: Tensor, targets: Tensor, mask: Tensor | None = None) -> Metrics:
    """Every figure of a set of decisions, by name; shares in [0, 1], None where undefined.

    micro_*   the ratio of the totals; 0 for 0/0
    macro_*   mean over the labels that have positives (None if there are none); precision is 0 where nothing is
              predicted. `macro_f1_all` is the mean over all labels with 0 for 0/0: scikit-learn's average="macro"
    sample_*  mean over the samples, 0 for 0/0 (so an empty sample rightly left empty scores 0): average="samples"
    hamming_loss, element_accuracy               share of known entries that are wrong, right
    subset_accuracy                              share of samples whose known entries are all right
    labels_per_sample, true_labels_per_sample    mean number of labels predicted, true, among the known
    never_predicted                              share of all labels that are predicted for no sample

    Samples without any known label are left out of the means over samples.
    """
    labels, samples = count(decisions, targets, mask)
    if mask is not None:
        samples = samples.at(samples.known > 0)
    total, scored = labels.total(), labels.at(labels.true > 0)
    hamming = total.wrong.double() / total.known
    figures = {
        **{f"micro_{ratio.__name__}": ratio(total) for ratio in (f1, precision, recall)},
        **{f"macro_{ratio.__name__}": ratio(scored).mean() for ratio in (f1, precision, recall)},
        "macro_f1_all": f1(labels).mean(),
        **{f"sample_{ratio.__name__}": ratio(samples).mean() for ratio in (f1, precision, recall)},
        "hamming_loss": hamming,
        "element_accuracy": 1 - hamming,
        "subset_accuracy": (samples.wrong == 0).double().mean(),
        "labels_per_sample": samples.predicted.double().mean(),
        "true_labels_per_sample": samples.true.double().mean(),
        "never_predicted": (labels.predicted == 0).double().mean(),
    }
    return as_metrics(figures)


def as_metrics(figures: dict[str, Tensor]) -> Metrics:
    """Scalars on the device -> numbers, in one transfer; NaN, the mean of nothing, becomes None."""
    values = torch.stack([value.double() for value in figures.values()]).tolist()
    return {name: None if value != value else value for name, value in zip(figures, values, strict=True)}


def _ratio(numerator: Tensor, denominator: Tensor) -> Tensor:
    return numerator.double() / denominator.clamp(min=1)  # the numerator is 0 wherever the denominator is
