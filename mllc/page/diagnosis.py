"""A diagnosis -> its page: the words of the terminal, pictures, every label, and what it was made from."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from mllc.diagnose import Diagnosis
from mllc.environment import environment
from mllc.page.document import (
    Cell,
    Commands,
    Document,
    Facts,
    Fold,
    Heading,
    Labels,
    Numbers,
    Part,
    Section,
    Steps,
    Table,
    Text,
)
from mllc.page.gallery import drawing
from mllc.page.labels import MOST_BYTES, fitting
from mllc.page.origin import facts_of, setup
from mllc.page.rows import legend
from mllc.plots import Picture
from mllc.report.diagnosis import about, columns, how, is_baseline, ways
from mllc.report.findings import findings, rule, verdict
from mllc.report.next_steps import next_steps
from mllc.wording import counted

ABOUT = {
    "threshold": "the way to decide; a label is predicted where its score is above it",
    "mAP": "mean over labels of average precision, whatever the threshold",
    "micro F1": "of all decisions together",
    "macro F1": "mean over the labels that have positives",
    "sample F1": "mean over samples",
    "Hamming loss": "share of wrong decisions",
    "labels a sample": "mean number of labels predicted",
    "labels never predicted": "number of labels",
}
"""What the columns of the table say."""

BYTES = 35
"""Of the numbers of one label."""


def diagnosis_page(
    found: Diagnosis,
    title: str,
    pictures: Iterable[Picture],
    *,
    files: Mapping[str, str],
    command: str = "mllc diagnose",
) -> Document:
    """The page of a diagnosis, made here and now.

    title    what was diagnosed
    files    what it was read from, by what each is; "" for none
    command  what was typed to make the page
    """
    sections = [
        Section("verdict", "Verdict", [Text(verdict(found)[0], "lead"), *_ways(found)]),
        Section("findings", "What was found", [Text(text) for text in findings(found).values()]),
        Section("next", "What to try next", [Steps(next_steps(found))]),
        Section("pictures", "Pictures", [drawing(picture) for picture in pictures]),
        Section("per-label", "Labels", [_labels(found)]),
        Section("repeat", "How to repeat it", _origin(found, files, command)),
    ]
    return Document(title, about(found), sections)


def _ways(found: Diagnosis) -> list[Part]:
    """The ways to decide and the baselines; what is empty has no value there."""
    lines, shown = ways(found), columns(found)
    titles = [column.title.replace("\n", " ") for column in shown]
    table = Table(
        "ways",
        "What each way to decide reaches; the baselines at the end",
        [Heading(title, ABOUT[title], column.right) for title, column in zip(titles, shown, strict=True)],
        [
            [
                [_cell(column.cell(line), column.right) for column in shown]
                for line in lines
                if is_baseline(line) == apart
            ]
            for apart in (False, True)
        ],
    )
    return [table, Fold("What the columns say", [legend(table)]), Text(how(found))]


def _cell(text: str, is_number: bool) -> Cell:
    return Cell(text, float(text) if text and is_number else None)


def _labels(found: Diagnosis) -> Labels:
    positives = np.array([row["positives"] for row in found.labels], dtype=float)
    names = [row["label"] for row in found.labels]
    order, shown, _ = fitting(names, positives, BYTES, MOST_BYTES)
    rows = [found.labels[place] for place in order]
    cut = f"; for want of room {len(rows)} of {counted(len(names), 'label')}" if len(rows) < len(names) else ""
    return Labels(
        "labels",
        f"Each label: its positives; how often it is predicted ({rule(found, found.thresholds['own'])}); its average "
        "precision and that of a random order, empty without positives; a threshold of its own, tuned on all samples, "
        f"for a rare label near the common one{cut}",
        shown,
        [
            Numbers("positives", [row["positives"] for row in rows]),
            Numbers("predicted", [row["predicted"] for row in rows]),
            *(Numbers(title, _rounded(rows, name), 3) for title, name in (("AP", "ap"), ("by chance", "chance"))),
            Numbers("threshold", [float(f"{row['threshold']:.3g}") for row in rows]),
        ],
        order=0,
    )


def _rounded(rows: Sequence[Mapping[str, Any]], name: str) -> list[float | None]:
    return [None if row[name] is None else round(row[name], 3) for row in rows]


def _origin(found: Diagnosis, files: Mapping[str, str], command: str) -> list[Part]:
    facts = environment(torch.device("cpu"), None)
    lines = [*setup(facts), shlex.join(["cd", facts["folder"]]), command]
    pairs = [(name, file) for name, file in files.items() if file]
    pairs += [("scores are", found.unit), ("decided at", rule(found, found.thresholds["own"]))]
    pairs += [("unknown targets", str(found.unknown)), ("seed of the halves", str(found.seed))]
    return [Commands(lines), Facts([*pairs, ("made", facts["started"]), *facts_of(facts)])]
