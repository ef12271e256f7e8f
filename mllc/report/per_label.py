"""The labels of one run in the layout of scikit-learn's classification_report. No torch here."""

import csv
import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.cells import cell_len, set_cell_size
from safetensors import SafetensorError, safe_open

from mllc.errors import ConfigError, StoreError
from mllc.report.grid import to_text
from mllc.report.loading import Finished
from mllc.result import RunResult
from mllc.suggest import did_you_mean
from mllc.wording import counted

FORMATS = ("table", "md", "csv", "json")
SORTS = ("index", "label", "precision", "recall", "f1", "support")
RULES = {"own": "its own rule", "global": "one threshold for all", "per-label": "a threshold for each label"}
HEADERS = ("precision", "recall", "f1-score", "support")


@dataclass(frozen=True)
class Line:
    """A label, or an average over all labels; shares are 0 where they are undefined (`zero_division=0`)."""

    name: str
    precision: float
    recall: float
    f1: float
    support: int

    @property
    def values(self) -> tuple[float, float, float, int]:
        return self.precision, self.recall, self.f1, self.support


def label_report(
    found: Finished,
    *,
    threshold: str = "own",
    sort: str = "index",
    top: int | None = None,
    bottom: int | None = None,
    format: str = "table",
    width: int = 100,
    color: bool = False,
) -> str:
    """Precision, recall, F1 and support of each label of a run on test, and four averages, as text.

    threshold    what decides: own (rule of the loss), global or per-label (tuned on validation)
    sort         index and label upwards, the figures downwards; of equal shares the labels with more positives stand
                 further out, so that they are seen at either end
    top, bottom  show so many of the first and last only; None for both: all. The averages are over all labels
    width        columns of the table, to which names are cut; `color` concerns the table alone, too

    ConfigError for a word that is not known, for more runs than one and for one that was not scored on test; StoreError
    for files that are missing or damaged.
    """
    for option, value, known in (
        ("--format", format, FORMATS),
        ("--sort", sort, SORTS),
        ("--threshold", threshold, tuple(RULES)),
    ):
        if value not in known:
            raise ConfigError(
                f"{option} {value!r} is unknown with --per-label{did_you_mean(value, known)} Known: {', '.join(known)}"
            )
    result, folder = _one(found)
    names, thresholds, arrays = _files(folder)
    decided_at = {"global": [result.threshold or 0.0], "per-label": thresholds}
    lines, averages = figures(
        arrays["decisions"] > 0 if threshold == "own" else arrays["scores"] > np.array(decided_at[threshold]),
        arrays["targets"] > 0,
        arrays["mask"] > 0 if "mask" in arrays else None,
        names,
    )
    shown = _ends(_sorted(lines, sort), top, bottom)
    flat = [*(line for block in shown for line in block), *averages]
    if format == "json":
        return json.dumps({line.name: dict(zip(HEADERS, line.values, strict=True)) for line in flat}, indent=1) + "\n"
    if format == "csv":
        return _csv(flat)
    about = f"{result.name} on {result.dataset}, seed {result.seed}: test, decided by {RULES[threshold]}"
    notes = _notes(lines, len(flat) - len(averages), sort)
    if format == "md":
        return "\n\n".join([f"**{about}**", _markdown(flat), *notes]) + "\n"
    texts = [to_text([(about, "bold")], width, color), _table(shown, averages, max(width - 4 * 10 - 1, 12))]
    return "\n".join(texts + [to_text([(text, "dim") for text in notes], width, color)] * bool(notes))


def figures(
    decisions: np.ndarray, targets: np.ndarray, mask: np.ndarray | None, names: Sequence[str]
) -> tuple[list[Line], list[Line]]:
    """The line of each label, and the micro, macro, weighted and samples averages, all over bool (samples, labels).

    As scikit-learn's with `zero_division=0`, so macro counts labels without positives as 0. Entries that are unknown
    (`mask` False) count nowhere; samples without a known one are left out of their average.
    """
    known = np.ones_like(targets) if mask is None else mask
    hits, predicted, true = decisions & targets & known, decisions & known, targets & known
    by_label = [counts.sum(0) for counts in (hits, predicted, true)]
    shares, support = _shares(*by_label), by_label[2]
    total = int(support.sum())
    columns = zip(names, *(share.tolist() for share in shares), support.tolist(), strict=True)
    lines = [Line(name, precision, recall, f1, number) for name, precision, recall, f1, number in columns]

    rows = known.any(1)
    averages = {
        "micro avg": _shares(*(counts.sum() for counts in by_label)),
        "macro avg": [share.mean() for share in shares],
        "weighted avg": [share @ support / max(1, total) for share in shares],
        "samples avg": [
            share.mean() for share in _shares(*(counts[rows].sum(1) for counts in (hits, predicted, true)))
        ],
    }
    return lines, [
        Line(name, float(precision), float(recall), float(f1), total)
        for name, (precision, recall, f1) in averages.items()
    ]


