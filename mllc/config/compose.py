"""From overrides to plain, checked configs: composes conf/, expands sweeps. The only file that imports hydra.

Hydra composes what the groups choose; the values on top are set here, each checked against what its YAML allows, so
that a wrong one is refused before torch is imported and a sweep composes each combination of groups only once.
"""

import copy
import itertools
import json
import math
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, OverrideType, ValueType
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from mllc.config import catalogue
from mllc.config.catalogue import GROUPS
from mllc.config.checks import allowed, check_config, check_value, unknown_key, unreadable
from mllc.config.presets import key_of, merge, preset_blocks, preset_parts
from mllc.config.search import Search, Tune, checked, declared, tune_settings
from mllc.config.settings import NotAllowed
from mllc.config.targets import build, target
from mllc.errors import ConfigError
from mllc.study import Range

__all__ = ["build", "compose", "expand", "flat", "identity", "target"]

Config = dict[str, Any]

NOT_IN_IDENTITY = ("device", "out", "cache", "tracker")
"""Top-level keys that say where a run happens and who is told of it, not what it is."""

IDENTIFYING = tuple(group for group in GROUPS if group not in NOT_IN_IDENTITY)
"""The groups whose choice makes a run what it is."""

MOST_TRIALS = 10_000
"""Trials of one sweep at most: composing them takes a quarter of a minute, and nobody waits for their training."""


def compose(overrides: Sequence[str], config_dir: Path | None = None) -> Config:
    """The resolved config of one run: plain values, with the chosen name of each group as `GROUP.name`.

    ConfigError for an unknown group, choice or key, a value that is not allowed, one that is missing, a sweep.
    """
    with _composer(config_dir) as composer:
        for override in overrides:
            if override.startswith("sweep="):
                raise ConfigError(
                    f"{override} asks for several runs, but this is one: use mllc sweep {shlex.quote(override)}"
                )
            if composer.parse(override).is_sweep_override():
                raise ConfigError(
                    f"{override} asks for several runs, but this is one: use mllc sweep {shlex.quote(override)}; "
                    f"a comma that belongs to the value needs quotes: '{key_of(override)}=\"a,b\"'"
                )
        return composer.compose(tuple(overrides))


def expand(overrides: Sequence[str], config_dir: Path | None = None, preset: str | None = "standard") -> list[Config]:
    """The configs of a sweep, in order, repeated ones once: every combination of what the overrides list.

    overrides  Hydra's syntax: `loss=bce,focal`, `seed=range(3)`, `loss=glob(*)`, `loss.gamma=choice(1,2)`, and
               `sweep=NAME` for a preset, conf/sweep/NAME.yaml
    preset     the one that is used when none is named and no override is a sweep; None: the overrides as they are
    """
    with _composer(config_dir) as composer:
        name, own = composer.preset(overrides, preset)
        blocks = preset_blocks(name, own, config_dir) if name else [own]
        return composer.configs(blocks)


def expand_tuned(
    overrides: Sequence[str], config_dir: Path | None = None, preset: str | None = "standard", by: Sequence[str] = ()
) -> tuple[Tune, list[Search], list[Config]]:
    """How to search, the search of each row of a tuned sweep (tune.trials=N), and the preset's fixed trials.

    As `expand`, but for the settings that rows are searched for: of `optimizer.X` and `loss.X`, several values are the
    choices of the search and one value takes it out of the search, unless `by` compares them; an interval (Hydra's
    `interval(0.01,1)`, `tag(log,interval(0.01,1))`) is the range to search, of any number. Without `tune.trials` there
    is no search, and the fixed trials are those of `expand`.
    """
    with _composer(config_dir) as composer:
        parsed = {override: composer.parse(override) for override in overrides}
        tune = tune_settings({key_of(o)[5:]: one.value() for o, one in parsed.items() if o.startswith("tune.")})
        overrides = [override for override in overrides if not override.startswith("tune.")]
        name, own = composer.preset(overrides, preset)
        if not tune.trials:
            return tune, [], composer.configs(preset_blocks(name, own, config_dir) if name else [own])
        grid, rows = preset_parts(name, own, config_dir) if name else (merge(own), [])
        searches = composer.searches([one for one in grid if one != "optimizer.lr=rates"], tune, by)
        return tune, searches, composer.configs(rows)


