"""With what the runs were made, and the commands that make them again: from environment.json of each run folder."""

import json
import shlex
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mllc.page.document import Commands, Facts, Part, Text
from mllc.wording import counted

ALSO = ("folder", "command", "started")
"""What two runs of one environment may differ in."""


@dataclass(eq=False)
class Origin:
    """One environment: its facts, and the commands that were typed in it, by folder, in the order of their start."""

    facts: dict[str, Any]
    commands: dict[str, dict[str, None]] = field(default_factory=dict)
    runs: int = 0
    started: list[str] = field(default_factory=list)


def origins(folders: Iterable[Path]) -> tuple[list[Origin], int]:
    """The environments of the runs, the commonest first, and how many runs have no readable environment.json."""
    found: dict[str, Origin] = {}
    read = [_read(folder / "environment.json") for folder in folders]
    known = [one for one in read if one is not None]
    for one in sorted(known, key=lambda one: str(one.get("started"))):
        facts = {key: value for key, value in one.items() if key not in ALSO}
        origin = found.setdefault(json.dumps(facts, sort_keys=True), Origin(facts))
        origin.runs += 1
        origin.started.append(str(one.get("started")))
        origin.commands.setdefault(str(one.get("folder", ".")), {})[typed(one.get("command"))] = None
    return sorted(found.values(), key=lambda one: -one.runs), len(read) - len(known)


def told(folders: Iterable[Path], report: str) -> list[Part]:
    """What the section says: of each environment its facts and commands; `report` is the command that made the page."""
    found, unknown = origins(folders)
    parts: list[Part] = []
    for i, origin in enumerate(found, 1):
        if len(found) > 1:
            parts.append(Text(f"Environment {i} of {len(found)}, {counted(origin.runs, 'run')}:"))
        runs = Counter(day.partition("T")[0] for day in origin.started)
        days = ("runs", ", ".join(f"{number} on {day}" for day, number in runs.items()))
        parts += [Commands([*setup(origin.facts), *_typed_in(origin)]), Facts([*facts_of(origin.facts), days])]
    if unknown:
        parts.append(Text(f"{counted(unknown, 'run')} without a readable environment.json: its command is not known."))
    return [*parts, Text("This page was made by"), Commands([report])]


def setup(facts: dict[str, Any]) -> list[str]:
    """The lines that install what the runs were made with.

    >>> setup({"mllc": "0.1.0", "packages": {"torch": "2.9.0+cu128"}, "commit": None})
    ['pip install mllc==0.1.0 torch==2.9.0']
    >>> setup({"mllc": "0.1.0", "packages": {"torch": "2.9.0+cu128"}, "commit": "0a1b2c3"})
    ['# in the source tree of mllc 0.1.0, at commit 0a1b2c3', 'pip install . torch==2.9.0']
    """
    commit, packages = facts.get("commit"), facts.get("packages") or {}
    pinned = [f"{name}=={str(version).partition('+')[0]}" for name, version in packages.items() if version]
    if not commit:
        return [shlex.join(["pip", "install", f"mllc=={facts.get('mllc')}", *pinned])]
    clean = str(commit).removesuffix("-dirty")
    changed = " with changes that were not committed" if clean != commit else ""
    return [
        f"# in the source tree of mllc {facts.get('mllc')}, at commit {clean}{changed}",
        shlex.join(["pip", "install", ".", *pinned]),
    ]


def typed(command: Any) -> str:
    """A command as it is typed; mllc is called mllc, however it was started.

    >>> typed(["__main__.py", "sweep", "loss=bce,zlpr", "out=my runs"])
    "mllc sweep loss=bce,zlpr 'out=my runs'"
    """
    if not isinstance(command, list) or not command:
        return "# a command that was not recorded"
    first, *rest = map(str, command)
    start = ["mllc"] if first in ("__main__.py", "mllc") else ["python", first] if first.endswith(".py") else [first]
    return shlex.join([*start, *rest])


def _typed_in(origin: Origin) -> list[str]:
    lines: list[str] = []
    for folder, commands in origin.commands.items():
        lines += [shlex.join(["cd", folder]), *commands]
    return lines


def facts_of(environment: dict[str, Any]) -> list[tuple[str, str]]:
    """Versions and hardware, by name."""
    packages = environment.get("packages") or {}
    apart = (*ALSO, "packages")
    pairs = [
        (key.replace("_", " "), str(value))
        for key, value in environment.items()
        if key not in apart and value is not None
    ]
    return pairs + [(name, str(version)) for name, version in packages.items()]


def _read(file: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
