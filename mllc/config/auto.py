"""dataset=auto: the format that is recognised at dataset.path takes its place before anything is composed."""

import logging
from collections.abc import Iterable
from typing import Any

from mllc.data.recognise import Recognised, recognise

AUTO, PATH = "auto", "dataset.path"

INSTEAD = {"labels": "num_labels", "label_column": "label_columns", "label_columns": "label_column"}
"""Settings that give way to another one that was typed."""

_log = logging.getLogger("mllc")


def recognised(path: str) -> Recognised:
    """What is at a path; says what it was taken for, by what, and how to type that."""
    found = recognise(path)
    _log.warning("dataset=auto: %s, as %s; the same is %s", found.dataset, found.reason, found.command)
    return found


def untyped(found: Recognised, typed: Iterable[str]) -> dict[str, Any]:
    """Key -> value of the recognised settings that were not typed themselves."""
    keys = set(typed)
    return {
        f"dataset.{key}": value
        for key, value in found.settings.items()
        if not keys & {f"dataset.{key}", f"dataset.{INSTEAD.get(key)}"}
    }
