"""What pictures read of a run's folder: history.csv, per_label.csv and scores.safetensors. No torch here."""

import csv
import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from mllc.errors import StoreError

History = Mapping[str, NDArray[np.float64]]
"""Columns of history.csv, one value an epoch; NaN where there is none."""


class Scores(NamedTuple):
    """Scores of a split, its targets and the own rule's decisions, each (samples, labels).

    mask  False where a target is unknown; None: all are known
    """

    scores: NDArray[np.floating]
    targets: NDArray[np.bool_]
    decisions: NDArray[np.bool_]
    mask: NDArray[np.bool_] | None = None


AGAIN = "move the run's folder away and type its command again, which makes that run anew"


def read_history(folder: Path) -> History:
    """The curves of a run; empty if it left none. StoreError for a damaged file."""
    return {name: np.array(values) for name, values in _columns(folder / "history.csv").items()}


def read_labels(
    folder: Path, columns: Collection[str], number: int | None = None
) -> tuple[list[str], dict[str, NDArray[np.float64]]] | None:
    """Names of the labels and the wanted columns of per_label.csv; None without the file.

    StoreError for a damaged file, or one that has not `number` labels, where that is known.
    """
    file = folder / "per_label.csv"
    if not file.exists():
        return None
    found = _columns(file, {"label", *columns}, text=("label",))
    missing = {"label", *columns} - found.keys()
    if missing:
        raise StoreError(f"{file} has no column {', '.join(sorted(missing))}: {AGAIN}")
    if number not in (None, len(found["label"])):
        raise StoreError(f"{file} has {len(found['label'])} labels and should have {number}: {AGAIN}")
    return found["label"], {name: np.array(found[name]) for name in columns}


def read_scores(folder: Path, number: int | None = None) -> Scores | None:
    """What a run predicts on test; None for a run that was not scored on it. StoreError as for `read_labels`."""
    file = folder / "scores.safetensors"
    try:
        found = load_file(file)
        scores = Scores(found["scores"], *(found[name].astype(bool) for name in ("targets", "decisions")))
    except FileNotFoundError:
        return None
    except (OSError, SafetensorError, ValueError, KeyError) as error:
        raise StoreError(f"{file} cannot be read ({error}): {AGAIN}") from None
    shapes = {part.shape for part in scores[:3]}
    if len(shapes) > 1 or scores.scores.ndim != 2 or number not in (None, scores.scores.shape[1]):
        raise StoreError(f"{file} does not hold the scores, targets and decisions of its labels: {AGAIN}")
    return scores._replace(mask=found["mask"].astype(bool)) if "mask" in found else scores


def _columns(file: Path, wanted: Collection[str] | None = None, text: Collection[str] = ()) -> dict[str, list]:
    """Columns of a CSV as numbers (NaN for empty cells), those in `text` as they are; {} without the file."""
    try:
        with file.open(newline="", encoding="utf-8") as lines:
            rows = csv.reader(lines)
            names = next(rows, [])
            kept = [(i, name) for i, name in enumerate(names) if wanted is None or name in wanted]
            columns: dict[str, list] = {name: [] for _, name in kept}
            for row in rows:
                for i, name in kept:
                    columns[name].append(row[i] if name in text else float(row[i]) if row[i] else math.nan)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise StoreError(
            f"{file} cannot be read ({error.strerror}): make it readable, or move its folder away"
        ) from None
    except (ValueError, IndexError, csv.Error) as error:
        raise StoreError(f"{file} is damaged ({error}): {AGAIN}") from None
    return columns
