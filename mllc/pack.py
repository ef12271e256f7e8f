"""Packing: parts of a sweep trained in several processes at once; the parent's side, `mllc.worker` is the child's.

A worker that dies (killed for want of memory, say) takes only its part with it. The part is tried once more in a new
worker, where its runs continue from their checkpoints; if that one dies too, its trials have failed. The parent's end,
however it comes, is the workers' end.
"""

import logging
import os
import signal
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, Self

from mllc import forkserver, run
from mllc.build import Config
from mllc.plan import cohorts, config_key, share_out
from mllc.preflight import Sharing
from mllc.result import RunResult
from mllc.screen import Screen
from mllc.store import RunFolder
from mllc.trial import titles, trial_of
from mllc.wording import counted
from mllc.worker import Part, Setup, work
from mllc.workforce import Workforce, workforce

ENDING_S = 1.0
"""A worker whose pipe is closed leaves at once; one that does not is killed."""

_log = logging.getLogger("mllc")


class Crew:
    """Who trains a sweep: this process alone, or workers, which stay from one call of `train` to the next.

    trials  of the whole sweep: whether workers pay depends on them
    """

    def __init__(self, screen: Screen, *, trials: int, allow: Sequence[str] = ()) -> None:
        self.screen, self.trials, self.allow = screen, trials, tuple(allow)
        self.sharing = Sharing(allow)
        self._force: Workforce | None = None
        self._workers: dict[int, Worker] = {}  # by the screen's lane
        self._logged: set[tuple[Any, ...]] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers.values():
            worker.end()

    def train(
        self, configs: Sequence[Config], *, score_test: bool, force: bool = False, prune: run.Prune | None = None
    ) -> list[RunResult]:
        """See `mllc.run.train`: its results, bit for bit those of one process with a worker's number of threads."""
        groups = cohorts(configs)
        if groups and self._force is None:
            trials = self.trials if force else self.trials - self._done(groups, score_test, prune)
            self._force = workforce(groups, trials, self.sharing)
            if self._force.workers > 1:
                self.screen.note(f"training in {self._force.workers} worker processes (workers=1: in one)")
        parts = share_out(groups, self._force.workers, cut=self._force.cut) if self._force else []
        if self._force is None or self._force.workers == 1 or len(parts) <= 1:
            options = {"screen": self.screen, "force": force, "prune": prune}
            return run.train(configs, score_test=score_test, allow=self.allow, sharing=self.sharing, **options)
        among = {config_key(conf): group for group in groups for conf in group}
        shares = [Part(part, among[config_key(part[0])], score_test, force, prune is not None) for part in parts]
        results = self._results(deque(shares), prune)
        return [results[config_key(conf)] for conf in configs]

    def _done(self, groups: Sequence[Sequence[Config]], score_test: bool, prune: run.Prune | None) -> int:
        """Trials that are done before it begins; looked for only where there are results."""
        if not any(Path(groups[0][0]["out"]).glob(f"*/{RunFolder.DONE}")):
            return 0
        done = 0
        for group in groups:
            shared, _ = self.sharing.of(group[0])
            done += len(run.complete([trial_of(conf, "", shared) for conf in group], score_test, prune))
        return done

    def _results(self, waiting: deque[Part], prune: run.Prune | None) -> dict[str, RunResult]:
        """Has the parts trained, and says what the workers say; results by the key of their config."""
        results: dict[str, RunResult] = {}
        busy: dict[int, Worker] = {}
        while waiting or busy:
            for lane in range(self._force.workers if self._force else 0):
                if waiting and lane not in busy:
                    busy[lane] = self._worker(lane)
                    busy[lane].begin(waiting.popleft())
            ready = wait([worker.pipe for worker in busy.values()])
            for lane, worker in [(lane, worker) for lane, worker in busy.items() if worker.pipe in ready]:
                match worker.hear():
                    case "results", (found,):
                        results |= zip(map(config_key, worker.part.configs), found, strict=True)
                        self.screen.done(lane)
                        del busy[lane]
                    case "died", (how,):
                        del busy[lane], self._workers[lane]
                        self.screen.lanes.pop(lane, None)
                        for part in worker.left():
                            if part.again:
                                results |= self._given_up(part, how, prune)
                            else:
                                trials = counted(len(part.configs), "trial")
                                self.screen.note(f"a worker process was {how}: going on with its {trials} in another")
                                waiting.append(part._replace(again=True))
                    case "prune", (number, values):
                        worker.pipe.send(prune is not None and prune(worker.part.configs[number], values))
                    case "error", (error,):
                        raise error
                    case word, arguments:
                        self._say(word, arguments, lane)
        return results

    def _worker(self, lane: int) -> "Worker":
        """The worker of a lane, hired where there is none."""
        if lane not in self._workers:
            assert self._force is not None
            devices = self._force.devices
            device = devices[lane % len(devices)] if devices else None
            self._workers[lane] = Worker(self._force.threads, self.allow, device)
        return self._workers[lane]

    def _say(self, word: str, arguments: tuple[Any, ...], lane: int) -> None:
        """Hands on what a worker says to the screen, or logs; what is logged by several is logged once."""
        if word == "log":
            if arguments not in self._logged:
                self._logged.add(arguments)
                _log.log(*arguments)
        elif word in ("cohort", "step", "epoch"):
            getattr(self.screen, word)(*arguments, lane=lane)
        else:
            getattr(self.screen, word)(*arguments)

    def _given_up(self, part: Part, how: str, prune: run.Prune | None) -> dict[str, RunResult]:
        """The results of trials whose workers died: those that are done all the same, the others as failed."""
        why = f"its worker process was {how} twice; to train in one process, type workers=1"
        if how.startswith("killed"):
            why += " (the system kills what takes too much memory: a smaller batch_size takes less)"
        options = {"screen": self.screen, "force": part.force, "prune": prune, "among": part.among, "refused": why}
        found = run.train(part.configs, score_test=part.score_test, allow=self.allow, sharing=self.sharing, **options)
        return dict(zip(map(config_key, part.configs), found, strict=True))


