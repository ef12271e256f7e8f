"""Completion of overrides at <TAB>: groups, choices, keys of the chosen YAMLs and the words that they allow."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mllc.config import catalogue
from mllc.config.auto import AUTO, PATH
from mllc.config.checks import REQUIRED, allowed
from mllc.config.settings import words
from mllc.data.recognise import recognise
from mllc.errors import MllcError


def complete_override(typed: Iterable[str], incomplete: str, config_dir: Path | None = None) -> list[str]:
    """What `incomplete` (`lo`, `loss=fo`, `loss.ga`) may become, given the overrides typed before it.

    A single key comes with its values, so that the shell puts no space behind its `=`. Never raises: whoever presses
    <TAB> wants no message.
    """
    try:
        nodes, offers = _offers(typed, config_dir)
        key, equals, _ = incomplete.partition("=")
        found = [name for name in offers if name.startswith(key)]
        if equals or len(found) == 1:
            name = key if equals else found[0]
            values = [f"{name}={value}" for value in _values(name, nodes, config_dir)]
            return [value for value in values if value.startswith(incomplete)] or ([] if equals else [f"{name}="])
        return [f"{name}=" for name in found]
    except MllcError:
        return []


def complete_in_shell(typed: Iterable[str], incomplete: str, config_dir: Path | None = None) -> list[str]:
    """`complete_override` for the running shell: bash cuts words at `=` and wants only what stands behind it."""
    before = os.environ.get("COMP_WORDS", "").split()[: int(os.environ.get("COMP_CWORD", "-1")) + 1]
    typed = " ".join(typed).replace(" = ", "=").split()
    if before[-1:] == ["="]:
        head = before[-2]
    elif before[-2:-1] == ["="] and incomplete:
        head = before[-3]
    else:
        return complete_override(typed, incomplete, config_dir)
    whole = complete_override(typed, f"{head}={incomplete}", config_dir)
    return [word.partition("=")[2] for word in whole]


def _offers(typed: Iterable[str], config_dir: Path | None) -> tuple[dict[str, Any], list[str]]:
    """The YAMLs of the run as typed so far, and every key that an override can set."""
    pairs = dict(word.split("=", 1) for word in typed if "=" in word)
    if pairs.get("dataset") == AUTO and PATH in pairs:
        pairs["dataset"] = recognise(pairs[PATH]).dataset
    chosen = catalogue.defaults(config_dir) | {
        group: name for group, name in pairs.items() if group in catalogue.GROUPS
    }
    known = {group: name for group, name in chosen.items() if name in catalogue.choices(group, config_dir)}
    nodes = {group: catalogue.settings(group, name, config_dir) for group, name in known.items()}
    nodes["tune"] = catalogue.read(catalogue.tune_file())
    top = catalogue.read(catalogue.conf_folder() / "config.yaml")
    return top | nodes, [*catalogue.GROUPS, "sweep", *catalogue.keys(top), *catalogue.keys(nodes)]


def _values(key: str, nodes: dict[str, Any], config_dir: Path | None) -> list[str]:
    """The choices of a group; for a setting the words that it allows, and its default."""
    if key in (*catalogue.GROUPS, "sweep"):
        return list(catalogue.choices(key, config_dir))
    if key.partition(".")[0] not in nodes:
        return []
    default = catalogue.lookup(nodes, key)
    offered = words(allowed(nodes, key) or "")
    if default not in (None, REQUIRED) and not isinstance(default, dict):
        offered.append(default if isinstance(default, str) else json.dumps(default, separators=(",", ":")))
    return sorted(set(offered))