def flat(config: Config) -> dict[str, Any]:
    """Dotted key -> scalar for every setting; a group's own name under the group, a list as text.

    >>> flat({"seed": 1, "loss": {"name": "focal", "gamma": 2.0}, "backbone": {"name": "mlp", "hidden": [8]}})
    {'seed': 1, 'loss': 'focal', 'loss.gamma': 2.0, 'backbone': 'mlp', 'backbone.hidden': '[8]'}
    """
    result: dict[str, Any] = {}
    for key in catalogue.keys(config):
        value = catalogue.lookup(config, key)
        group, _, last = key.rpartition(".")
        result[group if last == "name" and group in GROUPS else key] = (
            json.dumps(value, separators=(",", ":")) if isinstance(value, list) else value
        )
    return result


def identity(config: Config) -> Config:
    """What a run's id hashes of its config: all but the place, what a YAML says of itself, and the paths of files.

    The content of those files is hashed in their stead (mllc.store).
    """
    result: Config = {key: value for key, value in config.items() if key not in NOT_IN_IDENTITY}
    for group in IDENTIFYING:
        node = dict(result[group])
        paths = (node.pop("traits", None) or {}).get("paths") or ()
        result[group] = {key: value for key, value in node.items() if key not in paths}
    return result


class _UnknownKeyError(ConfigError):
    """A key that the chosen YAMLs do not have."""


class _UserFolder(SearchPathPlugin):
    """Puts the folder of --config-dir in front of ours, so that its YAMLs shadow ours and glob(*) sees them."""

    path: Path | None = None

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        if self.path:
            search_path.prepend("user", f"file://{self.path}", anchor="main")


@contextmanager
def _composer(config_dir: Path | None) -> Iterator["_Composer"]:
    Plugins.instance().register(_UserFolder)
    *user, ours = catalogue.folders(config_dir)
    _UserFolder.path = user[0].absolute() if user else None
    with initialize_config_dir(str(ours), version_base="1.3"):
        yield _Composer(config_dir)


