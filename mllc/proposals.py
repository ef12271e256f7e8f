"""Settings that Optuna proposes for one row, and what came of them."""

import itertools
import json
import math
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import torch
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial
from torch.quasirandom import SobolEngine

from mllc import seeding
from mllc.config.search import Search, Tune
from mllc.errors import StoreError
from mllc.folder import clear_errors
from mllc.study import Range, Try

JOURNAL = "journal.log"

STARTUP = 6
"""Answered trials before TPE builds on them; until then they are the points of a Sobol sequence, which miss no part."""

ANSWERED = (TrialState.COMPLETE, TrialState.PRUNED)
"""What TPE builds on."""

MOST_PRUNED = 4
"""Trials of a row that may be pruned, in multiples of those that are to complete."""

MOST_DRAWS = 1000
"""Random draws of a trial's values, before a range counts as one that has no more of 4 digits."""

STATES = {
    "done": TrialState.COMPLETE,
    "diverged": TrialState.COMPLETE,
    "failed": TrialState.FAIL,
    "pruned": TrialState.PRUNED,
}

optuna.logging.set_verbosity(optuna.logging.ERROR)


@dataclass(frozen=True, eq=False)
class Proposed:
    """A trial that waits for its answer: its number, a value for each searched setting, how many it was drawn from."""

    number: int
    values: dict[str, Any]
    known: int


class Proposals:
    """The search of one row. The caller holds the folder: nothing else here guards it against other processes.

    A round of `tune.at_once` trials is drawn from the answered ones alone, each trial with a seed of its own, and each
    answer is one line of the journal: a search that was cut off goes on as if it had not been. The seeds are the same
    for every row, so that rows with the same ranges begin with the same draws. Values have 4 digits, whole numbers and
    choices apart; nothing is tried twice, and a search ends when there is nothing more to try.
    """

    def __init__(self, journal: Path, search: Search, tune: Tune, *, maximize: bool) -> None:
        self.space, self.wanted, self.tune = search.space, search.trials, tune
        self.distributions = {key: _distribution(one) for key, one in search.space.items()}
        self.inside = {key: value for key, value in search.first.items() if value in search.space[key]}
        self.outside = {key: value for key, value in search.first.items() if key not in self.inside}
        self.settings = search.settings
        self.direction = StudyDirection.MAXIMIZE if maximize else StudyDirection.MINIMIZE
        self.worst = -math.inf if maximize else math.inf
        self.pruner = optuna.pruners.MedianPruner()
        self.journal, self.study = journal, _open(journal, self.direction)
        failed = sum(one.status == "failed" for one in self.tries())
        self.forgiven = failed // self.wanted * self.wanted  # who types the command again wants it tried again

    def ask(self) -> list[Proposed]:
        """The trials of this round that have no answer yet; empty when enough have completed, or too many failed."""
        told = self.study.get_trials(deepcopy=False)
        known = told[: told[-1].user_attrs["known"]] if told else []
        if len(told) >= len(known) + self._size(known):
            known = told
        return self._round(known)[len(told) - len(known) :]

    def prune(self, values: Sequence[float]) -> bool:
        """Whether to give up a trial whose monitor has taken these values, one an epoch."""
        running = create_trial(state=TrialState.RUNNING, intermediate_values=_by_epoch(values))
        return self.pruner.prune(self.study, running)

    def tell(
        self, proposed: Proposed, run_id: str, status: str, value: float | None, values: Sequence[float] = ()
    ) -> None:
        """What came of a trial; a diverged one counts as the worst there is.

        value   the monitor at the best epoch
        values  after each epoch; what `prune` holds later trials against
        """
        state = STATES[status]
        inside = {key: one for key, one in self.space.items() if proposed.values[key] in one}
        trial = create_trial(
            state=state,
            value=(self.worst if value is None else value) if state is TrialState.COMPLETE else None,
            params={key: _outward(proposed.values[key], one) for key, one in inside.items()},
            distributions={key: self.distributions[key] for key in inside},
            intermediate_values=_by_epoch(values),
            user_attrs={"known": proposed.known, "run_id": run_id, "status": status, "values": proposed.values},
        )
        with clear_errors(self.journal.parent):
            self.study.add_trial(trial)

    def tries(self) -> tuple[Try, ...]:
        """Every trial that was answered, by number."""
        return tuple(map(_try, self.study.get_trials(deepcopy=False)))

    def best(self) -> dict[str, Any] | None:
        """The values of the best trial that is done, the earliest of equals; None where there is none."""
        sign = 1 if self.direction is StudyDirection.MAXIMIZE else -1
        done = {one.number: sign * one.value for one in self.tries() if one.status == "done" and one.value is not None}
        return self.tries()[max(done, key=done.__getitem__)].values if done else None

    def _size(self, known: Sequence[FrozenTrial]) -> int:
        """How many trials the round has that is drawn from these."""
        states = Counter(one.state for one in known)
        if states[TrialState.FAIL] >= self.forgiven + self.wanted:
            return 0
        if states[TrialState.PRUNED] >= MOST_PRUNED * self.wanted:
            return 0
        missing = self.wanted - states[TrialState.COMPLETE]
        return max(0, int(min(missing, self.tune.at_once, self.settings - len(known))))

    def _round(self, known: Sequence[FrozenTrial]) -> list[Proposed]:
        """The round that is drawn from these."""
        draft = optuna.create_study(direction=self.direction)
        draft.add_trials(known)
        tried = [one.user_attrs["values"] for one in known]
        for number in range(len(known), len(known) + self._size(known)):
            fresh = next((values for values in self._draws(draft, number) if values not in tried), None)
            if fresh is None:
                break
            tried.append(fresh)
        return [Proposed(number, tried[number], len(known)) for number in range(len(known), len(tried))]

    def _draws(self, draft: optuna.Study, number: int) -> Iterator[dict[str, Any]]:
        """Values for trial `number`: the sampler's, then, should they have been tried, random ones."""
        for attempt in range(MOST_DRAWS) if math.isinf(self.settings) else itertools.count():
            sampler = "random" if attempt else self.tune.sampler
            seed = seeding.derive("search", self.tune.seed, number, attempt) % 2**32
            draft.sampler = optuna.samplers.RandomSampler(seed=seed)
            if sampler == "tpe":
                liar = self.tune.at_once > 1
                draft.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=STARTUP, constant_liar=liar)
            early = sum(one.state in ANSWERED for one in draft.get_trials(deepcopy=False)) < STARTUP
            fixed = self._sobol(number) if sampler == "sobol" or (sampler == "tpe" and early) else {}
            outside = {}
            if number == attempt == 0:
                fixed |= {key: _outward(value, self.space[key]) for key, value in self.inside.items()}
                outside = self.outside
            draft.enqueue_trial(fixed)
            trial = draft.ask({key: one for key, one in self.distributions.items() if key not in outside})
            drawn = {key: _inward(value, self.space[key]) for key, value in trial.params.items()} | outside
            yield {key: drawn[key] for key in self.space}
            draft.tell(trial, state=TrialState.FAIL)

    def _sobol(self, number: int) -> dict[str, Any]:
        """Point `number` of a scrambled Sobol sequence over the space."""
        seed = seeding.derive("search", self.tune.seed, "sobol") % 2**32
        sequence = SobolEngine(len(self.space), scramble=True, seed=seed).fast_forward(number)
        (point,) = sequence.draw(dtype=torch.float64).tolist()
        return {key: _outward(_at(one, x), one) for (key, one), x in zip(self.space.items(), point, strict=True)}


