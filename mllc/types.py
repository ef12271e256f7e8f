"""The values that travel between the rooms: data sets, label statistics, outputs and predictions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

from torch import Tensor

Outputs = Mapping[str, Tensor]
"""What a model returns for a batch: `logits` (batch, labels) and, by name, an objective's extra outputs (batch,)."""


class Rows(Protocol):
    """The inputs of a split: anything with a length that gives the rows at an index tensor (a Tensor is one)."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: Tensor, /) -> Tensor: ...


class Targets(Rows, Protocol):
    """0/1 rows, uint8 (samples, labels): a Tensor, or mllc.data.rows.Sparse where that would be too large."""

    @property
    def shape(self) -> tuple[int, ...]: ...


@dataclass(frozen=True, eq=False)
class Split:
    """Samples of one split.

    inputs   rows of features, float32 (samples, features), or of images, uint8 (samples, channels, height, width)
    targets  uint8 (samples, labels), 0 or 1, dense or sparse
    mask     bool (samples, labels), False where the target is unknown; None: all known, as they are of sparse targets
    ids      one name a sample, as the source calls it (a path, or `train:12` for the 13th row)
    groups   one name a sample; samples of one group stay in one split; None: the source names no groups
    """

    inputs: Rows
    targets: Targets
    ids: tuple[str, ...]
    mask: Tensor | None = None
    groups: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set as its reader found it; a split that the source does not have is None.

    input_shape  of one sample: (features,) or (channels, height, width)
    notes        what the reader did that its user should know (a column dropped, values imputed, a conflict resolved)
    fingerprint  hex digest of the content: inputs, targets and label names of every split, and nothing else
    encoding     plain data (JSON) by which the reader brings new samples into the form of `inputs`: kept with each run
    skipped      split -> number of samples that were left out because they could not be read
    """

    kind: Literal["features", "images"]
    label_names: tuple[str, ...]
    input_shape: tuple[int, ...]
    train: Split
    val: Split | None
    test: Split | None
    fingerprint: str
    notes: tuple[str, ...] = field(default=())
    encoding: Mapping[str, Any] = field(default_factory=dict)
    skipped: Mapping[str, int] = field(default_factory=dict)

    @property
    def splits(self) -> dict[str, Split]:
        """The splits that there are, by name: train, val, test, in this order."""
        found = {"train": self.train, "val": self.val, "test": self.test}
        return {name: split for name, split in found.items() if split is not None}

    def split(self, name: str) -> Split:
        """The split train, val or test of a data set that has it, as every carved one does."""
        split: Split | None = getattr(self, name)
        assert split is not None, f"no {name} split: carve it first"
        return split


class Samples(NamedTuple):
    """New samples, a chunk at a time: their names, and their inputs in the form of a data set's (Split.inputs)."""

    ids: list[str]
    inputs: Tensor


@dataclass(frozen=True, eq=False)
class LabelStatistics:
    """Statistics of the training split that losses and rules may ask for by name (the trait `needs`).

    label_counts      positives of each label, float32 (labels,)
    num_samples       samples of the training split
    mean_cardinality  mean number of true labels per sample
    """

    label_counts: Tensor
    num_samples: int
    mean_cardinality: float

    @property
    def priors(self) -> Tensor:
        """Share of samples in which each label is true, (labels,)."""
        return self.label_counts / self.num_samples


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a model says of a split, beside the truth.

    scores     float32 (samples, labels), on the logit scale: the larger, the surer; order and ties decide every ranking
    decisions  bool (samples, labels), by the objective's own rule
    targets    uint8 (samples, labels)
    mask       bool (samples, labels), False where unknown, or None
    """

    scores: Tensor
    decisions: Tensor
    targets: Tensor
    mask: Tensor | None = None
