"""Feed: what a cohort shares on the way from rows to features: order, augmentation, the frozen front."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor

from mllc import seeding
from mllc.data.augment import augment
from mllc.data.batches import batches
from mllc.data.rows import Sparse, dense, dense_if_small
from mllc.device import available_bytes, require_memory
from mllc.models.front import Front
from mllc.types import Dataset, Rows, Targets

TARGETS_LIMIT_BYTES = 1 << 26
"""Sparse targets of the training split become one tensor up to this size."""


class Batch(NamedTuple):
    """Features at the deepest frozen tensor, targets as floats, and the mask of known targets, on the device."""

    features: Tensor
    targets: Tensor
    mask: Tensor | None


class Sources(NamedTuple):
    """Where batches are cut from, on the device if it fits: rows (`raw` inputs or kept features), targets, mask."""

    rows: Rows
    targets: Targets
    mask: Tensor | None
    raw: bool


class Truth(NamedTuple):
    """What is true of a split: its targets and the mask of the known ones."""

    targets: Tensor
    mask: Tensor | None


@dataclass(eq=False)
class Feed:
    """Batches of one data set for one seed; every trial of a cohort sees the same ones.

    name       of the data set, for the seeds
    seed       the repeat
    front      what makes features of rows, on the device
    augment    arguments of mllc.data.augment.augment; all zero: none
    keep_bytes features of a frozen front are kept in memory up to this size a split, else computed for each batch
    """

    name: str
    data: Dataset
    seed: int
    batch_size: int
    front: Front
    device: torch.device
    augment: Mapping[str, float] = field(default_factory=dict)
    keep_bytes: int = 4 << 30
    _sources: dict[str, Sources] = field(default_factory=dict, init=False)

    @property
    def amp(self) -> torch.dtype | None:
        """The dtype of autocast, or None."""
        return self.front.amp

    @property
    def steps(self) -> int:
        """Batches of one training epoch."""
        rest = len(self.data.train) % self.batch_size
        return len(self.data.train) // self.batch_size + (rest > 1)

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """Training batches: order and augmentation depend on (data set, seed, epoch, step) alone."""
        source = self._source("train")
        order = seeding.generator(self.name, self.seed, "order", epoch)
        for step, index in enumerate(batches(len(self.data.train), self.batch_size, order)):
            yield self._batch(source, index, (epoch, step))

    def split(self, name: str) -> Iterator[Batch]:
        """All batches of a split in its own order, without augmentation."""
        source = self._source(name)
        for index in torch.arange(len(source.targets)).split(self.batch_size):
            yield self._batch(source, index, None)

    def truth(self, name: str) -> Truth:
        """The targets and the mask of a split, on the device if they fit."""
        source = self._source(name)
        return Truth(dense(source.targets), source.mask)

    def _batch(self, source: Sources, index: Tensor, augmented: tuple[int, int] | None) -> Batch:
        rows = _take(source.rows, index, self.device)
        targets = _take(source.targets, index, self.device)
        mask = None if source.mask is None else _take(source.mask, index, self.device)
        features = self._features(rows, augmented) if source.raw else rows
        return Batch(features, targets.float(), mask)

    def _features(self, rows: Tensor, augmented: tuple[int, int] | None) -> Tensor:
        if rows.ndim == 4 and augmented is not None and any(self.augment.values()):
            stream = seeding.generator(self.name, self.seed, "augment", *augmented)
            rows = augment(rows, stream, **self.augment)  # type: ignore[arg-type]
        return self.front(rows)

    def _source(self, name: str) -> Sources:
        if name not in self._sources:
            self._sources[name] = self._open(name)
        return self._sources[name]

    def _open(self, name: str) -> Sources:
        """Keeps the features of a frozen front where nothing random comes before it, and they are not too many."""
        split, augmented = self.data.split(name), name == "train" and any(self.augment.values())
        rows = _resident(dense_if_small(split.inputs), self.device)
        targets = _resident(_targets(split.targets, name), self.device)
        mask = None if split.mask is None else _resident(split.mask, self.device)
        if augmented or not self.front.is_frozen:
            return Sources(rows, targets, mask, raw=True)
        first = self._features(_take(rows, torch.arange(1), self.device), None)
        if first.nbytes * len(split) > min(self.keep_bytes, available_bytes(self.device) // 4):
            return Sources(rows, targets, mask, raw=True)
        features = torch.empty_like(first.expand(len(split), *first.shape[1:]), memory_format=_layout(first))
        for index in torch.arange(len(split)).split(self.batch_size):
            features[index[0] : index[-1] + 1] = self._features(_take(rows, index, self.device), None)
        return Sources(features, targets, mask, raw=False)


def _layout(features: Tensor) -> torch.memory_format:
    """Kept as the front returns them, so that no later convolution has to turn them over in each batch."""
    last = features.ndim == 4 and features.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if last else torch.contiguous_format


def _targets(targets: Targets, name: str) -> Targets:
    """Those of validation and test as one tensor, as every metric wants them; large ones of train stay sparse."""
    if name == "train":
        return dense_if_small(targets, TARGETS_LIMIT_BYTES)
    if not isinstance(targets, Sparse):
        return targets
    samples, labels = targets.shape
    lower = f"split.{name}, or give fewer samples" if name == "val" else "the number of test samples"
    require_memory(6 * samples * labels, f"scores and targets of {samples:,} {name} samples x {labels:,} labels", lower)
    return dense(targets)


def _resident(rows: Any, device: torch.device) -> Any:
    """Rows on the device if they are a tensor that takes at most a quarter of what is free there, else as they are."""
    if device.type != "cuda" or not isinstance(rows, Tensor):
        return rows
    return rows.to(device) if rows.nbytes < available_bytes(device) / 4 else rows


def _take(rows: Rows | Targets, index: Tensor, device: torch.device) -> Tensor:
    """rows[index] on the device, without waiting for the copy; `index` is on the CPU."""
    if isinstance(rows, Tensor) and rows.device == device:
        return rows[index.to(device, non_blocking=True)]
    if isinstance(rows, Sparse):
        return rows.on(index, device)
    taken = rows[index]
    return taken if device.type == "cpu" else taken.pin_memory().to(device, non_blocking=True)