class _Held(JournalFileOpenLock):
    """No lock: the study's folder is held already, and a lock file would outlive a process that is killed."""

    def acquire(self) -> bool:
        return True

    def release(self) -> None:
        pass


def _open(journal: Path, direction: StudyDirection) -> optuna.Study:
    with clear_errors(journal.parent), _damage_told(journal):
        if journal.exists() and (content := journal.read_bytes()) and not content.endswith(b"\n"):
            os.truncate(journal, content.rfind(b"\n") + 1)  # a line that a kill cut off
        storage = JournalStorage(JournalFileBackend(str(journal), lock_obj=_Held(str(journal))))
        study = optuna.create_study(storage=storage, study_name="study", direction=direction, load_if_exists=True)
        for one in study.get_trials(deepcopy=False):
            if _try(one).number < one.user_attrs["known"]:
                raise ValueError(f"trial {one.number} was drawn from trials that are not there")
        return study


@contextmanager
def _damage_told(journal: Path) -> Iterator[None]:
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError) as error:  # whatever a damaged journal leads to
        raise StoreError(
            f"{journal} is damaged ({type(error).__name__}: {error}): remove the folder {journal.parent} and type the "
            "command again, which searches anew; runs that are done are kept, and found again"
        ) from None


def _try(one: FrozenTrial) -> Try:
    attributes, last = one.user_attrs, one.last_step
    value = one.value if one.state is TrialState.COMPLETE else None
    if one.state is TrialState.PRUNED and last is not None:
        value = one.intermediate_values[last]
    finite = value is not None and math.isfinite(value)
    return Try(one.number, attributes["run_id"], attributes["values"], attributes["status"], value if finite else None)


def _by_epoch(values: Sequence[float]) -> dict[int, float]:
    return {epoch: value for epoch, value in enumerate(values, 1) if math.isfinite(value)}


def _distribution(one: Range) -> BaseDistribution:
    if one.low is None or one.high is None:
        return CategoricalDistribution([_outward(choice, one) for choice in one.choices])
    if one.integer:
        return IntDistribution(int(one.low), int(one.high), log=one.log)
    return FloatDistribution(one.low, one.high, log=one.log)


def _outward(value: Any, one: Range) -> Any:
    """A value as Optuna knows it: choices as JSON, for they may be lists."""
    return json.dumps(value) if one.choices else value


def _inward(value: Any, one: Range) -> Any:
    """The inverse of `_outward`; a number with a fraction to 4 digits."""
    if one.low is None or one.high is None:
        return json.loads(value)
    return value if one.integer else min(max(float(f"{value:.4g}"), one.low), one.high)


def _at(one: Range, share: float) -> Any:
    """The value at `share`, in [0, 1), of a range."""
    if one.low is None or one.high is None:
        return one.choices[int(share * len(one.choices))]
    low, high = (one.low, one.high + 1) if one.integer else (one.low, one.high)
    low, high = (math.log(low), math.log(high)) if one.log else (low, high)
    value = low + share * (high - low)
    value = math.exp(value) if one.log else value
    return min(int(value), int(one.high)) if one.integer else min(max(value, one.low), one.high)
