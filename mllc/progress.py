"""How far a cohort has come: what the screen knows of its trials, and the time it still needs."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Line:
    """What is known of one trial: its latest epoch, its latest figures, the best value of the monitor and its epoch.

    finished  its last epoch is done, or it diverged
    """

    epoch: int = 0
    figures: Mapping[str, Any] = field(default_factory=dict)
    best: float | None = None
    best_epoch: int = 0
    finished: bool = False


@dataclass
class Progress:
    """A cohort, or the part of one, that is being trained.

    lines        trial -> what is known of it
    share        of all its steps, those that are done
    first_share  likewise, when the first step of this session was done; None: none is done
    first_time   when that was
    """

    title: str
    epochs: int
    lines: dict[str, Line]
    position: str = "starting"
    share: float = 0.0
    first_share: float | None = None
    first_time: float = 0.0

    def step(self, epoch: int, step: int, steps: int) -> None:
        """Step `step` of `steps` of epoch `epoch` (both from 1) is done in every trial."""
        self.share = (epoch - 1 + step / steps) / self.epochs
        if self.first_share is None:
            self.first_share, self.first_time = self.share, time.monotonic()
        self.position = f"epoch {epoch}/{self.epochs}, step {step}/{steps}"

    def epoch(self, trial_name: str, epoch: int, metrics: Mapping[str, Any], monitor: str, sign: float) -> None:
        """A trial has finished epoch `epoch` (from 1); the larger `sign` times `monitor`, the better."""
        line = self.lines.setdefault(trial_name, Line())
        line.epoch, line.figures = epoch, metrics
        line.finished = epoch >= self.epochs or not math.isfinite(metrics.get("val_loss", math.nan))
        value = metrics.get(monitor)
        if value is not None and (line.best is None or sign * value > sign * line.best):
            line.best, line.best_epoch = value, epoch

    @property
    def finished(self) -> dict[str, Line]:
        """The trials that are done."""
        return {name: line for name, line in self.lines.items() if line.finished}

    @property
    def worked(self) -> float:
        """Trials' worth of steps that were done since the first of this session."""
        return 0.0 if self.first_share is None else len(self.lines) * (self.share - self.first_share)

    def eta(self) -> float | None:
        """Seconds left, at the pace since the first step of this session; None until it is known."""
        if self.first_share is None or not self.first_share < self.share < 1:
            return None
        pace = (time.monotonic() - self.first_time) / (self.share - self.first_share)
        return pace * (1 - self.share)
