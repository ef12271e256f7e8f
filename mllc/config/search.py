"""What a tuned sweep searches: conf/tune.yaml's own settings, and for each row the ranges of its nuisance settings."""

import copy
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mllc.config import catalogue, settings
from mllc.config.checks import allowed, check_config
from mllc.config.composer import Composer, Config, composer, in_trial
from mllc.config.presets import key_of, merge
from mllc.config.ranges import SEARCHED_GROUPS, choices, declared, interval
from mllc.config.settings import NotAllowed
from mllc.errors import ConfigError
from mllc.plan import TRIAL_KEYS
from mllc.study import Range
from mllc.suggest import did_you_mean
from mllc.wording import listed

SPACES = {"all": SEARCHED_GROUPS, "optimizer": ("optimizer",)}
"""tune.space -> the groups whose declared ranges are searched."""

SEARCHABLE = sorted(TRIAL_KEYS - {"name"})
"""Top-level keys of which an interval may be searched: the others are what the rows of a comparison share."""


@dataclass(frozen=True)
class Tune:
    """conf/tune.yaml."""

    trials: int
    seed: int
    space: str
    sampler: str
    at_once: int
    pruning: str


@dataclass(frozen=True, eq=False)
class Search:
    """The search of one row.

    start   the config of a trial with the YAMLs' own values
    space   searched setting -> where
    first   what the first trial takes: the YAMLs' own values, but for settings whose range was typed and is elsewhere
    most    trials that are to complete, if there are as many settings
    seeds   the repeats that the chosen settings are trained with
    """

    start: Config
    space: dict[str, Range]
    first: dict[str, Any]
    most: int
    seeds: tuple[int, ...]
    config_dir: Path | None = None

    @property
    def settings(self) -> float:
        """How many settings there are to try, infinitely many mostly."""
        outside = any(value not in self.space[key] for key, value in self.first.items())
        return math.prod(one.size for one in self.space.values()) + outside

    @property
    def trials(self) -> int:
        """How many are to complete."""
        return int(min(self.most, self.settings))

    def at(self, values: Mapping[str, Any], seed: int | None = None) -> Config:
        """The config with `values` in the place of the start's, for the trials' repeat or another."""
        config = copy.deepcopy(self.start)
        for key, value in values.items():
            catalogue.put(config, key, value)
        if seed is not None:
            config["seed"] = seed
        return check_config(config, self.config_dir)


def expand_tuned(
    overrides: Sequence[str], config_dir: Path | None = None, preset: str | None = "standard", by: Sequence[str] = ()
) -> tuple[Tune, list[Search], list[Config]]:
    """How to search, the search of each row of a tuned sweep (tune.trials=N), and the trials that are not searched.

    As `mllc.config.compose.expand`, but for the settings that rows are searched for: of `optimizer.X` and `loss.X`,
    several values are the choices of the search, and one value takes it out of the search; an interval (Hydra's
    `interval(0.01,1)`, `tag(log,interval(0.01,1))`) is the range to search, of any number that trials may differ in.
    What `by` compares is not searched: it has the values that were typed, or else the YAML's own. A row with nothing to
    search, and those that a preset names, are trials as they stand. Without `tune.trials` there is no search, and the
    trials are those of `expand`.
    """
    with composer(config_dir) as hydra:
        tune = tune_settings([text for text in overrides if _is_tune(text)], hydra)
        name, own = hydra.preset([text for text in overrides if not _is_tune(text)], preset)
        if not tune.trials:
            return tune, [], hydra.configs(hydra.blocks(name, own))
        grid, rows = hydra.parts(name, own)
        found = _searches([one for one in grid if one != "optimizer.lr=rates"], tune, by, hydra)
        searches = [search for search in found if search.space]
        if not searches:
            fixed = listed(sorted({key for one in found for key in declared(one.start, config_dir)}), quote=str)
            raise ConfigError(
                f"tune.trials={tune.trials}: nothing is left to search; leave out {fixed}, or type a range such as "
                "'optimizer.lr=tag(log,interval(0.001,0.1))'"
            )
        untuned = [search.at({}, seed) for search in found if not search.space for seed in search.seeds]
        configs = [*untuned, *hydra.configs(rows)]
        return tune, searches, list({json.dumps(config): config for config in configs}.values())


def _is_tune(override: str) -> bool:
    return key_of(override) == "tune" or override.startswith("tune.")


