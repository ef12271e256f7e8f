"""Checks of a composed config that need no torch: keys, values against what their YAML allows, combinations."""

import re
import shlex
from pathlib import Path
from typing import Any

from mllc.config import catalogue, settings
from mllc.config.catalogue import GROUPS
from mllc.config.settings import NotAllowed
from mllc.errors import ConfigError
from mllc.monitors import MONITORS
from mllc.plan import row_name
from mllc.result import BASELINES
from mllc.suggest import did_you_mean
from mllc.wording import listed

ALLOWED = {
    "seed": "integer >= 0",
    "epochs": "integer >= 1",
    "batch_size": "integer >= 2",
    "accumulate": "integer >= 1",
    "device": "text",
    "amp": "auto|off|bf16|fp16",
    "channels_last": "bool",
    "engine": "auto|sequential|stacked",
    "workers": "auto|integer >= 1",
    "compile": "off|compile|graph",
    "clip": "number > 0|null",
    "monitor": "|".join(MONITORS),
    "head.kind": "linear|mlp",
    "head.hidden": "integer >= 1",
    "head.dropout": "number >= 0 < 1",
    "head.bias_init": "zero|prior",
    "split.val": "number > 0 < 1",
    "split.test": "number > 0 < 1",
    "split.folds": "integer >= 2|null",
    "split.fold": "integer >= 0",
    "split.group": "text|null",
    "thresholds.shrinkage": "number >= 0",
    "name": "text|null",
    "out": "text",
    "cache": "text|null",
    "loss.reduction": "sum|mean",
    "loss.threshold": "number > 0 < 1",
    "loss.k": "integer >= 1|null",
}
"""The typed schema of conf/config.yaml, and of the keys that every loss shares; other YAMLs declare `traits.types`."""

REQUIRED = "???"

LONGEST_NAME = 100
"""Letters of a row's name, which is part of a folder's name."""


def allowed(config: dict[str, Any], key: str) -> str | None:
    """What a YAML (or ALLOWED) declares that `key` may be; None where nothing is declared."""
    group, _, setting = key.partition(".")
    node = config.get(group)
    traits = (node.get("traits") or {}) if isinstance(node, dict) else {}
    declared = ALLOWED.get(key) or (traits.get("types") or {}).get(setting)
    if declared is None and setting in (traits.get("paths") or ()):
        return "text" if catalogue.lookup(node, setting) == REQUIRED else "text|null"
    return declared


def check_value(config: dict[str, Any], key: str, value: Any, text: str) -> Any:
    """The value of an override, if it is allowed in place of the one in `config`; `text` is how it was typed."""
    if value == REQUIRED:
        raise ConfigError(f"{key}={REQUIRED}: it needs a value: type {key}=...")
    choice = allowed(config, key) or settings.allowed_by(catalogue.lookup(config, key))
    try:
        try:
            return settings.fit(value, choice)
        except NotAllowed:
            if isinstance(value, int | float) and "text" in choice:
                return settings.fit(text, choice)
            raise
    except NotAllowed as error:
        hint = did_you_mean(text, settings.words(choice))
        raise ConfigError(f"{key}={text} is not allowed: type {error}{hint}") from None


def unknown_key(key: str, config: dict[str, Any], config_dir: Path | None) -> str:
    """The message about a key that the config does not have."""
    group, _, setting = key.partition(".")
    if group not in GROUPS or not setting:
        known = [*GROUPS, *catalogue.keys(config)]
        inside = [name for name in known if name.startswith(f"{key}.")]
        hint = f"; type one of {', '.join(inside)}." if inside else did_you_mean(key, known)
        return f"'{key}' is neither a group nor a setting{hint} The groups are {', '.join(GROUPS)}"
    name = catalogue.choice(config[group])
    own = [own for own in catalogue.keys(config[group]) if own != "name" or "_choice_" in config[group]]
    others = [other for other in catalogue.choices(group, config_dir) if other != name]
    others = [other for other in others if setting in catalogue.keys(catalogue.settings(group, other, config_dir))]
    hint = f"; it belongs to {group}={listed(others, 4, quote=str)}." if others else did_you_mean(setting, own)
    return f"{group}={name} has no setting '{setting}'{hint} Its settings: {', '.join(own) or 'none'}"


