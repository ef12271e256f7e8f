"""What conf/ offers: groups, choices, what their YAMLs say of themselves. Reads folders and YAML only: it is quick."""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from mllc.config.settings import is_declaration
from mllc.errors import ConfigError
from mllc.suggest import did_you_mean

GROUPS = ("dataset", "backbone", "loss", "optimizer", "schedule", "tracker")
"""The groups of which a run chooses one each."""

KINDS = {"losses": "loss", "datasets": "dataset", "sweeps": "sweep"} | {
    f"{group}s": group for group in ("backbone", "optimizer", "schedule", "tracker")
}
"""What `mllc list` can list -> its folder in conf/."""

NOT_IN_IDENTITY = ("device", "engine", "compile", "workers", "out", "cache", "tracker")
"""Top-level keys that say where and how a run happens and who is told of it, not what it is."""

OF_EVERY_LOSS = ("name", "reduction", "rule", "threshold", "k")
"""Keys of a loss's YAML that are not settings of its own."""


def conf_folder() -> Path:
    """mllc's own conf/: inside the package in a wheel, beside it in a checkout."""
    packaged = Path(__file__).parent.parent / "conf"
    return packaged if packaged.is_dir() else packaged.parent.parent / "conf"


def folders(config_dir: Path | None = None) -> list[Path]:
    """Where YAMLs are looked for: the user's own folder first, so that its files shadow ours."""
    if config_dir is None:
        return [conf_folder()]
    if not config_dir.is_dir():
        raise ConfigError(f"--config-dir {config_dir} is not a folder; it holds loss/NAME.yaml, dataset/NAME.yaml, ...")
    return [config_dir, conf_folder()]


def shown(file: Path) -> str:
    """How messages call a YAML: ours by its place in conf/, the user's by its own path."""
    return f"conf/{file.relative_to(conf_folder())}" if file.is_relative_to(conf_folder()) else str(file)


def choices(group: str, config_dir: Path | None = None) -> dict[str, Path]:
    """Name -> YAML of every choice of a group, by name."""
    found = {file.stem: file for folder in reversed(folders(config_dir)) for file in (folder / group).glob("*.yaml")}
    return dict(sorted(found.items()))


def find(group: str, name: str, config_dir: Path | None = None) -> Path:
    """The YAML of a choice; ConfigError with the nearest name where there is none."""
    known = choices(group, config_dir)
    if name not in known:
        where = f"conf/{group}" + (f" or {config_dir}/{group}" if config_dir else "")
        plural = next(kind for kind, folder in KINDS.items() if folder == group)
        raise ConfigError(f"{group} '{name}' is not in {where}{did_you_mean(name, known)} See: mllc list {plural}")
    return known[name]


def read(file: Path) -> dict[str, Any]:
    """A YAML file that holds a mapping, its own keys in the form that all of them have."""
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{shown(file)} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{shown(file)} cannot be read: it is not UTF-8 text (byte {error.start})") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).partition("\n")[0]
        raise ConfigError(f"{shown(file)}{line} is not YAML: {problem}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{shown(file)} holds no settings; expected lines such as `key: value`")
    if wrong := _wrong_form(content):
        raise ConfigError(f"{shown(file)}: {wrong}")
    return content


def _wrong_form(content: dict[Any, Any]) -> str | None:
    """What is wrong with the keys that mean the same in every YAML; None where they are fine."""
    for key in content:
        if not isinstance(key, str):
            return f"the key {key} must be text"
    parents, function = content.get("defaults", []), content.get("_target_", "package.function")
    if not isinstance(parents, list) or not all(isinstance(parent, str | dict) for parent in parents):
        return "defaults must be a list, such as [focal]"
    if not isinstance(function, str) or not all(part.isidentifier() for part in function.split(".")):
        return f"_target_: {function} must be package.module.function"
    traits = content.get("traits") or {}
    if not isinstance(traits, dict):
        return f"traits: {traits} must be settings, such as {{formula: ...}}"
    types = traits.get("types") or {}
    for key, allowed in types.items() if isinstance(types, dict) else [("", types)]:
        if not isinstance(allowed, str) or not is_declaration(allowed):
            return f"traits.types: {key}: {allowed} must be a declaration, such as {{gamma: number >= 0 | null}}"
    return None


@cache
def settings(group: str, name: str, config_dir: Path | None = None) -> dict[str, Any]:
    """What a choice's YAML says, on top of the YAMLs of its group that it inherits from (`defaults: [focal]`)."""
    file = find(group, name, config_dir)
    own = read(file)
    merged: dict[str, Any] = {}
    for parent in own.pop("defaults", []):
        if isinstance(parent, str) and parent not in ("_self_", name):
            try:
                merged |= settings(group, parent, config_dir)
            except ConfigError as error:
                raise ConfigError(f"{shown(file)}: {error}") from None
    return merged | own


def choice(node: Mapping[str, Any]) -> str:
    """The choice that a group's part of a config comes from, which a YAML's own setting `name` may hide."""
    return node.get("_choice_") or node["name"]


def config_file(config_dir: Path | None = None) -> Path:
    """The config.yaml that holds: the user's before ours."""
    return next(folder / "config.yaml" for folder in folders(config_dir) if (folder / "config.yaml").exists())


def tune_file() -> Path:
    """What the keys tune.* are."""
    return conf_folder() / "tune.yaml"


@cache
def defaults(config_dir: Path | None = None) -> dict[str, str]:
    """The choice of each group where the command line names none."""
    file = config_file(config_dir)
    entries = read(file).get("defaults", [])
    chosen = {group: name for entry in entries if isinstance(entry, dict) for group, name in entry.items()}
    for group in GROUPS:
        if not isinstance(chosen.get(group), str):
            raise ConfigError(
                f"{shown(file)}: its defaults name no {group}; mllc's own conf/config.yaml names them all"
            )
    return chosen


def keys(node: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """The dotted keys of the settings in a (nested) mapping: what an override can set."""
    for key, value in node.items():
        if is_setting(key):
            if isinstance(value, dict):
                yield from keys(value, f"{prefix}{key}.")
            else:
                yield f"{prefix}{key}"


def lookup(node: Any, key: str) -> Any:
    """The value at a dotted key; None where there is none."""
    for part in key.split("."):
        node = node.get(part) if isinstance(node, dict) else None
    return node


def put(node: dict[str, Any], key: str, value: Any) -> None:
    """Sets the value at a dotted key that is there, in place."""
    path, _, last = key.rpartition(".")
    (lookup(node, path) if path else node)[last] = value


def is_setting(key: str) -> bool:
    """Whether a key of a YAML is a setting, and not what the YAML says of itself."""
    return key not in ("traits", "defaults") and not key.startswith("_")


def columns(group: str) -> tuple[str, ...]:
    """What `mllc list` says of each choice, beside its name."""
    told = {"loss": ("formula", "settings", "rule", "needs", "source"), "sweep": ("summary",)}
    return told.get(group, ("summary", "source"))


def rows(group: str, config_dir: Path | None = None) -> list[tuple[str, ...]]:
    """For each choice its name and its `columns`."""
    table = []
    for name in choices(group, config_dir):
        content = settings(group, name, config_dir)
        traits = content.get("traits") or {}
        said = content | traits
        own = [f"{key}={_as_typed(lookup(content, key))}" for key in keys(content) if key not in OF_EVERY_LOSS]
        said["settings"] = ", ".join(own)
        said["needs"] = ", ".join(traits.get("needs") or ())
        table.append((name, *(str(said.get(column) or "-") for column in columns(group))))
    return table


def _as_typed(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
