"""The samples of a file that the user names, as the reader of a run's data set reads them, in batches."""

import importlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from mllc.config.targets import target
from mllc.errors import ConfigError, DataError
from mllc.types import Samples

Reader = Callable[[Path, Mapping[str, Any], Mapping[str, Any]], Iterator[Samples]]
"""The function `samples` of a reader's module: path, settings of the data set, encoding -> samples, chunk by chunk."""


def samples(
    path: Path, dataset: Mapping[str, Any], encoding: Mapping[str, Any], allow: Sequence[str] = ()
) -> Iterator[Samples]:
    """The samples in `path`, a chunk at a time; their labels, if it has any, are not looked at.

    dataset   the node of the run's config; the module of its `_target_` reads them
    encoding  Dataset.encoding, as the run kept it
    raises    ConfigError for a reader that cannot do that; DataError for what it cannot read, and for no samples
    """
    read = _reader(dataset, allow)
    check_input(path)
    empty = True
    for chunk in read(path, dataset, encoding):
        empty = empty and not chunk.ids
        yield chunk
    if empty:
        raise DataError(f"INPUT {path}: there are no samples in it")


def check_input(path: Path) -> None:
    """DataError where there is nothing of that name."""
    if not os.path.exists(path):  # also for a name that is too long for any file
        raise DataError(f"INPUT {path}: there is no such file or folder")


def batched(chunks: Iterable[Samples], size: int) -> Iterator[Samples]:
    """The same samples, `size` at a time, in the same order: what a batch holds depends on no reader's chunks."""
    waiting: list[Samples] = []
    number = 0
    for chunk in chunks:
        waiting.append(chunk)
        number += len(chunk.ids)
        if number < size:
            continue
        whole = _joined(waiting)
        stop = number - number % size
        for start in range(0, stop, size):
            yield _part(whole, start, start + size)
        waiting, number = [_part(whole, stop, number)] if number > stop else [], number - stop
    if number:
        yield _joined(waiting)


def _reader(dataset: Mapping[str, Any], allow: Sequence[str]) -> Reader:
    module = importlib.import_module(target(dataset, allow=allow).__module__)
    read = getattr(module, "samples", None)
    if read is None:
        own = dataset["_target_"].partition(".")[0] != "mllc"
        advice = (
            f"its module needs a function samples(path, settings, encoding) as mllc/data/__init__.py describes it, "
            f"beside the reader in {module.__name__}"
            if own
            else "type mllc export RUN, and apply the exported model"
        )
        raise ConfigError(f"dataset={dataset['name']} cannot read new samples; {advice}")
    return read


def _joined(chunks: list[Samples]) -> Samples:
    if len(chunks) == 1:
        return chunks[0]
    shapes = sorted({tuple(chunk.inputs.shape[1:]) for chunk in chunks})
    if len(shapes) > 1:
        raise DataError(f"samples of several shapes: {shapes[0]} and {shapes[1]}")
    return Samples([one for chunk in chunks for one in chunk.ids], torch.cat([chunk.inputs for chunk in chunks]))


def _part(chunk: Samples, start: int, stop: int) -> Samples:
    return Samples(chunk.ids[start:stop], chunk.inputs[start:stop])
