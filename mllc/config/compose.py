"""From overrides to plain, checked configs: one for a run, all combinations for a sweep."""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mllc.config import catalogue
from mllc.config.catalogue import GROUPS, NOT_IN_IDENTITY
from mllc.config.composer import Config, composer
from mllc.config.presets import key_of
from mllc.config.targets import build, target
from mllc.errors import ConfigError

__all__ = ["build", "compose", "expand", "flat", "identity", "target"]

NOT_IN_A_DATA_SET = ("cache", "download")
"""Settings of a data set that say how it is held or got, not what it is."""

IDENTIFYING = tuple(group for group in GROUPS if group not in NOT_IN_IDENTITY)
"""The groups whose choice makes a run what it is."""


def compose(overrides: Sequence[str], config_dir: Path | None = None) -> Config:
    """The resolved config of one run: plain values, with the chosen name of each group as `GROUP.name`.

    ConfigError for an unknown group, choice or key, a value that is not allowed, one that is missing, a sweep.
    """
    with composer(config_dir) as hydra:
        for override in overrides:
            if override.startswith(("sweep=", "tune.")):
                raise ConfigError(
                    f"{override} asks for several runs, but this is one: use mllc sweep {shlex.quote(override)}"
                )
            if hydra.is_sweep(override):
                raise ConfigError(
                    f"{override} asks for several runs, but this is one: use mllc sweep {shlex.quote(override)}; "
                    f"a comma that belongs to the value needs quotes: '{key_of(override)}=\"a,b\"'"
                )
        return hydra.compose(tuple(overrides))


def expand(overrides: Sequence[str], config_dir: Path | None = None, preset: str | None = "standard") -> list[Config]:
    """The configs of a sweep, in order, repeated ones once: every combination of what the overrides list.

    overrides  Hydra's syntax: `loss=bce,focal`, `seed=range(3)`, `loss=glob(*)`, `loss.gamma=choice(1,2)`, and
               `sweep=NAME` for a preset, conf/sweep/NAME.yaml
    preset     the one that is used when none is named and no override is a sweep; None: the overrides as they are
    """
    with composer(config_dir) as hydra:
        name, own = hydra.preset(overrides, preset)
        return hydra.configs(hydra.blocks(name, own))


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
        left_out = {*paths, *(NOT_IN_A_DATA_SET if group == "dataset" else ())}
        result[group] = {key: value for key, value in node.items() if key not in left_out}
    return result
