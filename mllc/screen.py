"""What a long command shows while it works, on stderr: a live table on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from mllc.monitors import MONITORS
from mllc.progress import Line, Progress
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


class Screen:
    """Progress of `total_trials` trials, cohort by cohort; a context that leaves the terminal as it was.

    Several cohorts may be on their way at once, each in a lane of its own: one after the other, all in lane 0.

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
        self.lanes: dict[int, Progress] = {}  # those in which a cohort is being trained
        self.worked, self.first_time = 0.0, 0.0  # trials' worth of steps of the cohorts that have ended; first step

    def __enter__(self) -> Self:
        if self.live:
            self.live.start()
        return self

    def __exit__(self, error: object, *_: object) -> None:
        if error is None:
            for lane in list(self.lanes):
                self.done(lane)
        if self.live:
            self.live.stop()

    def cohort(self, names: Sequence[str], epochs: int, title: str, lane: int = 0) -> None:
        """A cohort begins; the one before it has ended."""
        self.done(lane)
        title = f"{self.stage}: {title}" if self.stage else title
        self.lanes[lane] = Progress(title, epochs, {name: Line() for name in names})
        self.note(f"{title}: {counted(len(names), 'trial')}, {counted(epochs, 'epoch')}")
        self._draw(at_once=True)

    def step(self, epoch: int, step: int, steps: int, lane: int = 0) -> None:
        """Step `step` of `steps` of epoch `epoch` (both from 1) is done in every trial of the cohort; cheap."""
        self.lanes[lane].step(epoch, step, steps)
        self.first_time = self.first_time or time.monotonic()
        self._draw()

    def epoch(self, trial_name: str, epoch: int, metrics: Mapping[str, Any], lane: int = 0) -> None:
        """A trial has finished epoch `epoch` (from 1); `metrics` is its row of history.csv."""
        cohort = self.lanes[lane]
        cohort.epoch(trial_name, epoch, metrics, self.monitor, self.sign)
        if self.live:
            self._draw()
        else:
            figures = ", ".join(f"{title} {_text(metrics.get(key))}" for key, title, _ in FIGURES)
            left = f", {self.eta(lane)} left" if self.eta(lane) else ""
            self._print(f"{cohort.title}: {trial_name}: epoch {epoch}/{cohort.epochs}: {figures}{left}")
        if len(cohort.finished) == len(cohort.lines):
            self.done(lane)

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

    def done(self, lane: int = 0) -> None:
        """The cohort has ended, or was cut off: the best of the trials that have finished becomes a line that stays."""
        cohort = self.lanes.pop(lane, None)
        if cohort is None or not cohort.finished:
            return
        self.done_trials += len(cohort.finished)
        self.worked += cohort.worked
        known = [(name, line) for name, line in cohort.finished.items() if line.best is not None]
        text = f"{cohort.title}: {self._done_text()} in {_clock(self._elapsed())}"
        if known:
            name, line = max(known, key=lambda pair: self.sign * (pair[1].best or 0.0))
            text += f"; best {self.monitor} {_text(line.best)}: {name}, epoch {line.best_epoch}"
        if self.live and not self.lanes:
            self.live.update(Text(""), refresh=True)
        self.note(text)

    def eta(self, lane: int = 0) -> str:
        """Time left for the cohort, where several are on their way for all trials; empty until it is known."""
        seconds = self._eta_of_all() if len(self.lanes) > 1 else self.lanes[lane].eta()
        return "" if seconds is None else _clock(seconds)

    def _eta_of_all(self) -> float | None:
        """Seconds left for all trials that are not done, at the pace of all cohorts of this session together."""
        worked = self.worked + sum(cohort.worked for cohort in self.lanes.values())
        begun = sum(len(cohort.lines) * cohort.share for cohort in self.lanes.values())
        left = self.total_trials - len(self.already) - self.done_trials - begun
        return (time.monotonic() - self.first_time) / worked * left if worked > 0 and left > 0.01 else None

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
        if self.live and self.lanes and (at_once or time.monotonic() - self.drawn > REFRESH_S):
            self.live.update(self._picture(), refresh=True)
            self.drawn = time.monotonic()

    def _picture(self) -> Group:
        """The live part: where the cohorts are, and the best of their trials."""
        cohorts = [self.lanes[lane] for lane in sorted(self.lanes)]
        trials = [(cohort, name, line) for cohort in cohorts for name, line in cohort.lines.items()]
        done = self._done_text() if self.total_trials > len(trials) else ""
        left = self.eta(min(self.lanes))
        about = [f"{left} left" if left else "", done, _clock(self._elapsed())]
        heads = [[cohort.title, cohort.position] for cohort in cohorts]
        heads = [heads[0] + about] if len(heads) == 1 else [*heads, about]
        ranked = sorted(trials, key=lambda trial: self._rank(trial[2]))
        of = Column[tuple[Progress, str, Line]]("cohort", lambda trial: trial[0].title, drop=1, right=False, wrap=12)
        columns: list[Column[tuple[Progress, str, Line]]] = [
            *([of] if len({cohort.title for cohort in cohorts}) > 1 else []),
            Column("validation", lambda trial: trial[1], right=False, wrap=20),
            Column("epoch", lambda trial: str(trial[2].epoch), drop=1),
            *(
                Column(title, lambda trial, key=key: _text(trial[2].figures.get(key)), drop)
                for key, title, drop in FIGURES
            ),
            Column(f"best {self.monitor}", lambda trial: _best_text(trial[2])),
        ]
        table, _ = fit(ranked[:VISIBLE], columns, self.console.width, style=lambda _: "", section=lambda _: None)
        more = [Text(f"and {len(ranked) - VISIBLE} more trials", style="dim")] if len(ranked) > VISIBLE else []
        return Group(*map(_head, heads), table, *more)

    def _rank(self, line: Line) -> float:
        return -self.sign * line.best if line.best is not None else float("inf")


def _head(parts: Sequence[str]) -> Text:
    return Text(" · ".join(part for part in parts if part), style="bold", overflow="ellipsis", no_wrap=True)


def _best_text(line: Line) -> str:
    return "-" if line.best is None else f"{_text(line.best)} ({line.best_epoch})"


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}" if abs(value) < 1000 else f"{value:.3g}"


def _clock(seconds: float) -> str:
    """
    >>> _clock(75), _clock(7260)
    ('1:15', '2:01:00')
    """
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes}:{seconds:02}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