class Worker:
    """A worker process, as its parent sees it."""

    def __init__(self, threads: int, allow: tuple[str, ...], device: str | None) -> None:
        self.device = device
        self.pipe, its = forkserver.CONTEXT.Pipe()
        setup = Setup(os.getcwd(), dict(os.environ), _log.getEffectiveLevel(), threads, allow)
        self._process = forkserver.CONTEXT.Process(target=work, args=(its, setup))
        with forkserver.deaf_to_ctrl_c():
            self._process.start()
        its.close()

    def begin(self, part: Part) -> None:
        """Sends a part."""
        self.part, self._begun = part, set[str]()
        place = {} if self.device is None else {"device": self.device}
        with suppress(BrokenPipeError):  # it has died: the next `hear` says so
            self.pipe.send(part._replace(configs=[conf | place for conf in part.configs]))

    def hear(self) -> tuple[str, tuple[Any, ...]]:
        """What it says next; or "died", and how: `killed by SIGKILL`."""
        try:
            word, arguments = self.pipe.recv()
        except (EOFError, OSError):
            return "died", (self.end(),)
        if word == "cohort":
            self._begun.update(arguments[0])
        return word, arguments

    def left(self) -> list[Part]:
        """The part of a worker that died, in two: what was begun is not to be cleared by `force` again."""
        names = titles(self.part.configs, self.part.among)
        begun = [conf for conf, name in zip(self.part.configs, names, strict=True) if name in self._begun]
        rest = [conf for conf in self.part.configs if conf not in begun]
        parts = self.part._replace(configs=begun, force=False), self.part._replace(configs=rest)
        return [part for part in parts if part.configs]

    def end(self) -> str:
        """Ends it, unless it has ended; how it did: `killed by SIGKILL`. Its run folders are whole at any moment."""
        self.pipe.close()
        self._process.join(ENDING_S)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join()
        code = self._process.exitcode or 0
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended by itself, with exit code {code},"
