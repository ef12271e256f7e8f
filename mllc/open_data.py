"""From a config to its data set: read once for all the runs that share it, and divided for each of their seeds."""

import inspect
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from mllc import seeding
from mllc.config import catalogue
from mllc.config.targets import build, target
from mllc.data.rows import join, select
from mllc.data.single_positive import single_positive
from mllc.data.splits import carve
from mllc.data.statistics import constant_labels, label_statistics
from mllc.errors import ConfigError
from mllc.types import Dataset, Rows

Config = dict[str, Any]
Places = Mapping[str, Tensor]
"""Split -> the places of its samples among all those of the source, its own splits one after the other."""


def open_data(conf: Config, allow: tuple[str, ...] = ()) -> Dataset:
    """The data set that a config names, read and split for its seed; nothing is asked of it yet."""
    return divided(conf, read_source(conf, allow))[0]


def read_source(conf: Config, allow: tuple[str, ...] = ()) -> Dataset:
    """The data set that a config names, as it was read."""
    dataset = sized(conf["dataset"], conf["backbone"])
    return _read(json.dumps(dataset, sort_keys=True), conf["cache"], conf["split"]["group"], allow)


def divided(conf: Config, source: Dataset) -> tuple[Dataset, Places]:
    """What a config makes of its source: a data set with all three splits, and where their samples are in the source.

    The places are carved, and the inputs selected by them: carving (which takes long, for many labels) needs no inputs.
    """
    dataset, seed = conf["dataset"], conf["seed"]
    parts = source.splits
    numbers = torch.arange(sum(map(len, parts.values()))).split([len(part) for part in parts.values()])
    numbered = {name: replace(part, inputs=at) for (name, part), at in zip(parts.items(), numbers, strict=True)}
    generator = seeding.generator(dataset["name"], seed, "split")
    data = carve(replace(source, **numbered), **conf["split"], generator=generator)
    places: dict[str, Tensor] = {name: split.inputs for name, split in data.splits.items()}  # type: ignore[misc]
    rows = [part.inputs for part in parts.values()]
    if conf["split"]["folds"] is not None and len(rows) > 1:
        rows = [join(rows)]
    inputs = {name: replace(split, inputs=_at(rows, places[name])) for name, split in data.splits.items()}
    data = replace(data, **inputs)
    if dataset.get("single_positive"):
        data = single_positive(data, seeding.generator(dataset["name"], seed, "single_positive"))
    notes = constant_labels(data.label_names, label_statistics(data.train))
    return replace(data, notes=(*data.notes, *notes)), places


def _at(parts: Sequence[Rows], places: Tensor) -> Rows:
    """The rows at places that are all in one of the parts: the part as it is where they are all of it."""
    for part in parts:
        if bool((places < len(part)).all()):
            return part if torch.equal(places, torch.arange(len(part))) else select(part, places)
        places = places - len(part)
    raise AssertionError("places in more than one part")


def sized(dataset: Config, backbone: Config) -> Config:
    """A data set's settings with the size of its images as a number, which a reader is always given."""
    if dataset.get("size") != "auto":
        return dataset
    from mllc.models.published import image_size

    return dataset | {"size": image_size(backbone)}


@lru_cache(maxsize=1)
def _read(dataset: str, cache: str | None, group: str | None, allow: tuple[str, ...]) -> Dataset:
    """Reads a data set once for all the cohorts that follow each other on it."""
    node = json.loads(dataset)
    wanted = inspect.signature(target(node, allow=allow)).parameters
    extra = {key: value for key, value in (("cache_folder", cache), ("group", group)) if key in wanted}
    if group is not None and "group" not in wanted:
        raise ConfigError(
            f"split.group={group}: dataset={node['name']} reads no groups; these do: {', '.join(_reading_groups())}"
        )
    return build(node, allow=allow, reserved=("augment", "single_positive"), **extra)


def _reading_groups() -> list[str]:
    """The data sets of mllc whose readers know of groups."""
    nodes = {name: catalogue.settings("dataset", name) for name in catalogue.choices("dataset")}
    return [name for name, node in nodes.items() if "group" in inspect.signature(target(node)).parameters]
