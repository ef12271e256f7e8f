"""Ranges to search: from what YAMLs declare (`traits.search`) and overrides ask, as far as the setting may go."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mllc.config import catalogue, settings
from mllc.config.settings import NotAllowed
from mllc.errors import ConfigError
from mllc.study import Range, is_number

FLAGS = frozenset({"log", "open_below", "open_above"})
"""What a declared interval may say beside its ends."""

SEARCHED_GROUPS = ("optimizer", "loss")
"""The groups whose YAMLs declare what is worth a search."""


def declared(config: Mapping[str, Any], config_dir: Path | None = None) -> dict[str, Range]:
    """The ranges that the YAMLs of a config's optimizer and loss declare, by setting; ConfigError for a wrong one."""
    found: dict[str, Range] = {}
    for group in SEARCHED_GROUPS:
        node = config[group]
        search = (node.get("traits") or {}).get("search") or {}
        try:
            if not isinstance(search, dict):
                raise NotAllowed("settings with their ranges")
            for name, spec in search.items():
                found[f"{group}.{name}"] = _declared(node, name, spec)
        except NotAllowed as error:
            file = catalogue.shown(catalogue.find(group, catalogue.choice(node), config_dir))
            raise ConfigError(
                f"{file}: traits.search: {search} is not allowed: it must be {error}; such as "
                "{gamma: {low: 0.1, high: 10.0, log: true}, average: {choices: [label, sample]}}"
            ) from None
    return found


def _declared(node: Mapping[str, Any], name: str, spec: Any) -> Range:
    if name not in catalogue.keys(dict(node)):
        raise NotAllowed(f"of settings that the YAML has, which '{name}' is not")
    may_be = (node["traits"].get("types") or {}).get(name) or settings.allowed_by(node[name])
    try:
        match spec:
            case {"choices": [_, *_] as values, **others} if not others:
                return choices([settings.fit(value, may_be) for value in values], may_be)
            case {"low": low, "high": high, **said} if said.keys() <= FLAGS and set(map(type, said.values())) <= {bool}:
                return interval(low, high, may_be, **said)
    except NotAllowed as error:
        raise NotAllowed(f"for '{name}' {error}") from None
    raise NotAllowed(f"for '{name}' low and high ({', '.join(sorted(FLAGS))}: true or false), or choices")


def choices(values: Sequence[Any], may_be: str, log: bool = False) -> Range:
    """The range of some values of a setting that `may_be` them all, equal ones once.

    Beyond the least and the largest number lies one as far out as the next one is within, by ratio with `log` and where
    they span a factor of 10.

    >>> choices([0.001, 0.01, "auto"], "number > 0 | auto").above
    0.1
    """
    values = tuple({json.dumps(value): value for value in values}.values())
    numbers = sorted(filter(is_number, values))
    if len(numbers) < 2:
        return Range(choices=values)
    (low, second), (last, high) = numbers[:2], numbers[-2:]
    log = low > 0 and (log or high >= 10 * low)
    down, up = (low * low / second, high * high / last) if log else (2 * low - second, 2 * high - last)
    below, above = _further(low, down, high, up, may_be)
    return Range(choices=values, below=below, above=above)


def interval(
    low: Any, high: Any, may_be: str, log: bool = False, open_below: bool = True, open_above: bool = True
) -> Range:
    """The numbers from `low` to `high` of a setting that `may_be` them all; else NotAllowed.

    open_below, open_above  whether something new lies beyond: not where less is as good as none, say

    >>> interval(0, 2, "number >= 0")
    Range(low=0.0, high=2.0, log=False, integer=False, choices=(), below=None, above=3.0)
    """
    low, high = settings.fit(low, may_be), settings.fit(high, may_be)
    if not (is_number(low) and is_number(high)):
        raise NotAllowed("numbers for the ends of an interval")
    if not low < high:
        raise NotAllowed("the lower end first")
    if log and not low > 0:
        raise NotAllowed("a lower end above 0, for the scale is a log one")
    down, up = (low / 10, high * 10) if log else (low - (high - low) / 2, high + (high - low) / 2)
    below, above = _further(low, down, high, up, may_be)
    return Range(
        low,
        high,
        log,
        integer=isinstance(low, int),
        below=below if open_below else None,
        above=above if open_above else None,
    )


def _further(low: float, down: float, high: float, up: float, may_be: str) -> tuple[float | None, float | None]:
    """`down` and `up`, or as far out as the setting may go; see `_beyond`."""
    least, most = settings.bounds(may_be)
    return _beyond(low, down, least, may_be), _beyond(high, up, most, may_be)


def _beyond(end: float, further: float, bound: float | None, may_be: str) -> float | None:
    """`further`, or as far towards `bound` as a setting may go; None where it may not go beyond `end`."""
    if bound is not None and (further - bound) * (end - bound) <= 0:
        further = bound
    further = round(further) if isinstance(end, int) else float(f"{further:.4g}")
    try:
        settings.fit(further, may_be)
    except NotAllowed:  # the bound itself is not allowed
        further = end if isinstance(end, int) else (end + further) / 2
    return None if further == end else further
