"""Presets of `mllc sweep`, conf/sweep/NAME.yaml: a grid of overrides, and rows of fixed trials beside it."""

from collections.abc import Sequence
from pathlib import Path

from mllc.config import catalogue
from mllc.errors import ConfigError


def preset_blocks(name: str, own: Sequence[str], config_dir: Path | None = None) -> list[list[str]]:
    """The blocks of overrides that a preset stands for, each a sweep of its own: its grid, then each row.

    The user's overrides `own` replace the preset's on the same key. A row fixes what it names: of `own` it takes those
    on keys that neither the row nor the grid names. `optimizer.lr: rates` stands for the rates that the YAML of the
    chosen optimizer names as worth a try, since those of one optimizer are not those of another.
    """
    content = catalogue.settings("sweep", name, config_dir)
    unknown = sorted(content.keys() - {"summary", "shared", "grid", "rows"})
    if unknown:
        raise ConfigError(f"conf/sweep/{name}.yaml: unknown key {unknown[0]}; it may hold summary, shared, grid, rows")
    shared = [f"{key}={value}" for key, value in (content.get("shared") or {}).items()]
    grid = [f"{key}={value}" for key, value in (content.get("grid") or {}).items()]
    in_grid = {key_of(override) for override in grid}
    elsewhere = [override for override in own if key_of(override) not in in_grid]
    rows = [merge(shared, elsewhere, row) for row in content.get("rows") or []]
    return [*_with_rates(merge(shared, grid, own), config_dir), *rows]


def _with_rates(overrides: list[str], config_dir: Path | None) -> list[list[str]]:
    """Puts each optimizer's own learning rates in the place of `optimizer.lr=rates`, one block an optimizer."""
    if "optimizer.lr=rates" not in overrides:
        return [overrides]
    (names,) = (override.partition("=")[2] for override in overrides if key_of(override) == "optimizer")
    blocks = []
    for name in names.split(","):
        rates = (catalogue.settings("optimizer", name, config_dir).get("traits") or {}).get("rates")
        if not rates:
            raise ConfigError(f"conf/optimizer/{name}.yaml names no traits.rates; type optimizer.lr=0.01,0.1 as well")
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
