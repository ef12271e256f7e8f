"""Settings that Optuna proposes for one row, one after the other, and what came of them."""

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial, Trial, TrialState
from scipy.stats import qmc

from mllc.config.search import Tune
from mllc.errors import StoreError
from mllc.study import Range, Try

JOURNAL = "journal.log"

STARTUP = 6
"""Completed trials before TPE builds on them; until then it draws at random."""

MOST_PRUNED = 4
"""Trials of a row that may be pruned, in multiples of those that are to complete."""

optuna.logging.set_verbosity(optuna.logging.ERROR)


@dataclass(frozen=True, eq=False)
class Proposed:
    """A trial that waits for its answer: its number, and a value for each searched setting."""

    number: int
    values: dict[str, Any]
    trial: Trial


class Proposals:
    """The search of one row. The caller holds the folder: nothing else here guards it against other processes.

    first  the values that the first trial takes, of the searched settings that lie within their range

    Each proposal is drawn with a seed of its own (tune.seed and its number), so that a search that was cut off goes on
    from its journal as if it had not been. Whole numbers and choices apart, values are rounded to 4 digits.
    """

    def __init__(
        self, journal: Path, space: Mapping[str, Range], tune: Tune, *, first: Mapping[str, Any], maximize: bool
    ) -> None:
        self.space, self.tune = dict(space), tune
        self.distributions = {key: _distribution(one) for key, one in space.items()}
        self.wanted = tune.trials if space else 1
        self.worst = -math.inf if maximize else math.inf
        self.study = _open(journal, "maximize" if maximize else "minimize", tune)
        if not self.study.trials:
            inside = {key: value for key, value in first.items() if _contains(self.distributions[key], value)}
            self.study.enqueue_trial(inside)

    def ask(self) -> list[Proposed]:
        """The trials to run next, those that were cut off first; empty when enough have completed."""
        states = [trial.state for trial in self.study.trials]
        waiting = [trial for trial in self.study.trials if trial.state is TrialState.RUNNING]
        for trial in [trial for trial in waiting if trial.params.keys() != self.space.keys()]:  # cut off in the asking
            waiting.remove(trial)
            self.study.tell(trial.number, state=TrialState.FAIL)
        missing = self.wanted - states.count(TrialState.COMPLETE)
        given_up = states.count(TrialState.FAIL) >= self.wanted or (
            states.count(TrialState.PRUNED) >= MOST_PRUNED * self.wanted
        )
        found = [Proposed(one.number, self._values(one), Trial(self.study, one._trial_id)) for one in waiting]
        while not given_up and len(found) < min(missing, self.tune.at_once):
            found.append(self._next())
        return found

    def prune(self, proposed: Proposed, epoch: int, value: float) -> bool:
        """Whether to give a trial up, whose monitor is `value` after `epoch`."""
        if self.tune.pruning == "none" or not math.isfinite(value):
            return False
        proposed.trial.report(value, epoch)
        return proposed.trial.should_prune()

    def tell(self, proposed: Proposed, run_id: str, status: str, value: float | None) -> None:
        """What came of a trial; a diverged one counts as the worst there is."""
        states = {"failed": TrialState.FAIL, "pruned": TrialState.PRUNED}
        proposed.trial.set_user_attr("run_id", run_id)
        proposed.trial.set_user_attr("status", status)
        if status in states:
            self.study.tell(proposed.number, state=states[status])
        else:
            self.study.tell(proposed.number, self.worst if value is None else value)

    def tries(self) -> tuple[Try, ...]:
        """Every trial that was answered, by number."""
        return tuple(
            Try(
                one.number,
                one.user_attrs["run_id"],
                self._values(one),
                one.user_attrs["status"],
                one.value if one.value is not None and math.isfinite(one.value) else None,
            )
            for one in self.study.trials
            if "run_id" in one.user_attrs
        )

    def best(self) -> dict[str, Any] | None:
        """The values of the best completed trial, the earliest of equals; None where all diverged or none completed."""
        known = [one for one in self.study.trials if one.state is TrialState.COMPLETE and one.value != self.worst]
        sign = 1 if self.worst < 0 else -1
        return self._values(max(known, key=lambda one: (sign * (one.value or 0), -one.number))) if known else None

    def _next(self) -> Proposed:
        number = len([one for one in self.study.trials if one.state is not TrialState.WAITING])
        if self.tune.sampler == "random" or not self.space:
            self.study.sampler = optuna.samplers.RandomSampler(seed=_seed(self.tune.seed, number))
        elif self.tune.sampler == "tpe":
            self.study.sampler = optuna.samplers.TPESampler(
                seed=_seed(self.tune.seed, number), n_startup_trials=STARTUP, constant_liar=self.tune.at_once > 1
            )
        elif number > 0:
            self.study.enqueue_trial(self._sobol(number))
        trial = self.study.ask(self.distributions)
        return Proposed(trial.number, self._values(trial), trial)

    def _sobol(self, number: int) -> dict[str, Any]:
        """Point `number` of a scrambled Sobol sequence over the space."""
        sequence = qmc.Sobol(len(self.space), seed=self.tune.seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the first points are not a power of two
            sequence.fast_forward(number)
            point = sequence.random(1)[0]
        return {key: _at(one, float(share)) for (key, one), share in zip(self.space.items(), point, strict=True)}

    def _values(self, trial: Trial | FrozenTrial) -> dict[str, Any]:
        """The settings of a trial, in the order of the space."""
        return {key: _rounded(trial.params[key], one) for key, one in self.space.items()}


class _Held(JournalFileOpenLock):
    """No lock: the study's folder is held already, and a lock file would outlive a process that is killed."""

    def acquire(self) -> bool:
        return True

    def release(self) -> None:
        pass


def _open(journal: Path, direction: str, tune: Tune) -> optuna.Study:
    pruner = optuna.pruners.MedianPruner() if tune.pruning == "median" else optuna.pruners.NopPruner()
    try:
        if journal.exists() and (content := journal.read_bytes()) and not content.endswith(b"\n"):
            journal.write_bytes(content[: content.rfind(b"\n") + 1])  # a line that a kill cut off
        storage = JournalStorage(JournalFileBackend(str(journal), lock_obj=_Held(str(journal))))
        return optuna.create_study(
            storage=storage, study_name="study", direction=direction, load_if_exists=True, pruner=pruner
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:  # whatever a damaged journal leads to
        raise StoreError(
            f"{journal} is damaged ({error}): remove the folder {journal.parent} to search again; the trials' runs are "
            "kept, and found again where the same settings are proposed"
        ) from None


def _distribution(one: Range) -> BaseDistribution:
    if one.choices:
        return CategoricalDistribution(one.choices)
    assert one.low is not None
    assert one.high is not None
    if one.integer:
        return IntDistribution(int(one.low), int(one.high), log=one.log)
    return FloatDistribution(one.low, one.high, log=one.log)


def _contains(distribution: BaseDistribution, value: Any) -> bool:
    if isinstance(distribution, CategoricalDistribution):
        return value in distribution.choices
    return isinstance(value, int | float) and distribution._contains(value)


def _at(one: Range, share: float) -> Any:
    """The value at `share`, in [0, 1), of a range."""
    if one.choices:
        return one.choices[int(share * len(one.choices))]
    assert one.low is not None
    assert one.high is not None
    low, high = (math.log(one.low), math.log(one.high)) if one.log else (one.low, one.high)
    value = low + share * (high - low)
    value = min(max(math.exp(value) if one.log else value, one.low), one.high)
    return round(value) if one.integer else value


def _rounded(value: Any, one: Range) -> Any:
    if not isinstance(value, float) or one.choices or one.low is None or one.high is None:
        return value
    return min(max(float(f"{value:.4g}"), one.low), one.high)


def _seed(seed: int, number: int) -> int:
    return (seed * 1_000_003 + number) % 2**32
