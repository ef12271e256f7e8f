"""A trial: a config that waits for its run, with its id, its folder and its name on the screen."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from mllc.build import Config, Shared, file_fingerprints
from mllc.config.compose import flat, identity
from mllc.plan import TRIAL_KEYS, row_name
from mllc.store import RunFolder, run_id


class Trial(NamedTuple):
    """A config that waits for its run: where it goes and how the screen calls it."""

    config: Config
    folder: RunFolder
    run_id: str
    title: str


def trial_of(conf: Config, title: str, shared: Shared) -> Trial:
    """The trial of `conf` on its cohort's data."""
    identifier = run_id(identity(conf), shared.fingerprints | file_fingerprints(conf, shared.allow))
    return Trial(conf, RunFolder.of(conf, identifier), identifier, title)


def titles(group: Sequence[Config], among: Sequence[Config] = ()) -> list[str]:
    """How the trials of a cohort are called: the row's name, and the settings in which trials of that name differ.

    among  all trials of the cohort, where `group` is a part of it
    """
    everyone = [(row_name(conf), _own(conf)) for conf in among or group]
    found = []
    for conf in group:
        name, settings = row_name(conf), _own(conf)
        namesakes = [other for other_name, other in everyone if other_name == name]
        differ = [key for key in sorted(settings) if any(other.get(key) != settings[key] for other in namesakes)]
        found.append(" ".join([name, *(f"{key}={settings[key]}" for key in differ)]))
    return found


def _own(conf: Config) -> dict[str, Any]:
    return flat({key: conf[key] for key in TRIAL_KEYS if key in conf})


def repeat_of(conf: Config) -> str:
    """How a cohort is called: the data set, the seed, and the fold where there are folds."""
    fold = f", fold {conf['split']['fold']}" if conf["split"].get("folds") else ""
    return f"{conf['dataset']['name']}, seed {conf['seed']}{fold}"
