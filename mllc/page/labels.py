"""Figures of every label, from per_label.csv of the chosen runs: means over seeds, as many as a page has room for."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mllc.page.document import Labels, Numbers, Part, Text
from mllc.plots.folders import read_labels
from mllc.report.comparison import Row, label, repeat_word, repeats
from mllc.report.verdicts import Question, Seed, overlap, seed_of
from mllc.statistics import labels_apart
from mllc.wording import counted

FIGURES = {
    "ap": "average precision",
    "f1_tuned": "F1, one tuned threshold",
    "f1": "F1, own rule",
    "f1_per_label": "F1, one threshold a label",
    "precision": "precision, own rule",
    "recall": "recall, own rule",
}
"""Columns of per_label.csv, the most telling first."""

COLUMNS = ("train_positives", "test_positives", *FIGURES)

MOST_BYTES = 900_000
"""Of all labels of a page. What does not fit: figures first, then the last rows, then the rarest labels."""

BYTES = 4
"""Of one figure as thousandths, and a comma."""

MOST_READ = 1_000_000
"""Labels times runs that are read for a page: beyond, the first seeds of each row only."""

Values = NDArray[np.float64]

LONGEST = 120
"""Characters of a label's name; what is longer is cut."""


def labels_of(
    name: str, trained: Sequence[Row], folders: Mapping[str, Path], asked: Question, share: float = 1.0
) -> list[Part]:
    """The figures of each label, of the rows that were scored on test, and on how many labels rows differ from the
    baseline; nothing where no folder has any.

    share  of MOST_BYTES and MOST_READ, which the comparisons of a page divide among them

    StoreError for a damaged file.
    """
    names, by_seed = _read([row for row in trained if row.split == "test"], folders, share)
    if not by_seed:
        return []
    found = {
        row: {column: _mean([one[column] for one in runs.values()]) for column in COLUMNS}
        for row, runs in by_seed.items()
    }
    seeds = max(map(len, by_seed.values()))
    training, test = (_mean([one[column] for one in found.values()]) for column in COLUMNS[:2])
    room = int(share * MOST_BYTES)
    order, shown, taken = fitting(names, test, 4 * BYTES, room // 2)
    room = max(0, room - taken) // (BYTES * len(order))
    rows = _first(list(found), max(1, room), asked.baseline)
    columns = _nearest_first(asked.metric)[: max(1, room // len(rows))]
    parts = [("label", len(order), len(names)), ("row", len(rows), len(found)), ("figure", len(columns), len(FIGURES))]
    cut = "".join(f"; for want of room {kept} of {counted(all_, word)}" for word, kept, all_ in parts if kept < all_)
    table = Labels(
        name,
        f"Each label on test, means over {repeats(seeds, trained)}; empty where a label has no positives{cut}",
        shown,
        [Numbers("train", training[order].round(1).tolist()), Numbers("test", test[order].round(1).tolist())],
        1,
        rows,
        {FIGURES[one]: [_thousandths(found[row][one][order]) for row in rows] for one in columns},
    )
    figures = {row: {seed: one[columns[0]] for seed, one in runs.items()} for row, runs in by_seed.items()}
    apart = _apart(figures, asked, overlap(trained[0]))
    what = f"Labels whose {FIGURES[columns[0]]} differs from that of {asked.baseline}"
    told = f"{what} (paired t-test over {repeat_word(trained)}s, false discovery rate 5 %): {'; '.join(apart)}."
    return [table, *([Text(told)] if apart else [])]


def fitting(names: Sequence[str], positives: Values, each: int, room: int) -> tuple[list[int], list[str], int]:
    """The labels that fit into `room` bytes, those with the most positives first: places, short names, bytes taken.

    each  bytes of a label beside its name
    """
    order: list[int] = np.argsort(-positives, kind="stable").tolist()
    shown = [name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…" for name in (names[i] for i in order)]
    sizes = np.cumsum([len(name.encode()) + each for name in shown])
    number = max(1, int(np.searchsorted(sizes, room, side="right")))
    return order[:number], shown[:number], int(sizes[number - 1])


def _apart(figures: Mapping[str, Mapping[Seed, Values]], asked: Question, overlap: float) -> list[str]:
    """`zlpr 12 higher, 3 lower of 40`: each row that shares two seeds or more with the baseline."""
    base = figures.get(asked.baseline, {})
    texts: list[str] = []
    for row, mine in figures.items():
        shared = [seed for seed in mine if seed in base]
        if row != asked.baseline and len(shared) > 1:
            found = labels_apart([mine[seed] for seed in shared], [base[seed] for seed in shared], overlap=overlap)
            texts.append(f"{row} {found.higher} higher, {found.lower} lower of {found.tested}")
    return texts


def _read(
    rows: Sequence[Row], folders: Mapping[str, Path], share: float
) -> tuple[list[str], dict[str, dict[Seed, dict[str, Values]]]]:
    """The names of the labels; row -> seed -> column -> a figure a label."""
    names: list[str] = []
    found: dict[str, dict[Seed, dict[str, Values]]] = {}
    for row in rows:
        runs = [run for run in row.runs if run.status == "done"]
        if names:
            runs = runs[: max(1, int(share * MOST_READ / (len(names) * len(rows))))]
        for run in runs:
            read = read_labels(folders[run.run_id], COLUMNS, run.data.get("num_labels"))
            names = names or (read[0] if read else [])
            if read and read[0] == names:
                found.setdefault(label(row), {})[seed_of(run)] = read[1]
    return names, found


def _nearest_first(metric: str) -> list[str]:
    """FIGURES, the one nearest to the metric first."""
    ways = [way for way in ("_tuned", "_per_label") if metric.endswith(way)]
    nearest = "".join(["f1", *ways]) if "f1" in metric else "ap"
    return sorted(FIGURES, key=lambda column: column != nearest)


def _first(rows: list[str], number: int, baseline: str) -> list[str]:
    """The first rows, the baseline among them."""
    kept = rows[:number]
    return [*kept[:-1], baseline] if baseline in rows and baseline not in kept and number > 1 else kept


def _mean(values: Sequence[Values]) -> Values:
    """Over the first axis, of those that are defined."""
    known = ~np.isnan(values)
    total = np.where(known, values, 0).sum(0)
    return np.divide(total, known.sum(0), out=np.full_like(total, np.nan), where=known.any(0))


def _thousandths(values: Values) -> list[int | None]:
    return [None if math.isnan(value) else round(1000 * value) for value in values.tolist()]
