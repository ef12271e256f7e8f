"""The child's side of a packed sweep: a process that trains the parts it is sent, and says to its parent what a screen
hears. See `mllc.pack` for the parent's side.

What goes through the pipe: down a `Part`, and answers to "prune"; up pairs of a word and its arguments: the name of a
method of the screen, or prune, log, results, error.
"""

import logging
import os
import pickle
import queue
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import torch

from mllc import run
from mllc.build import Config
from mllc.preflight import Sharing
from mllc.screen import REFRESH_S, Screen

_log = logging.getLogger("mllc")


class Setup(NamedTuple):
    """What a worker needs to be as its parent: folder, environment, log level, packages that a _target_ may name."""

    folder: str
    environment: Mapping[str, str]
    log_level: int
    threads: int
    allow: tuple[str, ...]


class Part(NamedTuple):
    """Trials of one cohort for one worker; see `mllc.run.train` for the options.

    among  all trials of the cohort
    again  a worker has died of it
    """

    configs: Sequence[Config]
    among: Sequence[Config]
    score_test: bool
    force: bool
    prunes: bool
    again: bool = False


def work(pipe: Connection, setup: Setup) -> None:
    """The life of a worker: it ends when the parent closes the pipe, or is no more."""
    os.chdir(setup.folder)
    os.environ.update(setup.environment)
    torch.set_num_threads(setup.threads)
    parent = Parent(pipe)
    _log.setLevel(setup.log_level)
    _log.addHandler(parent.log)
    sharing = Sharing(setup.allow)
    while True:
        part: Part = parent.ask()
        try:
            results = run.train(
                part.configs,
                score_test=part.score_test,
                screen=parent.screen,
                force=part.force,
                allow=setup.allow,
                sharing=sharing,
                prune=parent.prune(part.configs) if part.prunes else None,
                among=part.among,
            )
        except BaseException as error:  # the parent raises it
            parent.say("error", _portable(error))
        else:
            parent.say("results", results)


class Parent:
    """The parent, as a worker sees it."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._heard: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._saying = threading.Lock()  # what is logged may come from any thread
        self.screen: Screen = _Screen(self.say)  # type: ignore[assignment]
        self.log = _Log(self.say)
        threading.Thread(target=self._listen, daemon=True).start()

    def say(self, word: str, *arguments: Any) -> None:
        """Tells something; ends the process where nobody listens any more."""
        try:
            with self._saying:
                self._pipe.send((word, arguments))
        except OSError:
            os._exit(1)

    def ask(self, *question: Any) -> Any:
        """What the parent says next, to a question or unasked."""
        if question:
            self.say(*question)
        return self._heard.get()

    def prune(self, configs: Sequence[Config]) -> run.Prune:
        """Whether to give up one of `configs`, as the parent decides."""
        return lambda conf, values: self.ask("prune", configs.index(conf), values)

    def _listen(self) -> None:
        """Waits for the parent beside the work, so that its end is noticed at once, however it comes."""
        try:
            while True:
                self._heard.put(self._pipe.recv())
        except (EOFError, OSError):
            os._exit(1)


class _Screen:
    """What `mllc.screen.Screen` is to a run: each call is said; steps only as often as they would be drawn."""

    def __init__(self, say: Callable[..., None]) -> None:
        self._say = say
        self._said_s = 0.0

    def __getattr__(self, name: str) -> Callable[..., None]:
        if name not in ("cohort", "epoch", "note", "note_once", "skip", "done"):
            raise AttributeError(name)
        return lambda *arguments: self._say(name, *arguments)

    def step(self, epoch: int, step: int, steps: int) -> None:
        now = time.monotonic()
        if (epoch, step) == (1, 1) or now - self._said_s > REFRESH_S:
            self._said_s = now
            self._say("step", epoch, step, steps)


class _Log(logging.Handler):
    """Says what the package logs."""

    def __init__(self, say: Callable[..., None]) -> None:
        super().__init__()
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        self._say("log", record.levelno, record.getMessage())


def _portable(error: BaseException) -> BaseException:
    """An error that can be sent, with its traceback as a note, which `--debug` shows."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        error = RuntimeError(f"{type(error).__name__}: {error}").with_traceback(error.__traceback__)
    error.add_note(f"in a worker process:\n{''.join(traceback.format_exception(error))}")
    return error
