"""Feed: what a cohort shares on the way from rows to features: order, augmentation, the frozen front."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor

from mllc import seeding
from mllc.data.ahead import Arriving, stream
from mllc.data.augment import augment, is_random
from mllc.data.augment.mixup import mixup
from mllc.data.batches import batches
from mllc.data.rows import Sparse, dense, dense_if_small
from mllc.device import available_bytes, require_memory
from mllc.features import CHUNK, KeptFeatures
from mllc.models.front import Front
from mllc.types import Dataset, Rows, Targets

TARGETS_LIMIT_BYTES = 1 << 26
"""Sparse targets of the training split become one tensor up to this size."""

AT_ONCE = {"cpu": 0, "cuda": 1 << 24}
"""Numbers, of features or of logits, in a batch of vectors that is only evaluated: a GPU idles with few."""


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
    augment    arguments of mllc.data.augment.augment, and alpha of mixup; all zero: none
    kept       the features of the front on disk, of whatever size, where they can be used in every run
    keep_bytes others of a frozen front are kept in memory up to this size a split, else computed for each batch;
               0: for each batch, even if they are on disk
    accumulate parts of a batch that trials go through one after another, to save memory; their gradients are added
    """

    name: str
    data: Dataset
    seed: int
    batch_size: int
    front: Front
    device: torch.device
    augment: Mapping[str, float] = field(default_factory=dict)
    kept: KeptFeatures | None = None
    keep_bytes: int = 4 << 30
    accumulate: int = 1
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
        indices = list(batches(len(self.data.train), self.batch_size, order))
        with closing(_arriving(source.rows, indices, self.device)) as arriving:
            for step, (index, rows) in enumerate(zip(indices, arriving, strict=True)):
                yield self._batch(source, rows, index, (epoch, step))

    def split(self, name: str, *, as_trained: bool = True) -> Iterator[Batch]:
        """All batches of a split in its own order, without augmentation.

        as_trained  False: vectors may come in larger batches than those of training
        """
        source, size = self._source(name), self.batch_size
        shape = self.data.input_shape if source.raw else source.rows[torch.arange(1)].shape[1:]
        if not as_trained and len(shape) == 1:
            size = max(size, AT_ONCE[self.device.type] // max(*shape, len(self.data.label_names)))
        indices = torch.arange(len(source.targets)).split(size)
        with closing(_arriving(source.rows, indices, self.device)) as arriving:
            for index, rows in zip(indices, arriving, strict=True):
                yield self._batch(source, rows, index, None)

    def truth(self, name: str) -> Truth:
        """The targets and the mask of a split, on the device if they fit."""
        source = self._source(name)
        return Truth(dense(source.targets), source.mask)

    def _batch(self, source: Sources, rows: Tensor, index: Tensor, drawn: tuple[int, int] | None) -> Batch:
        """The batch of `rows`, the ones at `index`; `drawn`: epoch and step of what is random in it, None: nothing."""
        targets = _take(source.targets, index, self.device)
        mask = None if source.mask is None else _take(source.mask, index, self.device)
        if source.raw and drawn is not None and self._random and rows.ndim == 4:
            rows, targets, mask = self._augmented(rows, targets, mask, drawn)
        features = self.front(rows) if source.raw else self.front.laid_out(rows)
        return Batch(features, targets.float(), mask)

    def _augmented(
        self, rows: Tensor, targets: Tensor, mask: Tensor | None, drawn: tuple[int, int]
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        settings = dict(self.augment)
        alpha = settings.pop("mixup", 0)
        rows = augment(rows, seeding.generator(self.name, self.seed, "augment", *drawn), **settings)  # type: ignore[arg-type]
        if not alpha:
            return rows, targets, mask
        return mixup(rows, targets, mask, seeding.generator(self.name, self.seed, "mixup", *drawn), alpha)

    @property
    def _random(self) -> bool:
        return is_random(self.augment)

    def _source(self, name: str) -> Sources:
        if name not in self._sources:
            self._sources[name] = self._open(name)
        return self._sources[name]

    def _open(self, name: str) -> Sources:
        """Keeps the features of a frozen front where nothing random comes before it, and they are not too many."""
        split, augmented = self.data.split(name), name == "train" and self._random
        targets = _resident(_targets(split.targets, name), self.device)
        mask = None if split.mask is None else _resident(split.mask, self.device)
        if self.kept is not None and self.keep_bytes and (features := self.kept.of(name)) is not None:
            return Sources(_resident(features, self.device), targets, mask, raw=False)
        rows = _resident(dense_if_small(split.inputs), self.device)
        if augmented or not self.front.is_frozen:
            return Sources(rows, targets, mask, raw=True)
        first = self.front(_take(rows, torch.arange(1), self.device))
        if first.nbytes * len(split) > min(self.keep_bytes, available_bytes(self.device) // 4):
            return Sources(rows, targets, mask, raw=True)
        features = torch.empty_like(first.expand(len(split), *first.shape[1:]), memory_format=_layout(first))
        indices = torch.arange(len(split)).split(CHUNK)  # as those on disk are computed, whatever the batch size
        with closing(_arriving(rows, indices, self.device)) as arriving:
            for index, taken in zip(indices, arriving, strict=True):
                features[index[0] : index[-1] + 1] = self.front(taken)
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


def _arriving(rows: Rows, indices: Sequence[Tensor], device: torch.device) -> Arriving:
    """The rows of one index tensor after the other, on the device; read ahead where they are not at hand."""
    if isinstance(rows, Sparse) or (isinstance(rows, Tensor) and rows.device == device):
        yield from (_take(rows, index, device) for index in indices)
        return
    with closing(stream(rows, indices, pin=device.type == "cuda")) as arriving:
        yield from arriving if device.type == "cpu" else _copied_ahead(arriving, device)


def _copied_ahead(arriving: Arriving, device: torch.device) -> Arriving:
    """Pinned tensors on the GPU, each copied, on a stream of its own, while the one before it is worked on."""
    copying, ready = torch.cuda.Stream(device), None
    for host in arriving:
        with torch.cuda.stream(copying):
            copied, done = host.to(device, non_blocking=True), torch.cuda.Event()
            done.record(copying)
        if ready is not None:
            yield _handed_over(*ready, device)
        ready = copied, done
    if ready is not None:
        yield _handed_over(*ready, device)


def _handed_over(copied: Tensor, done: torch.cuda.Event, device: torch.device) -> Tensor:
    """To the stream that computes, which waits for the copy; the host does not."""
    computing = torch.cuda.current_stream(device)
    computing.wait_event(done)
    copied.record_stream(computing)
    return copied


def _take(rows: Rows | Targets, index: Tensor, device: torch.device) -> Tensor:
    """rows[index] on the device, without waiting for the copy; `index` is on the CPU."""
    if isinstance(rows, Tensor) and rows.device == device:
        return rows[index.to(device, non_blocking=True)]
    if isinstance(rows, Sparse):
        return rows.on(index, device)
    taken = rows[index]
    return taken if device.type == "cpu" else taken.pin_memory().to(device, non_blocking=True)
