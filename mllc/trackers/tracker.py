"""What a tracker is, and what it is told of the run that it follows."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from mllc.result import RunResult


@dataclass(frozen=True)
class Run:
    """A run that begins, goes on where it was cut off, or was trained before and is now scored on test.

    folder    of the run, whose name no other run has; a tracker may write there, and config.yaml has every setting
    settings  dotted key -> value, of all that makes the run what it is: `loss`, `optimizer.lr`, `seed`, ...
    epochs    finished before, and told to a tracker then, if there was one
    """

    folder: Path
    settings: Mapping[str, Any]
    epochs: int

    def history(self) -> list[dict[str, float]]:
        """The rows of the epochs finished before, for trackers that write them anew."""
        if not self.epochs:
            return []
        with (self.folder / "history.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))[: self.epochs]
        return [{name: float(value) for name, value in row.items() if value} for row in rows]


class Tracker(Protocol):
    """Made once a run, by `_target_` and the settings of a conf/tracker/NAME.yaml; then called in this order.

    Making it should do no more than look whether it can work, and raise ConfigError where it cannot, which ends the
    command before training. Whatever else a tracker raises is said once, and it is left alone.
    """

    def begin(self, run: Run) -> None:
        """The run starts, or goes on after `run.epochs`."""

    def epoch(self, row: Mapping[str, float]) -> None:
        """An epoch is finished; `row`, as in history.csv: `epoch` (from 1), `train_loss`, `val_*`, `lr`, `seconds`."""

    def end(self, result: RunResult | None) -> None:
        """The run is finished, scored on test or not; None: it was cut off, and may go on another time."""