class _Composer:
    """Composes while Hydra is set up; remembers what it parsed and composed."""

    def __init__(self, config_dir: Path | None) -> None:
        self.config_dir = config_dir
        self.parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
        self.parse = cache(self._parse)
        self.base = cache(self._base)

    def trials(self, overrides: Sequence[str]) -> Iterator[tuple[str, ...]]:
        """Every combination of the values of `overrides`."""
        values = [self._values(override) for override in merge(overrides)]
        if math.prod(map(len, values)) > MOST_TRIALS:
            counts = " x ".join(f"{key_of(each[0])} ({len(each):,})" for each in values if len(each) > 1)
            raise ConfigError(
                f"{counts.replace(f'{MOST_TRIALS + 1:,}', f'over {MOST_TRIALS:,}')}: more than {MOST_TRIALS:,} trials; "
                "type fewer values, or several sweeps into one folder: mllc report compares them all"
            )
        return itertools.product(*values)

    def preset(self, overrides: Sequence[str], preset: str | None) -> tuple[str | None, list[str]]:
        """The preset that is asked for, or meant where no override is a sweep, and the other overrides."""
        named = [override.removeprefix("sweep=") for override in overrides if override.startswith("sweep=")]
        own = [override for override in overrides if not override.startswith("sweep=")]
        if len(named) > 1:
            raise ConfigError(f"sweep={named[0]} and sweep={named[1]}: name one preset. See: mllc list sweeps")
        if not named and not any(self.parse(override).is_sweep_override() for override in own):
            return preset, own
        return (named[0] if named else None), own

    def configs(self, blocks: Sequence[Sequence[str]]) -> list[Config]:
        """The configs of every block's combinations, repeated ones once."""
        trials = [trial for block in blocks for trial in self.trials(block)]
        return list({json.dumps(config): config for config in map(self.compose_trial, trials)}.values())

    def searches(self, overrides: Sequence[str], tune: Tune, by: Sequence[str]) -> list[Search]:
        """The search of every combination of what is not searched."""
        given, others, seeds = {}, [], ["seed=0"]
        for text in merge(overrides):
            key, override = key_of(text), self.parse(text)
            if key == "seed":
                seeds = self._values(text)
            elif override.value_type is ValueType.INTERVAL_SWEEP or (
                override.is_sweep_override() and key.startswith(("loss.", "optimizer.")) and key not in by
            ):
                given[key] = text
            else:
                others.append(text)
        repeats = tuple(self.compose((seed,))["seed"] for seed in seeds)
        if tune.seed in repeats:
            raise ConfigError(f"tune.seed={tune.seed} is one of the sweep's own seeds: type another tune.seed")
        found = []
        for trial in self.trials([*others, f"seed={tune.seed}"]):
            start, named = self.compose_trial(trial), set(map(key_of, trial))
            space = declared(start, tune.space, self.config_dir)
            space |= {key: self._range(start, text, space.get(key)) for key, text in given.items()}
            found.append(Search(start, {key: one for key, one in space.items() if key not in named}, repeats))
        return found

    def _range(self, config: Config, text: str, declared: Range | None) -> Range:
        """What an interval or a list of values asks to search; an interval's scale is the declared one's."""
        key, override = key_of(text), self.parse(text)
        if key not in set(catalogue.keys(config)):
            raise _UnknownKeyError(unknown_key(key, config, self.config_dir))
        value = override.value()
        if not isinstance(value, IntervalSweep):
            singles = [self.parse(one) for one in self._values(text)]
            return Range(choices=tuple(check_value(config, key, one.value(), _text(one)) for one in singles))
        log = "log" in value.tags or (declared is not None and declared.log)
        try:
            return checked(Range(value.start, value.end, log), allowed(config, key) or "number")
        except NotAllowed as error:
            raise ConfigError(f"{text} is not allowed: type {error}") from None

    def compose_trial(self, trial: tuple[str, ...]) -> Config:
        """`compose`, and a message that says which trial of the sweep is wrong."""
        try:
            return self.compose(trial)
        except _UnknownKeyError as error:
            raise ConfigError(
                f"{error}\nin the trial {shlex.join(trial)}\nEach override goes to every trial: type a sweep of its "
                "own for those that have the setting (mllc report compares the runs of all sweeps), or name trials as "
                "rows of a preset, such as conf/sweep/demo.yaml"
            ) from None
        except ConfigError as error:
            raise ConfigError(
                f"{error}\nin the trial {shlex.join(trial)} (each override goes to every trial)"
            ) from None

    def compose(self, overrides: tuple[str, ...]) -> Config:
        """The config of overrides that are no sweeps."""
        parsed = {override.key_or_group: override for override in map(self.parse, overrides)}
        groups = {key: _text(override) for key, override in parsed.items() if key in GROUPS}
        for group, name in groups.items():
            catalogue.find(group, name, self.config_dir)
        config = copy.deepcopy(self.base(tuple(sorted(groups.items()))))
        for key, override in parsed.items():
            if key not in GROUPS:
                _set(config, key, override, self.config_dir)
        return check_config(_resolved(config) if "${" in repr(config) else config, self.config_dir)

    def _base(self, groups: tuple[tuple[str, str], ...]) -> Config:
        """What the chosen YAMLs say, unresolved; the data set's own backbone unless one was chosen."""
        chosen = catalogue.defaults(self.config_dir) | dict(groups)
        for group in GROUPS:
            catalogue.settings(group, chosen[group], self.config_dir)  # refuses in words what Hydra would trip over
        try:
            composed = hydra_compose("config", [f"{key}={name}" for key, name in groups], return_hydra_config=True)
        except (HydraException, OmegaConfBaseException, YAMLError, OSError) as error:
            where = f"{self.config_dir}/" if self.config_dir else "conf/"
            cause = error if str(error).strip() else error.__cause__ or error
            raise ConfigError(f"the files in {where} cannot be composed: {_first_line(cause)}") from None
        names = {group: composed.hydra.runtime.choices.get(group) for group in GROUPS}
        config = OmegaConf.to_container(
            OmegaConf.masked_copy(composed, [str(key) for key in composed if key != "hydra"])
        )
        assert isinstance(config, dict)
        for group, name in names.items():
            if not isinstance(config.get(group), dict) or "_target_" not in config[group]:
                file = catalogue.shown(catalogue.find(group, chosen[group], self.config_dir))
                raise ConfigError(f"{file}: it needs a line `_target_: package.module.function`")
            config[group] = {"name": name} | config[group]
        wanted = (config["dataset"].get("traits") or {}).get("backbone")
        if wanted and "backbone" not in dict(groups) and wanted != names["backbone"]:
            return self.base((*groups, ("backbone", wanted)))
        return {str(key): value for key, value in config.items()}

    def _parse(self, text: str) -> Override:
        if not key_of(text).strip():
            raise ConfigError(f"'{text}' names no setting: type key=value, such as loss=focal or epochs=3")
        try:
            override = self.parser.parse_overrides([text])[0]
        except HydraException:
            raise ConfigError(unreadable(text)) from None
        if override.type is not OverrideType.CHANGE or override.package is not None:
            raise ConfigError(f"{text}: only key=value is understood here; +, ++, ~ and @ are not")
        return override

    def _values(self, text: str) -> list[str]:
        """`text` itself, or one override for each value of a sweep."""
        override = self.parse(text)
        if not override.is_sweep_override():
            return [text]
        if override.value_type is ValueType.INTERVAL_SWEEP:
            raise ConfigError(f"{text}: an interval has no list of values; use range(start,stop,step) or a,b,c")
        try:
            values = list(itertools.islice(override.sweep_string_iterator(), MOST_TRIALS + 1))
        except (HydraException, ValueError) as error:
            raise ConfigError(f"{text}: {_first_line(error)}") from None
        if not values:
            raise ConfigError(f"{text} stands for no value at all")
        if override.is_range_sweep():
            values = [value if value.lstrip("-").isdigit() else repr(float(f"{float(value):.12g}")) for value in values]
        return [f"{override.key_or_group}={value}" for value in values]


def _resolved(config: Config) -> Config:
    """The config with its interpolations (`${epochs}`) replaced by what they name."""
    try:
        resolved = OmegaConf.to_container(OmegaConf.create(config), resolve=True)
    except OmegaConfBaseException as error:
        where = getattr(error, "full_key", None) or "the config"
        raise ConfigError(f"{where} cannot be resolved: {_first_line(error)}") from None
    assert isinstance(resolved, dict)
    return {str(key): value for key, value in resolved.items()}


def _set(config: Config, key: str, override: Override, config_dir: Path | None) -> None:
    """Sets one value in place, checked against what its YAML allows."""
    if key not in set(catalogue.keys(config)) - {f"{group}.name" for group in GROUPS}:
        raise _UnknownKeyError(unknown_key(key, config, config_dir))
    catalogue.put(config, key, check_value(config, key, override.value(), _text(override)))


def _text(override: Override) -> str:
    """The value as it was typed, without quotes: `12` where a name is wanted."""
    value = override.value()
    return value if isinstance(value, str) else override.get_value_string()


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]