def _shares(hits: np.ndarray, predicted: np.ndarray, true: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Precision, recall and F1; a count of 0 below implies one above."""
    return (
        hits / np.maximum(predicted, 1),
        hits / np.maximum(true, 1),
        2 * hits / np.maximum(predicted + true, 1),
    )


def _one(found: Finished) -> tuple[RunResult, Path]:
    """The one run, scored on test, and its folder."""
    result, folder = found.results[0], found.folders[found.results[0].run_id]
    if len(found.results) > 1:
        raise ConfigError(
            f"--per-label is about one run, and there are {len(found.results)}: type its folder, such as mllc report "
            f"{folder} --per-label"
        )
    if result.test is None:
        why = "was not scored on test" if result.status == "done" else result.status
        raise ConfigError(
            f"{folder}: this run {why}, so there is nothing to report; mllc train scores its run, mllc sweep the "
            "settings that it selects"
        )
    return result, folder


def _files(folder: Path) -> tuple[list[str], list[float], dict[str, np.ndarray]]:
    """The labels and thresholds of per_label.csv and the arrays of scores.safetensors, which belong together."""
    try:
        with (folder / "per_label.csv").open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        with safe_open(folder / "scores.safetensors", "np") as tensors:
            arrays = {name: tensors.get_tensor(name) for name in tensors.keys()}  # noqa: SIM118
        names, thresholds = [row["label"] for row in rows], [float(row["threshold"]) for row in rows]
        sound = len(rows) == arrays["targets"].shape[1]
        sound = sound and arrays["targets"].shape == arrays["scores"].shape == arrays["decisions"].shape
    except (OSError, SafetensorError, csv.Error, ValueError, TypeError, LookupError) as error:
        raise StoreError(
            f"{folder}: per_label.csv or scores.safetensors is missing or damaged ({error}); make the run again: its "
            "command with --force"
        ) from None
    if not sound:
        raise StoreError(f"{folder}: per_label.csv and scores.safetensors do not belong together; make the run again")
    return names, thresholds, arrays


def _sorted(lines: list[Line], sort: str) -> list[Line]:
    if sort == "index":
        return lines
    if sort == "label":
        return sorted(lines, key=lambda line: line.name)
    if sort == "support":
        return sorted(lines, key=lambda line: -line.support)

    def key(line: Line) -> tuple[float, int]:
        value: float = getattr(line, sort)
        return -value, -line.support if value > 0.5 else line.support

    return sorted(lines, key=key)


def _ends(lines: list[Line], top: int | None, bottom: int | None) -> list[list[Line]]:
    """The first and the last lines to show, none of them twice; all of them where neither number is given."""
    if top is None and bottom is None:
        return [lines]
    first = lines[: top or 0]
    last = lines[max(len(first), len(lines) - (bottom or 0)) :]
    return [block for block in (first, last) if block]


def _notes(lines: Sequence[Line], shown: int, sort: str) -> list[str]:
    supported = [line for line in lines if line.support]
    notes = [f"{shown} of {counted(len(lines), 'label')}, by {sort}; the averages are over all."] * (shown < len(lines))
    if len(supported) < len(lines):
        macro = sum(line.f1 for line in supported) / max(1, len(supported))
        notes.append(
            f"{counted(len(lines) - len(supported), 'label')} without support, whose recall and F1 are 0 by definition "
            f"and lower the macro average; over the other {len(supported)} macro-F1 is {macro:.2f}."
        )
    return notes


def _table(blocks: Sequence[Sequence[Line]], averages: Sequence[Line], widest: int) -> str:
    """scikit-learn's layout, to the character while no name is wider than `widest`; `...` between two blocks."""
    width = min(max(cell_len(line.name) for block in (*blocks, averages) for line in block), widest)

    def row(line: Line) -> str:
        name = line.name if cell_len(line.name) <= width else set_cell_size(line.name, width - 1) + "…"
        shares = "".join(f" {share:>9.2f}" for share in line.values[:3])
        return f"{' ' * (width - cell_len(name))}{name} {shares} {line.support:>9}\n"

    head = f"{'':>{width}} " + "".join(f" {title:>9}" for title in HEADERS) + "\n"
    parted = f"{'...':>{width}}\n".join("".join(map(row, block)) for block in blocks)
    return f"{head}\n{parted}\n{''.join(map(row, averages))}"


def _markdown(lines: Sequence[Line]) -> str:
    cells = [["label", *HEADERS], [":--", "--:", "--:", "--:", "--:"]]
    for line in lines:
        name = re.sub(r"([|*\\])", r"\\\1", line.name)
        cells.append([name, *(f"{share:.2f}" for share in line.values[:3]), str(line.support)])
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def _csv(lines: Sequence[Line]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(("label", *HEADERS))
    writer.writerows((line.name, *line.values) for line in lines)
    return buffer.getvalue()
