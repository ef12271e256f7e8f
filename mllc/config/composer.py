"""Hydra, and nothing else that knows it: parses overrides, expands their values, composes the YAMLs of conf/.

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

from mllc.config import auto, catalogue
from mllc.config.catalogue import GROUPS
from mllc.config.checks import check_config, check_value, unknown_key, unreadable
from mllc.config.presets import key_of, merge, preset_parts, with_rates
from mllc.errors import ConfigError

Config = dict[str, Any]

MOST_TRIALS = 10_000
"""Trials of one sweep at most: composing them takes a quarter of a minute, and nobody waits for their training."""


class UnknownKeyError(ConfigError):
    """A key that the chosen YAMLs do not have."""


@contextmanager
def in_trial(trial: Sequence[str]) -> Iterator[None]:
    """Says which trial of a sweep is wrong."""
    try:
        yield
    except UnknownKeyError as error:
        raise ConfigError(
            f"{error}\nin the trial {shlex.join(trial)}\nEach override goes to every trial: type a sweep of its own "
            "for those that have the setting (mllc report compares the runs of all sweeps), or name trials as rows of "
            "a preset, such as conf/sweep/demo.yaml"
        ) from None
    except ConfigError as error:
        raise ConfigError(f"{error}\nin the trial {shlex.join(trial)} (each override goes to every trial)") from None


class _UserFolder(SearchPathPlugin):
    """Puts the folder of --config-dir in front of ours, so that its YAMLs shadow ours and glob(*) sees them."""

    path: Path | None = None

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        if self.path:
            search_path.prepend("user", f"file://{self.path}", anchor="main")


@contextmanager
def composer(config_dir: Path | None) -> Iterator["Composer"]:
    """Hydra, set up for conf/ and for the YAMLs of the user's `config_dir` in front of it."""
    Plugins.instance().register(_UserFolder)
    *user, ours = catalogue.folders(config_dir)
    _UserFolder.path = user[0].absolute() if user else None
    with initialize_config_dir(str(ours), version_base="1.3"):
        yield Composer(config_dir)