def tune_settings(overrides: Sequence[str], hydra: Composer) -> Tune:
    """What conf/tune.yaml says, with `overrides` (tune.KEY=value) in its place."""
    content = catalogue.read(catalogue.tune_file())
    types = content["traits"]["types"]
    known = [f"tune.{name}" for name in types]
    overrides = merge(overrides)
    for text in overrides:
        key = key_of(text)
        if key == "tune":
            raise ConfigError(f"{text} sets none of {', '.join(known)}: type tune.trials=20")
        if key not in known:
            raise ConfigError(f"'{key}' is not a setting{did_you_mean(key, known)} Known: {', '.join(known)}")
        if hydra.is_sweep(text):
            raise ConfigError(f"{text}: type one value; every row of a sweep is searched alike")
        name, value = key.removeprefix("tune."), hydra.plain(text)
        try:
            content[name] = settings.fit(value, types[name])
        except NotAllowed as error:
            hint = did_you_mean(str(value), settings.words(types[name]))
            raise ConfigError(f"{text} is not allowed: type {error}{hint}") from None
    if overrides and not content["trials"] and overrides != ["tune.trials=0"]:
        raise ConfigError(f"{overrides[0]} says how to search, but not how long: type tune.trials=20 as well")
    return Tune(**{name: content[name] for name in types})


def _searches(overrides: Sequence[str], tune: Tune, by: Sequence[str], hydra: Composer) -> list[Search]:
    """The search of every combination of what is not searched, repeated ones once."""
    typed, others, seeds = {}, [], ["seed=0"]
    for text in overrides:
        key = key_of(text)
        if key == "split.fold" and hydra.is_sweep(text):
            raise ConfigError(
                f"{text}: each fold would need a search of its own; type one, such as split.fold=0, or sweep the folds "
                "without tune.trials"
            )
        of_searched = key.startswith(tuple(f"{group}." for group in SEARCHED_GROUPS))
        if key == "seed":
            seeds = hydra.values(text)
        elif key not in by and (hydra.interval(text) or (of_searched and hydra.is_sweep(text))):
            typed[key] = text
        else:
            others.append(text)
    starts = {trial: hydra.compose_trial(trial) for trial in hydra.trials([*others, f"seed={tune.seed}"])}
    repeats = tuple(dict.fromkeys(hydra.value(next(iter(starts.values())), seed) for seed in seeds))
    if tune.seed in repeats:
        raise ConfigError(
            f"seed={tune.seed} is the seed of the search, whose settings are repeated with others: leave it out of the "
            "sweep's own, or type another tune.seed"
        )
    found = (_search(trial, start, typed, tune, by, repeats, hydra) for trial, start in starts.items())
    return list({json.dumps(search.start): search for search in found}.values())


def _search(
    trial: Sequence[str],
    start: Config,
    typed: Mapping[str, str],
    tune: Tune,
    by: Sequence[str],
    seeds: tuple[int, ...],
    hydra: Composer,
) -> Search:
    """The search of one combination; ConfigError where a range is wrong, or the ends of the ranges do not go together.

    typed  setting -> the override that says where to search it
    """
    with in_trial([*trial, *typed.values()]):
        ranges = declared(start, hydra.config_dir)
        space = {key: one for key, one in ranges.items() if key.partition(".")[0] in SPACES[tune.space]}
        space |= {key: _typed_range(start, text, ranges.get(key), hydra) for key, text in typed.items()}
        space = {key: one for key, one in space.items() if key not in (*by, *map(key_of, trial))}
        own = {key: catalogue.lookup(start, key) for key in space}
        first = {key: value for key, value in own.items() if key not in typed or value in space[key]}
        search = Search(start, space, first, tune.trials, seeds, hydra.config_dir)
        for end in (0, 1):
            search.at({key: one.ends[end] for key, one in space.items()})
    return search


def _typed_range(config: Config, text: str, usual: Range | None, hydra: Composer) -> Range:
    """What an interval or a list of values asks to search; the scale of an interval is log where the declared one's is.

    ConfigError where the setting is not there, may not be that, or is shared by all rows.
    """
    key, ends = hydra.setting(config, text), hydra.interval(text)
    may_be = allowed(config, key) or settings.allowed_by(catalogue.lookup(config, key))
    usual_log = usual is not None and usual.log
    if ends is None:
        return choices([hydra.value(config, one) for one in hydra.values(text)], may_be, usual_log)
    if key.partition(".")[0] not in SEARCHABLE:
        raise ConfigError(
            f"{text}: {key} is what the rows of a comparison share; an interval may search the settings of "
            f"{listed(SEARCHABLE, len(SEARCHABLE), quote=str)}"
        )
    low, high, log = ends
    try:
        return interval(low, high, may_be, log or usual_log)
    except NotAllowed as error:
        raise ConfigError(f"{text} is not allowed: type {error}") from None
