"""What a long command shows while it works, on stderr: a live table on a terminal, plain lines elsewhere."""

import math
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from mllc.monitors import MONITORS
from mllc.report.grid import Column, fit
from mllc.wording import counted

REFRESH_S = 0.5
VISIBLE = 12
"""Trials in the live table at most: the best by the monitor, those that wait for their first epoch last."""

FIGURES = (
    ("val_loss", "loss", 5),
    ("val_map", "mAP", 2),
    ("val_micro_f1", "micro-F1", 3),
    ("val_micro_f1_tuned", "tuned", 2),
    ("val_labels_per_sample", "labels", 4),
)
"""Column of history.csv, title, and the order in which columns are dropped where they do not fit."""


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

    def best_text(self) -> str:
        return "-" if self.best is None else f"{_text(self.best)} ({self.best_epoch})"


class Screen:
    """Progress of `total_trials` trials, cohort by cohort; a context that leaves the terminal as it was.

    plain    lines instead of a live table; None: where stderr is no terminal
    console  for tests; None: one on stderr (rich honours NO_COLOR and the terminal's width)
    """

    def __init__(
        self,
        *,
        total_trials: int,
        plain: bool | None = None,
        monitor: str = "val_map",
        console: Console | None = None,
    ) -> None:
        self.total_trials = total_trials
        self.monitor = monitor
        self.sign = -1.0 if MONITORS.get(monitor) == "min" else 1.0
        self.console = console or Console(stderr=True, highlight=False)
        if plain is None:
            plain = not sys.stderr.isatty() or self.console.is_dumb_terminal
        self.live = (
            None if plain else Live(console=self.console, auto_refresh=False, transient=True, redirect_stdout=False)
        )
        self.started = time.monotonic()
        self.drawn = 0.0
        self.done_trials = 0
        self.already: set[Path] = set()
        self.said: set[str] = set()
        self.stage = ""  # stands in front of the cohorts' titles
        self._begin([], 1, "")

    def __enter__(self) -> Self:
        if self.live:
            self.live.start()
        return self

    def __exit__(self, error: object, *_: object) -> None:
        if error is None:
            self.done()
        if self.live:
            self.live.stop()

    def cohort(self, names: Sequence[str], epochs: int, title: str) -> None:
        """A cohort begins; the one before it has ended."""
        self.done()
        title = f"{self.stage}: {title}" if self.stage else title
        self._begin(names, epochs, title)
        self.note(f"{title}: {counted(len(names), 'trial')}, {counted(epochs, 'epoch')}")
        self._draw(at_once=True)

    def step(self, epoch: int, step: int, steps: int) -> None:
        """Step `step` of `steps` of epoch `epoch` (both from 1) is done in every trial of the cohort; cheap."""
        self.share = (epoch - 1 + step / steps) / self.epochs
        if self.first_share is None:
            self.first_share, self.first_time = self.share, time.monotonic()
        self.position = f"epoch {epoch}/{self.epochs}, step {step}/{steps}"
        self._draw()

    def epoch(self, trial_name: str, epoch: int, metrics: Mapping[str, Any]) -> None:
        """A trial has finished epoch `epoch` (from 1); `metrics` is its row of history.csv."""
        line = self.lines.setdefault(trial_name, Line())
        line.epoch, line.figures = epoch, metrics
        line.finished = epoch >= self.epochs or not math.isfinite(metrics.get("val_loss", math.nan))
        value = metrics.get(self.monitor)
        if value is not None and (line.best is None or self.sign * value > self.sign * line.best):
            line.best, line.best_epoch = value, epoch
        if self.live:
            self._draw()
        else:
            figures = ", ".join(f"{title} {_text(metrics.get(key))}" for key, title, _ in FIGURES)
            left = f", {self.eta()} left" if self.eta() else ""
            self._print(f"{self.title}: {trial_name}: epoch {epoch}/{self.epochs}: {figures}{left}")
        if all(line.finished for line in self.lines.values()):
            self.done()

    def note(self, text: str) -> None:
        """A line that stays: a warning, a skipped run, a cohort's end."""
        if self.live:
            self.console.print(Text(text))
        else:
            self._print(text)

    def note_once(self, text: str) -> None:
        """A line that stays, of what every cohort of a sweep would say again."""
        if text not in self.said:
            self.said.add(text)
            self.note(text)

    def skip(self, trial_name: str, folder: Path) -> None:
        """A line that stays, once a folder, for a trial that was done before; it counts as done."""
        if folder not in self.already:
            self.already.add(folder)
            self.note(f"{trial_name} is done ({folder}): skipped")

    def done(self) -> None:
        """The cohort has ended, or was cut off: the best of the trials that have finished becomes a line that stays."""
        finished = {name: line for name, line in self.lines.items() if line.finished}
        if not finished:
            return
        self.done_trials += len(finished)
        known = [(name, line) for name, line in finished.items() if line.best is not None]
        text = f"{self.title}: {self._done_text()} in {_clock(self._elapsed())}"
        if known:
            name, line = max(known, key=lambda pair: self.sign * (pair[1].best or 0.0))
            text += f"; best {self.monitor} {_text(line.best)}: {name}, epoch {line.best_epoch}"
        self._begin([], 1, "")
        if self.live:
            self.live.update(Text(""), refresh=True)
        self.note(text)

    def eta(self) -> str:
        """Time left for the cohort, at the pace since its first step of this session; empty until it is known."""
        if self.first_share is None or not self.first_share < self.share < 1:
            return ""
        pace = (time.monotonic() - self.first_time) / (self.share - self.first_share)
        return _clock(pace * (1 - self.share))

    def _begin(self, names: Sequence[str], epochs: int, title: str) -> None:
        self.lines = {name: Line() for name in names}
        self.epochs, self.title, self.position = epochs, title, "starting"
        self.share, self.first_share, self.first_time = 0.0, None, 0.0

    def _done_text(self) -> str:
        """`6 of 8 trials done (2 were already)`."""
        already = len(self.already)
        before = f" ({already} {'was' if already == 1 else 'were'} already)" if already else ""
        return f"{self.done_trials + already} of {counted(self.total_trials, 'trial')} done{before}"

    def _elapsed(self) -> float:
        return time.monotonic() - self.started

    def _print(self, text: str) -> None:
        self.console.print(Text(text), soft_wrap=True)
        self.console.file.flush()

    def _draw(self, at_once: bool = False) -> None:
        if self.live and self.lines and (at_once or time.monotonic() - self.drawn > REFRESH_S):
            self.live.update(self._picture(), refresh=True)
            self.drawn = time.monotonic()

    def _picture(self) -> Group:
        """The live part: where the cohort is, and its best trials."""
        done = self._done_text() if self.total_trials > len(self.lines) else ""
        left = f"{self.eta()} left" if self.eta() else ""
        parts = [self.title, self.position, left, done, _clock(self._elapsed())]
        head = Text(" · ".join(part for part in parts if part), style="bold", overflow="ellipsis", no_wrap=True)
        ranked = sorted(self.lines.items(), key=lambda pair: self._rank(pair[1]))
        columns: list[Column[tuple[str, Line]]] = [
            Column("validation", lambda pair: pair[0], right=False, wrap=20),
            Column("epoch", lambda pair: str(pair[1].epoch), drop=1),
            *(
                Column(title, lambda pair, key=key: _text(pair[1].figures.get(key)), drop)
                for key, title, drop in FIGURES
            ),
            Column(f"best {self.monitor}", lambda pair: pair[1].best_text()),
        ]
        table, _ = fit(ranked[:VISIBLE], columns, self.console.width, style=lambda pair: "", section=lambda pair: None)
        more = [Text(f"and {len(ranked) - VISIBLE} more trials", style="dim")] if len(ranked) > VISIBLE else []
        return Group(head, table, *more)

    def _rank(self, line: Line) -> float:
        return -self.sign * line.best if line.best is not None else float("inf")


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}" if abs(value) < 1000 else f"{value:.3g}"


def _clock(seconds: float) -> str:
    """
    >>> _clock(75), _clock(7260)
    ('1:15', '2:01:00')
    """
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes}:{seconds:02}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