def unreadable(text: str) -> str:
    """The message about an override that Hydra's grammar cannot read: what to type, quoted for it and for the shell."""
    key, equals, value = text.partition("=")
    if not equals:
        return f"{text} cannot be read: an override is key=value, such as loss=focal or epochs=3"
    if re.match(r"(tag|interval|range|choice|glob)\(", value):
        return (
            f"{text} cannot be read; several values are {key}=a,b,c or '{key}=range(0,5)', and a range to search is "
            f"'{key}=interval(0.001,0.1)' or '{key}=tag(log,interval(0.001,0.1))'"
        )
    value = value.strip("\"'").replace('"', '\\"')
    quoted = shlex.quote(f'{key}="{value}"')
    return (
        f"{text} cannot be read: an override is key=value, with lists as [a,b]; a value that holds other letters "
        f"than a-z, or signs such as = , : ~ & ! ( [ or quotes, goes in quotes: {quoted}"
    )


def check_config(config: dict[str, Any], config_dir: Path | None = None) -> dict[str, Any]:
    """A resolved config, its declared numbers as floats; ConfigError for the first wrong value or combination."""
    present = list(catalogue.keys(config))
    missing = [key for key in ALLOWED if key.partition(".")[0] not in GROUPS and key not in present]
    if missing:
        raise ConfigError(f"config.yaml: '{missing[0]}' is missing; mllc's own conf/config.yaml shows every key")
    for key in present:
        group, value = key.partition(".")[0], catalogue.lookup(config, key)
        if group not in GROUPS and key not in ALLOWED:
            raise ConfigError(f"config.yaml: '{key}' is not a setting{did_you_mean(key, ALLOWED)}")
        if value == REQUIRED:
            what = f"{group}={catalogue.choice(config[group])}" if group in GROUPS else "config.yaml"
            raise ConfigError(f"{what} needs {key}: type {key}=...")
        catalogue.put(config, key, _check_resolved(config, key, value, config_dir))
    _check_combinations(config)
    return config


def _check_resolved(config: dict[str, Any], key: str, value: Any, config_dir: Path | None) -> Any:
    group, _, setting = key.partition(".")
    if isinstance(value, str) and value.startswith("~/") and "text" in (allowed(config, key) or ""):
        value = str(Path(value).expanduser())
    try:
        return settings.fit(value, allowed(config, key) or "any")
    except NotAllowed as error:
        if setting and group in GROUPS:
            file = catalogue.find(group, catalogue.choice(config[group]), config_dir)
        else:
            file = catalogue.config_file(config_dir)
        raise ConfigError(f"{catalogue.shown(file)}: {key}={value} is not allowed: it must be {error}") from None


def _check_combinations(config: dict[str, Any]) -> None:
    """Names and places that cannot be used, and settings that are fine one by one, and not together."""
    row = row_name(config)
    if row in BASELINES or len(row) > LONGEST_NAME:
        which = "loss" if row == config["loss"]["name"] else "name"
        wrong = "is the row of a baseline in every report" if row in BASELINES else f"has {len(row)} letters"
        raise ConfigError(f"{which}={row[:LONGEST_NAME]} {wrong}; take another, of {LONGEST_NAME} letters at most")
    if not config["out"].strip():
        raise ConfigError("out= is empty: type out=FOLDER, or leave it out for out=runs")
    _check_folds(config["split"])
    val, test = config["split"]["val"], config["split"]["test"]
    carved = all(config["dataset"].get(name, "its own") is None for name in ("val", "test"))
    if carved and config["split"]["folds"] is None and val + test >= 1:
        raise ConfigError(f"split.val={val} and split.test={test} leave nothing to train on; keep their sum below 1")
    if config["accumulate"] > config["batch_size"] // 2:
        raise ConfigError(
            f"accumulate={config['accumulate']}: of a batch of {config['batch_size']} a part would have one sample; "
            f"type accumulate={config['batch_size'] // 2} or less"
        )
    if config["optimizer"].get("nesterov") and not config["optimizer"].get("momentum"):
        raise ConfigError("optimizer.nesterov=true needs optimizer.momentum > 0, such as optimizer.momentum=0.9")
    if config["head"]["dropout"] and config["head"]["kind"] != "mlp":
        raise ConfigError(
            f"head.dropout={config['head']['dropout']} is of the hidden layer: type head.kind=mlp as well"
        )
    data, backbone = ((config[group].get("traits") or {}).get("kind", "any") for group in ("dataset", "backbone"))
    if "any" not in (data, backbone) and data != backbone:
        raise ConfigError(
            f"backbone={catalogue.choice(config['backbone'])} takes {backbone}, but "
            f"dataset={config['dataset']['name']} holds {data}; leave the backbone out, or see: mllc list backbones"
        )


def _check_folds(split: dict[str, Any]) -> None:
    folds, fold = split["folds"], split["fold"]
    if folds is None and fold:
        raise ConfigError(f"split.fold={fold} is one of how many folds? Type split.folds=5 as well")
    if folds is not None and fold >= folds:
        raise ConfigError(f"split.fold={fold}: split.folds={folds} are counted from 0 to {folds - 1}")
