"""Predictions as text, a line a sample: CSV with joined label names, a CSV of every score, or JSON lines."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from mllc.errors import ConfigError
from mllc.predict.labels import Named

FORMATS = ("csv", "jsonl")

SEPARATOR = "|"
"""Between label names in a cell."""


def check_format(format: str, every_score: bool, label_names: Sequence[str]) -> None:
    """ConfigError for an unknown format, and for label names that cannot be told apart in a cell."""
    if format not in FORMATS:
        raise ConfigError(f"--format {format}: type csv or jsonl")
    joined = next((name for name in label_names if SEPARATOR in name), None)
    if format == "csv" and not every_score and joined is not None:
        raise ConfigError(
            f"the label {joined!r} has a {SEPARATOR}, which stands between labels in csv: type --format jsonl"
        )


def lines(
    batches: Iterable[Named], label_names: Sequence[str], format: str = "csv", *, every_score: bool = False
) -> Iterator[str]:
    """The text of each batch, one line a sample, after a header in csv; none without samples.

    csv          `id,labels,scores`: the labels, best first, and their scores, each joined by `|`
    csv, every   `id` and a column of scores for each label, as `mllc diagnose` reads them
    jsonl        {"id": ..., "labels": [{"label": ..., "score": ...}, ...]}, best first
    jsonl, every with "scores" beside it: an object of the score of every label
    """
    if format == "jsonl":
        for batch in batches:
            yield "".join(_objects(batch, label_names, every_score))
        return
    header = [["id", *label_names] if every_score else ["id", "labels", "scores"]]
    for batch in batches:
        rows = _scores(batch) if every_score else _joined(batch, label_names)
        yield _csv([*header, *rows])
        header = []


def _scores(batch: Named) -> Iterator[list[str]]:
    for one, row in zip(batch.ids, _short(batch.scores.numpy()), strict=True):
        yield [one, *row]


def _joined(batch: Named, label_names: Sequence[str]) -> Iterator[list[str]]:
    scores = batch.scores.numpy()
    for row, (one, chosen) in enumerate(zip(batch.ids, batch.chosen, strict=True)):
        names = SEPARATOR.join(label_names[label] for label in chosen)
        yield [one, names, SEPARATOR.join(_short(scores[row, chosen]))]


def _objects(batch: Named, label_names: Sequence[str], every_score: bool) -> Iterator[str]:
    scores = batch.scores.numpy()
    for row, (one, chosen) in enumerate(zip(batch.ids, batch.chosen, strict=True)):
        found = zip(chosen, map(float, _short(scores[row, chosen])), strict=True)
        sample = {"id": one, "labels": [{"label": label_names[label], "score": score} for label, score in found]}
        if every_score:
            sample["scores"] = dict(zip(label_names, map(float, _short(scores[row])), strict=True))
        yield json.dumps(sample, ensure_ascii=False) + "\n"


def _csv(rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _short(scores: np.ndarray) -> list:
    """Float32 as the shortest decimals that read back as the same number."""
    return scores.astype(str).tolist()
