"""What conf/ offers: groups, choices, what their YAMLs say of themselves. Reads folders and YAML only: it is quick."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from mllc.errors import ConfigError
from mllc.suggest import did_you_mean

GROUPS = ("dataset", "backbone", "loss", "optimizer", "schedule")
"""The groups of which a run chooses one each."""

KINDS = {"losses": "loss", "datasets": "dataset", "sweeps": "sweep"} | {
    f"{group}s": group for group in ("backbone", "optimizer", "schedule")
}
"""What `mllc list` can list -> its folder in conf/."""


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
    return [config_dir.absolute(), conf_folder()]


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
    """A YAML file that holds a mapping."""
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{file} cannot be read: {error}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{file} holds no settings; expected lines such as `key: value`")
    return content


@cache
def settings(group: str, name: str, config_dir: Path | None = None) -> dict[str, Any]:
    """What a choice's YAML says, on top of the YAMLs of its group that it inherits from (`defaults: [focal]`)."""
    own = read(find(group, name, config_dir))
    merged: dict[str, Any] = {}
    for parent in own.pop("defaults", []):
        if isinstance(parent, str) and parent not in ("_self_", name):
            merged |= settings(group, parent, config_dir)
    return merged | own


def defaults() -> dict[str, str]:
    """The choice of each group where the command line names none."""
    entries = read(conf_folder() / "config.yaml")["defaults"]
    return {group: name for entry in entries if isinstance(entry, dict) for group, name in entry.items()}


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
    return {"loss": ("formula", "rule", "source"), "sweep": ("summary",)}.get(group, ("summary", "source"))


def rows(group: str, config_dir: Path | None = None) -> list[tuple[str, ...]]:
    """For each choice its name and its `columns`."""
    table = []
    for name in choices(group, config_dir):
        content = settings(group, name, config_dir)
        said = content | (content.get("traits") or {})
        table.append((name, *(str(said.get(column) or "") for column in columns(group))))
    return table
