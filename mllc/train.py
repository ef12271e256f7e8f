"""The training loop: one pass over the shared batches of an epoch steps every trial of a cohort."""

import itertools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from mllc import seeding
from mllc.engine.arrange import arrange
from mllc.engine.sequential import forward
from mllc.engine.unit import Moment, Unit
from mllc.feed import Feed
from mllc.losses.objective import Objective
from mllc.models.model import Model
from mllc.replica import EpochRow, Replica, failing
from mllc.types import Predictions


class Step(NamedTuple):
    """A batch was done by every trial."""

    epoch: int
    step: int
    steps: int


class EpochEnd(NamedTuple):
    """A trial finished an epoch, and its history holds the new row; or it failed in it."""

    replica: Replica


Measure = Callable[[Predictions], dict[str, Any]]


def train(
    replicas: Sequence[Replica], feed: Feed, *, epochs: int, measure: Measure, engine: str = "auto", launch: str = "off"
) -> Iterator[Step | EpochEnd]:
    """Trains each replica from the epoch it has reached up to `epochs`, yielding as it goes.

    The loop never waits for the device inside an epoch (the scaler of float16 apart). A replica whose loss or scores
    are not finite ends as diverged, one that raises as failed; the others go on. Every random number a replica sees
    depends on (data set, seed, epoch, step), so a trial alone, in a cohort, or resumed after a kill takes the same
    steps; in a stack (`engine`, `launch`, see mllc.engine.arrange) up to rounding.
    """
    steps = feed.steps
    units: list[Unit] = []
    for epoch in range(min((r.epoch for r in replicas), default=epochs), epochs):
        active = [r for r in replicas if r.epoch == epoch and not (r.diverged or r.failure or r.pruned)]
        if not active:
            continue
        units = arrange(active, feed, engine, units, launch)
        active = [replica for unit in units for replica in unit.replicas]
        ends = list(itertools.accumulate(len(unit.replicas) for unit in units))
        parts = [slice(end - len(unit.replicas), end) for unit, end in zip(units, ends, strict=True)]
        losses, clock = torch.zeros(len(active), device=feed.device), Clock(len(active))
        for step, batch in enumerate(feed.epoch(epoch)):
            seed = seeding.derive(feed.name, feed.seed, "dropout", epoch, step)
            moment = Moment(epoch, (epoch + (step + 0.5) / steps) / epochs, seed)
            clock.charge()
            for unit, part in zip(units, parts, strict=True):
                losses[part] += unit.step(batch, moment)
                clock.charge(part)
            yield Step(epoch, step + 1, steps)
            clock.skip()
        means = (losses / steps).tolist()
        clock.charge()  # the device's arrears
        for i, replica in enumerate(active):
            if not replica.failure:
                with failing(replica):
                    row = end_of_epoch(replica, feed, epoch, means[i], measure)
                    clock.charge(slice(i, i + 1))
                    replica.history.append(row | {"seconds": round(clock.seconds[i], 3)})
            yield EpochEnd(replica)
            clock.skip()


class Clock:
    """Who spent the time: trials their own steps, and an equal share of what is done for several."""

    def __init__(self, trials: int) -> None:
        self.seconds = [0.0] * trials
        self._last = time.perf_counter()

    def skip(self) -> float:
        """Starts anew; returns the seconds since the last start."""
        now = time.perf_counter()
        spent, self._last = now - self._last, now
        return spent

    def charge(self, trials: slice = slice(None)) -> None:
        """To these, in equal parts."""
        mine = self.seconds[trials]
        spent = self.skip() / max(len(mine), 1)
        self.seconds[trials] = [seconds + spent for seconds in mine]


@torch.no_grad()
def predict(model: Model, objective: Objective, feed: Feed, split: str, epoch: int) -> tuple[Predictions, Tensor]:
    """Predictions for every sample of a split, and the mean of the loss over its batches (by their size).

    A loss that ties the samples of a batch together sees batches as they are in training.
    """
    model.eval()
    scores, decisions = [], []
    loss = torch.zeros((), device=feed.device)
    for batch in feed.split(split, as_trained=objective.traits.coupled):
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
