"""Presets of `mllc sweep`, conf/sweep/NAME.yaml: a grid of overrides, and rows of fixed trials beside it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mllc.config import catalogue
from mllc.errors import ConfigError


def preset_parts(name: str, own: Sequence[str], config_dir: Path | None = None) -> tuple[list[str], list[list[str]]]:
    """The overrides of a preset's grid, and those of each row, every one a sweep of its own.

    The user's overrides `own` replace the preset's on the same key. A row fixes what it names: of `own` it takes those
    on keys that neither the row nor the grid names.
    """
    content = catalogue.settings("sweep", name, config_dir)
    if wrong := _wrong_form(content):
        raise ConfigError(f"{catalogue.shown(catalogue.find('sweep', name, config_dir))}: {wrong}")
    shared = [f"{key}={value}" for key, value in (content.get("shared") or {}).items()]
    grid = [f"{key}={value}" for key, value in (content.get("grid") or {}).items()]
    in_grid = {key_of(override) for override in grid}
    elsewhere = [override for override in own if key_of(override) not in in_grid]
    return merge(shared, grid, own), [merge(shared, elsewhere, row) for row in content.get("rows") or []]


def _wrong_form(content: dict[str, Any]) -> str | None:
    """What is wrong with a preset; None where it is fine."""
    for key, given in content.items():
        if key not in ("summary", "shared", "grid", "rows"):
            return f"unknown key {key}; it may hold summary, shared, grid, rows"
        if key in ("shared", "grid") and given is not None:
            values = given.values() if isinstance(given, dict) else [None]
            if not all(isinstance(value, str | int | float) for value in values):
                return f"{key} must be lines such as `loss: bce,focal` or `seed: range(3)`"
        if key == "rows" and given is not None:
            rows = given if isinstance(given, list) else [given]
            overrides = [override for row in rows for override in (row if isinstance(row, list) else [None])]
            if not all(isinstance(override, str) and "=" in override for override in overrides):
                return "rows must be a list of trials, such as [[loss=bce, optimizer=sgd], [loss=zlpr]]"
    return None


def with_rates(overrides: list[str], config_dir: Path | None = None) -> list[list[str]]:
    """Puts each optimizer's own learning rates in the place of `optimizer.lr=rates`, one block an optimizer.

    They are those that its YAML names as worth a try, since the rates of one optimizer are not those of another.
    """
    if "optimizer.lr=rates" not in overrides:
        return [overrides]
    chosen = dict(override.split("=", 1) for override in overrides if "=" in override)
    blocks = []
    for name in chosen.get("optimizer", catalogue.defaults(config_dir)["optimizer"]).split(","):
        rates = (catalogue.settings("optimizer", name, config_dir).get("traits") or {}).get("rates")
        if not rates:
            file = catalogue.shown(catalogue.find("optimizer", name, config_dir))
            raise ConfigError(f"{file} names no traits.rates; type optimizer.lr=0.01,0.1 as well")
        blocks.append(merge(overrides, [f"optimizer={name}", f"optimizer.lr={rates}"]))
    return blocks


def merge(*overrides: Sequence[str]) -> list[str]:
    """Later overrides replace earlier ones on the same key.

    >>> merge(["seed=range(3)", "epochs=6"], ["seed=1"])
    ['seed=1', 'epochs=6']
    """
    return list({key_of(override): override for part in overrides for override in part}.values())


def key_of(override: str) -> str:
    """What stands before the first `=`."""
    return override.partition("=")[0]
