"""Trials to cohorts: which configs can share their decoding, augmentation, frozen features and batches."""

import json
import math
from collections.abc import Iterable
from typing import Any

TRIAL_KEYS = frozenset({"loss", "optimizer", "schedule", "clip", "head", "name"})
"""Top-level config keys in which the trials of one cohort may differ; all others are the cohort's."""


def row_name(config: dict[str, Any]) -> str:
    """The row of a report that a run belongs to."""
    return config["name"] or config["loss"]["name"]


def shared_part(config: dict[str, Any]) -> dict[str, Any]:
    """What a config shares with its cohort."""
    return {key: value for key, value in config.items() if key not in TRIAL_KEYS}


def config_key(config: dict[str, Any]) -> str:
    """A config as text, the same for equal ones."""
    return json.dumps(config, sort_keys=True)


def cohorts(configs: Iterable[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Groups configs that differ in `TRIAL_KEYS` only, in the order of first appearance; repeated configs count once.

    >>> [[c["loss"] for c in group] for group in cohorts(
    ...     [{"loss": "bce", "seed": 0}, {"loss": "bce", "seed": 1}, {"loss": "focal", "seed": 0}])]
    [['bce', 'focal'], ['bce']]
    """
    groups: dict[str, dict[str, dict[str, Any]]] = {}
    for config in configs:
        group = groups.setdefault(config_key(shared_part(config)), {})
        group.setdefault(config_key(config), config)
    return [list(group.values()) for group in groups.values()]


def chunks(trials: list[Any], most: int) -> list[list[Any]]:
    """Cuts a cohort into equal parts of at most `most` trials.

    >>> chunks([1, 2, 3, 4, 5], 3)
    [[1, 2, 3], [4, 5]]
    """
    parts = -(-len(trials) // max(most, 1))
    size = -(-len(trials) // max(parts, 1))
    return [trials[start : start + size] for start in range(0, len(trials), max(size, 1))]


def share_out(cohorts: list[list[Any]], workers: int, *, cut: bool) -> list[list[Any]]:
    """Parts for workers that take the next one whenever they have done one, so that all end at about the same time.

    Whole cohorts, which share their work, the largest first; if they may be `cut`, those that are left over in equal
    parts.

    >>> share_out([[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]], 2, cut=True)
    [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10], [11, 12]]
    """
    parts = sorted(cohorts, key=len, reverse=True)
    over = len(parts) % workers if cut else 0
    if over:
        pieces = workers // math.gcd(over, workers)
        parts[-over:] = [part for cohort in parts[-over:] for part in chunks(cohort, -(-len(cohort) // pieces))]
    return parts
