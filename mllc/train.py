"""The training loop: one pass over the shared batches of an epoch steps every trial of a cohort in turn."""

import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.amp.grad_scaler import GradScaler

from mllc import seeding
from mllc.errors import MllcError
from mllc.feed import Batch, Feed
from mllc.foreign import told
from mllc.losses.objective import Objective
from mllc.models.model import Model
from mllc.types import Outputs, Predictions

log = logging.getLogger("mllc")

EpochRow = dict[str, float]
"""One row of history.csv: epoch (from 1), train_loss, val_* figures, labels per sample, lr, seconds."""


@dataclass(eq=False)
class Replica:
    """What one trial owns: trainable weights, optimizer, schedule, scaler, and how far it has come.

    schedule  share of the run done, in [0, 1) -> multiplier of the base learning rates
    clip      largest norm of the gradient over this replica's weights, or None
    history   one row an epoch, those of earlier sessions included
    failure   what went wrong in this replica's own step or validation; it takes no further part
    pruned    given up by whoever reads the history; it takes no further part
    """

    name: str
    model: Model
    objective: Objective
    optimizer: torch.optim.Optimizer
    schedule: Callable[[float], float]
    scaler: GradScaler
    clip: float | None = None
    history: list[EpochRow] = field(default_factory=list)
    diverged: bool = False
    failure: str = ""
    pruned: bool = False

    def __post_init__(self) -> None:
        self.base_lrs: list[float] = [group["lr"] for group in self.optimizer.param_groups]

    @property
    def epoch(self) -> int:
        """Epochs finished."""
        return len(self.history)


class Step(NamedTuple):
    """A batch was done by every trial."""

    epoch: int
    step: int
    steps: int


class EpochEnd(NamedTuple):
    """A trial finished an epoch, and its history holds the new row; or it failed in it."""

    replica: Replica


Measure = Callable[[Predictions], dict[str, Any]]


def train(replicas: Sequence[Replica], feed: Feed, *, epochs: int, measure: Measure) -> Iterator[Step | EpochEnd]:
    """Trains each replica from the epoch it has reached up to `epochs`, yielding as it goes.

    The loop never waits for the device inside an epoch (the scaler of float16 apart). A replica whose loss or scores
    are not finite ends as diverged, one that raises as failed; the others go on. Every random number a replica sees
    depends on (data set, seed, epoch, step), so a trial alone, in a cohort, or resumed after a kill takes the same
    steps.
    """
    steps = feed.steps
    for epoch in range(min((r.epoch for r in replicas), default=epochs), epochs):
        active = [r for r in replicas if r.epoch == epoch and not (r.diverged or r.failure or r.pruned)]
        if not active:
            continue
        losses = torch.zeros(len(active), device=feed.device)
        clock = Clock(len(active))
        for step, batch in enumerate(feed.epoch(epoch)):
            seed = seeding.derive(feed.name, feed.seed, "dropout", epoch, step)
            clock.share()
            for i, replica in enumerate(active):
                if not replica.failure:
                    seeding.set_seed(seed, feed.device)
                    with failing(replica):
                        losses[i] += train_step(replica, batch, feed, epoch, (epoch + (step + 0.5) / steps) / epochs)
                    clock.charge(i)
            yield Step(epoch, step + 1, steps)
            clock.skip()
        means = (losses / steps).tolist()
        clock.share()  # the device's arrears
        for i, replica in enumerate(active):
            if not replica.failure:
                with failing(replica):
                    row = end_of_epoch(replica, feed, epoch, means[i], measure)
                    clock.charge(i)
                    replica.history.append(row | {"seconds": round(clock.seconds[i], 3)})
            yield EpochEnd(replica)
            clock.skip()


class Clock:
    """Who spent the time: each trial its own steps, and an equal share of what is done for all."""

    def __init__(self, trials: int) -> None:
        self.seconds = [0.0] * trials
        self._last = time.perf_counter()

    def skip(self) -> float:
        """Starts anew; returns the seconds since the last start."""
        now = time.perf_counter()
        spent, self._last = now - self._last, now
        return spent

    def charge(self, trial: int) -> None:
        """To one trial."""
        self.seconds[trial] += self.skip()

    def share(self) -> None:
        """To all, in equal parts."""
        spent = self.skip() / len(self.seconds)
        self.seconds = [seconds + spent for seconds in self.seconds]


@contextmanager
def failing(replica: Replica) -> Iterator[None]:
    """Keeps an unforeseen error of one replica from ending the others; the user's own errors and a full GPU pass."""
    try:
        yield
    except (MllcError, torch.cuda.OutOfMemoryError):
        raise
    except (Exception, SystemExit) as error:  # a loss of the user's may even call sys.exit
        log.debug("%s failed", replica.name, exc_info=True)
        replica.failure = told(error)


def train_step(replica: Replica, batch: Batch, feed: Feed, epoch: int, progress: float) -> Tensor:
    """Forward, loss, backward, step; returns the batch's loss, still on the device."""
    for group, base in zip(replica.optimizer.param_groups, replica.base_lrs, strict=True):
        group["lr"] = base * replica.schedule(progress)
    replica.model.train()
    loss = replica.objective.mean(forward(replica.model, batch, feed), batch.targets, batch.mask, epoch)
    replica.scaler.scale(loss).backward()
    if replica.clip is not None:
        replica.scaler.unscale_(replica.optimizer)
        torch.nn.utils.clip_grad_norm_(replica.model.parameters(), replica.clip)
    replica.scaler.step(replica.optimizer)
    replica.scaler.update()
    replica.optimizer.zero_grad(set_to_none=True)  # here, so that the gradients of waiting replicas take no memory
    return loss.detach()


def forward(model: Model, batch: Batch, feed: Feed) -> Outputs:
    """The outputs of a batch, under autocast where the feed asks for it."""
    with torch.autocast(feed.device.type, dtype=feed.amp, enabled=feed.amp is not None):
        return model(batch.features)


@torch.no_grad()
def predict(model: Model, objective: Objective, feed: Feed, split: str, epoch: int) -> tuple[Predictions, Tensor]:
    """Predictions for every sample of a split, and the mean of the loss over its batches (by their size)."""
    model.eval()
    scores, decisions = [], []
    loss = torch.zeros((), device=feed.device)
    for batch in feed.split(split):
        outputs = forward(model, batch, feed)
        loss += objective.mean(outputs, batch.targets, batch.mask, epoch) * len(batch.targets)
        scores.append(objective.scores(outputs).float())
        decisions.append(objective.decide(outputs))
    truth = feed.truth(split)
    mask = None if truth.mask is None else truth.mask.to(feed.device)
    found = Predictions(torch.cat(scores), torch.cat(decisions), truth.targets.to(feed.device), mask)
    return found, loss / len(truth.targets)


def end_of_epoch(replica: Replica, feed: Feed, epoch: int, loss: float, measure: Measure) -> EpochRow:
    """The epoch's row of the history; sets `diverged` where the loss or the scores are not finite."""
    row: EpochRow = {"epoch": epoch + 1, "train_loss": loss}
    if math.isfinite(loss):
        found, val_loss = predict(replica.model, replica.objective, feed, "val", epoch)
        if torch.isfinite(found.scores).all():
            row["val_loss"] = val_loss.item()
            row |= {f"val_{name}": value for name, value in measure(found).items()}
    replica.diverged = not math.isfinite(row.get("val_loss", math.nan))
    return row | {"lr": replica.optimizer.param_groups[0]["lr"]}
