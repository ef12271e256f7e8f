"""What a tuned sweep searches: conf/tune.yaml's own settings, and for each row the ranges of its nuisance settings."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mllc.config import catalogue, settings
from mllc.config.checks import check_config
from mllc.config.settings import NotAllowed
from mllc.errors import ConfigError
from mllc.study import Range
from mllc.suggest import did_you_mean

TUNED_GROUPS = {"all": ("optimizer", "loss"), "optimizer": ("optimizer",)}
"""tune.space -> the groups whose YAMLs' `traits.search` are searched."""


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

    start  the config of a trial with the YAMLs' own values
    space  searched setting -> where
    seeds  the repeats that the chosen settings are trained with
    """

    start: dict[str, Any]
    space: dict[str, Range]
    seeds: tuple[int, ...]

    def at(self, values: Mapping[str, Any], seed: int | None = None) -> dict[str, Any]:
        """The config with `values` in the place of the start's, for the trials' repeat or another."""
        config = copy.deepcopy(self.start)
        for key, value in values.items():
            catalogue.put(config, key, value)
        if seed is not None:
            config["seed"] = seed
        return check_config(config)


def tune_settings(overrides: Mapping[str, Any]) -> Tune:
    """What conf/tune.yaml says, with `overrides` (key without `tune.` -> value) in its place."""
    content = catalogue.read(catalogue.conf_folder() / "tune.yaml")
    types = content["traits"]["types"]
    for key, value in overrides.items():
        if key not in types:
            known = [f"tune.{name}" for name in types]
            raise ConfigError(
                f"'tune.{key}' is not a setting{did_you_mean(f'tune.{key}', known)} Known: {', '.join(known)}"
            )
        try:
            content[key] = settings.fit(value, types[key])
        except NotAllowed as error:
            raise ConfigError(f"tune.{key}={value} is not allowed: type {error}") from None
    if overrides and not content["trials"]:
        raise ConfigError("tune.* says how to search, and no trials are asked for: type tune.trials=20 as well")
    return Tune(**{key: content[key] for key in types})


def declared(config: Mapping[str, Any], space: str, config_dir: Path | None = None) -> dict[str, Range]:
    """The ranges that the YAMLs of the config's optimizer and loss declare, by setting."""
    return {
        f"{group}.{name}": _range(group, config[group], name, spec, config_dir)
        for group in TUNED_GROUPS[space]
        for name, spec in ((config[group].get("traits") or {}).get("search") or {}).items()
    }


def _range(group: str, node: Mapping[str, Any], name: str, spec: Any, config_dir: Path | None) -> Range:
    allowed = (node["traits"].get("types") or {}).get(name, "any")
    try:
        return checked(Range(**spec | {"choices": tuple(spec.get("choices", ()))}), allowed)
    except (TypeError, AttributeError, NotAllowed) as error:
        file = catalogue.shown(catalogue.find(group, str(node["name"]), config_dir))
        raise ConfigError(
            f"{file}: traits.search: {name}: {spec} must be such as {{low: 0.1, high: 1.0, log: true}} or "
            f"{{choices: [a, b]}}, within what the setting may be: {error}"
        ) from None


def checked(found: Range, allowed: str) -> Range:
    """The range if the setting may be all of it, else NotAllowed; its ends are closed where no other value may follow.

    >>> checked(Range(0.0, 2.0), "number >= 0").open_below
    False
    """
    if found.choices:
        return replace(found, choices=tuple(settings.fit(choice, allowed) for choice in found.choices))
    low, high = settings.fit(found.low, allowed), settings.fit(found.high, allowed)
    if not low < high or (found.log and not low > 0):
        raise NotAllowed(f"{low} to {high}{' on a log scale' if found.log else ''} is no range")
    least, most = settings.ends(allowed)
    return replace(
        found,
        low=low,
        high=high,
        integer="integer" in allowed,
        open_below=found.open_below and low != least,
        open_above=found.open_above and high != most,
    )