class Composer:
    """Composes while Hydra is set up (see `composer`); remembers what it parsed and composed."""

    def __init__(self, config_dir: Path | None) -> None:
        self.config_dir = config_dir
        self.parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
        self._override = cache(self._parse)
        self._base = cache(self._compose_base)
        self._recognised = cache(auto.recognised)

    def is_sweep(self, text: str) -> bool:
        """Whether an override has several values, or an interval of them; ConfigError where it cannot be read."""
        return self._override(text).is_sweep_override()

    def interval(self, text: str) -> tuple[float, float, bool] | None:
        """The ends of an override's `interval(LOW,HIGH)`, and whether it is tagged `log`; None where it has none."""
        value = self._override(text).value()
        if not isinstance(value, IntervalSweep):
            return None
        assert value.start is not None
        assert value.end is not None
        if value.tags - {"log"}:
            raise ConfigError(f"{text}: an interval's only tag is log: tag(log,interval(0.001,0.1))")
        return value.start, value.end, "log" in value.tags

    def plain(self, text: str) -> Any:
        """The value of an override that is no sweep, before anything checks it."""
        return self._override(text).value()

    def value(self, config: Config, text: str) -> Any:
        """The value of an override that is no sweep, if `config` has its key, and it may be that."""
        override = self._override(text)
        return check_value(config, self.setting(config, text), override.value(), _text(override))

    def setting(self, config: Config, text: str) -> str:
        """The key of an override, if `config` has it."""
        key = key_of(text)
        chosen = {f"{group}.name" for group in GROUPS if "_choice_" not in config[group]}
        if key not in set(catalogue.keys(config)) - chosen:
            raise UnknownKeyError(unknown_key(key, config, self.config_dir))
        return key

    def values(self, text: str) -> list[str]:
        """An override itself, or one for each value that it lists."""
        override = self._override(text)
        if not override.is_sweep_override():
            return [text]
        if override.value_type is ValueType.INTERVAL_SWEEP:
            raise ConfigError(
                f"{text}: an interval has no list of values; type range(start,stop,step) or a,b,c, or search it: "
                "tune.trials=20"
            )
        try:
            values = list(itertools.islice(override.sweep_string_iterator(), MOST_TRIALS + 1))
        except (HydraException, ValueError) as error:
            raise ConfigError(f"{text}: {_first_line(error)}") from None
        if not values:
            raise ConfigError(f"{text} stands for no value at all")
        if override.is_range_sweep():
            values = [value if value.lstrip("-").isdigit() else repr(float(f"{float(value):.12g}")) for value in values]
        return [f"{override.key_or_group}={value}" for value in values]

    def trials(self, overrides: Sequence[str]) -> Iterator[tuple[str, ...]]:
        """Every combination of the values of `overrides`; ConfigError where some of them would be the same run."""
        values = [self.values(override) for override in merge(overrides)]
        for each in values:
            key = key_of(each[0])
            if len(each) > 1 and key.split(".")[0] in catalogue.NOT_IN_IDENTITY:
                raise ConfigError(f"{key}: {len(each)} values, but with each it would be the same run; type one")
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
        if not named and not any(self.is_sweep(override) for override in own):
            return preset, own
        return (named[0] if named else None), own

    def parts(self, preset: str | None, own: Sequence[str]) -> tuple[list[str], list[list[str]]]:
        """The grid of a preset and its rows, as `own` changes them; without a preset `own` is the grid.

        Whoever names the losses compares these: rows of others are left out.
        """
        if preset is None:
            return merge(own), []
        grid, rows = preset_parts(preset, own, self.config_dir)
        losses = {loss for text in merge(own) if key_of(text) == "loss" for loss in self.values(text)}
        fixed = [{text for text in row if key_of(text) == "loss"} for row in rows]
        return grid, [row for row, loss in zip(rows, fixed, strict=True) if not losses or loss <= losses]

    def blocks(self, preset: str | None, own: Sequence[str]) -> list[list[str]]:
        """The grid of a preset, a block for each optimizer where it takes their rates, and its rows."""
        grid, rows = self.parts(preset, own)
        return [*with_rates(grid, self.config_dir), *rows] if preset else [grid]

    def configs(self, blocks: Sequence[Sequence[str]]) -> list[Config]:
        """The configs of every block's combinations, repeated ones once."""
        trials = [trial for block in blocks for trial in self.trials(block)]
        compose = self.compose_trial if len(trials) > 1 else self.compose
        return list({json.dumps(config): config for config in map(compose, trials)}.values())

    def compose_trial(self, trial: tuple[str, ...]) -> Config:
        """`compose`, and a message that says which trial of the sweep is wrong."""
        with in_trial(trial):
            return self.compose(trial)

    def compose(self, overrides: tuple[str, ...]) -> Config:
        """The config of overrides that are no sweeps."""
        last = {self._override(text).key_or_group: text for text in overrides}
        groups = {key: _text(self._override(text)) for key, text in last.items() if key in GROUPS}
        recognised: Config = {}
        if groups.get("dataset") == auto.AUTO and auto.PATH in last:
            found = self._recognised(_text(self._override(last.pop(auto.PATH))))
            groups["dataset"], recognised = found.dataset, auto.untyped(found, last)
        for group, name in groups.items():
            catalogue.find(group, name, self.config_dir)
        config = copy.deepcopy(self._base(tuple(sorted(groups.items()))))
        for key, value in recognised.items():
            catalogue.put(config, key, check_value(config, key, value, str(value)))
        for key, text in last.items():
            if key not in GROUPS:
                catalogue.put(config, key, self.value(config, text))
        return check_config(_resolved(config) if "${" in repr(config) else config, self.config_dir)

    def _compose_base(self, groups: tuple[tuple[str, str], ...]) -> Config:
        """What the chosen YAMLs say, unresolved; the data set's own backbone unless one was chosen."""
        chosen = catalogue.defaults(self.config_dir) | dict(groups)
        for group in GROUPS:
            catalogue.settings(group, chosen[group], self.config_dir)  # refuses in words what Hydra would trip over
        loss = self._plain_loss(dict(groups).get("loss"))
        if loss is not None:
            return self._base(tuple(one for one in groups if one[0] != "loss")) | {"loss": loss}
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
            config[group] = _named(name, config[group])
        wanted = (config["dataset"].get("traits") or {}).get("backbone")
        if wanted and "backbone" not in dict(groups) and wanted != names["backbone"]:
            return self._base((*groups, ("backbone", wanted)))
        return {str(key): value for key, value in config.items()}

    def _plain_loss(self, name: str | None) -> Config | None:
        """What a loss's YAML says, where Hydra would put just that in the place of the default loss; else None.

        Sweeps list losses, and Hydra takes a tenth of a second for each combination of groups.
        """
        if name is None or "loss" in catalogue.read(catalogue.config_file(self.config_dir)):
            return None
        for one in (catalogue.defaults(self.config_dir)["loss"], name):
            file = catalogue.find("loss", one, self.config_dir)
            if "defaults" in catalogue.read(file) or "@package" in file.read_text(encoding="utf-8"):
                return None
        node = OmegaConf.to_container(OmegaConf.load(catalogue.find("loss", name, self.config_dir)))
        return _named(name, node) if isinstance(node, dict) and "_target_" in node else None

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


def _named(name: str, node: dict[Any, Any]) -> Config:
    """A group's part of a config, with the name of the choice in front."""
    own_name = {"_choice_": name} if "name" in node else {}
    return own_name | {"name": name} | node


def _resolved(config: Config) -> Config:
    """The config with its interpolations (`${epochs}`) replaced by what they name."""
    try:
        resolved = OmegaConf.to_container(OmegaConf.create(config), resolve=True)
    except OmegaConfBaseException as error:
        where = getattr(error, "full_key", None) or "the config"
        raise ConfigError(f"{where} cannot be resolved: {_first_line(error)}") from None
    assert isinstance(resolved, dict)
    return {str(key): value for key, value in resolved.items()}


def _text(override: Override) -> str:
    """The value as it was typed, without quotes: `12` where a name is wanted."""
    value = override.value()
    return value if isinstance(value, str) else override.get_value_string()


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]
