"""Watch: a run's tracker, kept from failing the run."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from mllc.errors import MllcError
from mllc.foreign import told
from mllc.result import RunResult
from mllc.trackers.tracker import Run, Tracker


class Watch:
    """Tells the tracker that `make` makes, or none, of a run.

    What the tracker raises is told to `say`, and from then on it is left alone. Two things pass: a MllcError of
    `make`, which is meant to end the command before training, and KeyboardInterrupt.
    """

    def __init__(self, name: str, make: Callable[[], Tracker | None], say: Callable[[str], None]) -> None:
        self.name, self.say = name, say
        self.tracker: Tracker | None = None
        with self._left_alone_where_it_fails(MllcError):
            self.tracker = make()

    def begin(self, run: Run) -> None:
        """See Tracker, as for the others."""
        with self._left_alone_where_it_fails():
            if self.tracker is not None:
                self.tracker.begin(run)

    def epoch(self, row: Mapping[str, float]) -> None:
        """Hands over a copy of the row."""
        with self._left_alone_where_it_fails():
            if self.tracker is not None:
                self.tracker.epoch(dict(row))

    def end(self, result: RunResult | None) -> None:
        """Only the first end counts."""
        tracker, self.tracker = self.tracker, None
        with self._left_alone_where_it_fails():
            if tracker is not None:
                tracker.end(result)

    @contextmanager
    def _left_alone_where_it_fails(self, *passing: type[Exception]) -> Iterator[None]:
        try:
            yield
        except passing:
            raise
        except (Exception, SystemExit) as error:
            self.tracker = None
            self.say(f"tracker={self.name} failed and is left out; the run folder has everything: {told(error)}")
