"""An Inspection as text: for the terminal, in Markdown, as JSON."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from mllc.inspection import Inspection
from mllc.inspection.duplicates import Copies
from mllc.inspection.labels import LabelFacts
from mllc.inspection.pairs import Pair
from mllc.report.diagnosis import FORMATS, check_format
from mllc.report.grid import Column, fit, to_text
from mllc.report.inspected import about, copies, findings, zeros
from mllc.report.shortlist import advice, as_objects, next_command, shortlist, weights
from mllc.result import BASELINES, Metrics

__all__ = ["FORMATS", "as_dict", "check_format", "render"]

FIGURES = (
    ("mAP", "map", 0),
    ("micro\nF1", "micro_f1", 0),
    ("macro\nF1", "macro_f1", 1),
    ("Hamming\nloss", "hamming_loss", 0),
    ("labels a\nsample", "labels_per_sample", 2),
    ("P@1", "p_at_1", 3),
    ("LRAP", "lrap", 4),
)
"""Title, figure, and the order in which columns are dropped where they do not fit."""

SHOWN_PAIRS = 5

Cells = Callable[[Any], str]


def render(
    found: Inspection,
    title: str,
    overrides: Sequence[str] = (),
    *,
    format: str = "table",
    width: int = 100,
    color: bool = False,
) -> str:
    """The inspection of what `title` names, as text that ends in a newline; `width` and `color` concern the table.

    overrides  the command line's, for the command to type next
    """
    check_format(format)
    if format == "json":
        return json.dumps(as_dict(found, title, overrides), indent=1, allow_nan=False) + "\n"
    if format == "md":
        return _markdown(found, title, overrides)
    return _terminal(found, title, overrides, max(width, 40), color)


def as_dict(found: Inspection, title: str, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Plain values: the facts of all splits together, then those of each, then everything else and what follows."""
    shape = found.input_shape
    size = {"num_features": math.prod(shape)} if found.kind == "features" else {"image_size": list(shape[1:])}
    listed, weight = shortlist(found), weights(found)
    return {
        "title": title,
        "kind": found.kind,
        **size,
        "num_labels": len(found.label_names),
        **_facts(found.whole),
        "splits": {name: _facts(facts) for name, facts in found.splits.items()},
        "baselines": found.baselines,
        "pairs": [
            {**asdict(pair), "first": found.label_names[pair.first], "second": found.label_names[pair.second]}
            for pair in found.pairs
        ],
        "copies": {name: asdict(one) for name, one in found.within.items()} | _by_two(found.across),
        "same_ids": _by_two(found.ids),
        "image_files": found.image_files and asdict(found.image_files),
        "unreadable": dict(found.unreadable),
        "notes": list(found.notes),
        "findings": findings(found),
        "pos_weight": weight and weight._asdict(),
        "shortlist": as_objects(listed),
        "advice": advice(found, listed),
        "next_command": next_command(listed, overrides),
        "labels": _labels(found),
    }


def _facts(facts: LabelFacts) -> dict[str, Any]:
    return {
        "num_samples": facts.num_samples,
        "cardinality": facts.cardinality,
        "density": facts.density,
        "cardinality_std": facts.spread,
        "label_sets": facts.label_sets,
        "empty": facts.empty,
        "full": facts.full,
        "never_true": facts.never_true,
        "unknown": facts.unknown,
        "mean_imbalance": facts.mean_imbalance,
        "largest_imbalance": facts.largest_imbalance,
        "labels_per_sample": facts.per_sample.tolist(),
    }


def _by_two(found: Mapping[tuple[str, str], Copies]) -> dict[str, Any]:
    return {"/".join(pair): asdict(one) for pair, one in found.items()}


def _labels(found: Inspection) -> list[dict[str, Any]]:
    imbalance = found.whole.imbalance
    return [
        {
            "label": name,
            "positives": int(found.whole.counts[place]),
            **{f"{split}_positives": int(facts.counts[place]) for split, facts in found.splits.items()},
            "imbalance": None if np.isnan(imbalance[place]) else float(imbalance[place]),
        }
        for place, name in enumerate(found.label_names)
    ]


def _terminal(found: Inspection, title: str, overrides: Sequence[str], width: int, color: bool) -> str:
    parts: list[Any] = [(about(found, title), "bold"), ("", "")]
    for name, (items, columns) in _tables(found).items():
        table, _ = fit(items, columns, width, style=lambda item: "", section=lambda item: "")
        parts += [(name, "bold")] if name else []
        parts += [table, ("", "")]
    listed = shortlist(found)
    parts += [(text, "") for text in findings(found).values()]
    parts += [(f"Reading it: {note}", "dim") for note in found.notes] + [("", ""), ("What follows", "bold")]
    parts += [(f"{one.loss}: {one.reason}.", "") for one in listed]
    parts += [("", "")] + [(text, "") for text in advice(found, listed).values()]
    parts += [("", ""), ("These are guesses from counts; a comparison decides:", "")]
    return to_text(parts, width, color) + f"  {next_command(listed, overrides)}\n"


def _markdown(found: Inspection, title: str, overrides: Sequence[str]) -> str:
    parts = [f"**{about(found, title)}**"]
    for name, (items, columns) in _tables(found).items():
        rows = [[column.title.replace("\n", " ") for column in columns]]
        rows += [["--:" if column.right else ":--" for column in columns]]
        rows += [[column.cell(item).replace("|", "\\|") for column in columns] for item in items]
        parts += [f"**{name}**"] if name else []
        parts.append("\n".join(f"| {' | '.join(cells)} |" for cells in rows))
    listed = shortlist(found)
    told = [*findings(found).values(), *(f"Reading it: {note}" for note in found.notes)]
    parts.append("\n".join(f"- {text}" for text in told))
    parts += ["**What follows**", "\n".join(f"- `{one.loss}`: {one.reason}." for one in listed)]
    parts.append("\n".join(f"- {text}" for text in advice(found, listed).values()))
    parts += ["These are guesses from counts; a comparison decides:"]
    return "\n\n".join(parts) + f"\n\n```console\n$ {next_command(listed, overrides)}\n```\n"


def _tables(found: Inspection) -> dict[str, tuple[Sequence[Any], list[Column[Any]]]]:
    """Title -> items and columns of each table."""
    tables: dict[str, tuple[Sequence[Any], list[Column[Any]]]] = {
        "": ([*found.splits.items(), ("all", found.whole)], _split_columns())
    }
    test = found.baselines.get("test")
    if test:
        lines = [(name, test[name]) for name in BASELINES]
        tables["What looks at no input scores on test"] = (lines, _baseline_columns(test))
    if found.pairs:
        tables["Labels that go together, by Jaccard index"] = (found.pairs[:SHOWN_PAIRS], _pair_columns(found))
    if copies(found):
        tables["Copies"] = (copies(found), _copy_columns())
    return tables


def _split_columns() -> list[Column[Any]]:
    def column(title: str, cell: Callable[[LabelFacts], str], drop: int = 0) -> Column[Any]:
        return Column(title, lambda item: cell(item[1]), drop)

    return [
        Column("split", lambda item: item[0], right=False),
        column("samples", lambda facts: str(facts.num_samples)),
        column("labels\na sample", lambda facts: f"{facts.cardinality:.3f}"),
        column("±", lambda facts: f"{facts.spread:.2f}", 5),
        column("zeros\n(%)", lambda facts: zeros(facts.density)),
        column("label\nsets", lambda facts: str(facts.label_sets), 4),
        column("no label\ntrue", lambda facts: str(facts.empty), 2),
        column("all labels\ntrue", lambda facts: str(facts.full), 6),
        column("labels\nnever true", lambda facts: str(facts.never_true), 1),
        column(
            "mean\nimbalance", lambda facts: "-" if facts.mean_imbalance is None else f"{facts.mean_imbalance:.2f}", 3
        ),
    ]


def _baseline_columns(baselines: Mapping[str, Metrics]) -> list[Column[Any]]:
    losses = [loss for one in baselines.values() if (loss := one.get("hamming_loss"))]
    digits = {"hamming_loss": min(max(3, 3 - math.floor(math.log10(min(losses, default=1.0)))), 7)}

    def column(title: str, name: str, drop: int) -> Column[Any]:
        def cell(item: tuple[str, Metrics]) -> str:
            value = item[1].get(name)
            return "-" if value is None else f"{value:.{digits.get(name, 2 if name == 'labels_per_sample' else 3)}f}"

        return Column(title, cell, drop)

    return [
        Column("baseline", lambda item: item[0], right=False),
        *(column(title, name, drop) for title, name, drop in FIGURES),
    ]


def _pair_columns(found: Inspection) -> list[Column[Any]]:
    def names(pair: Pair) -> str:
        return f"{found.label_names[pair.first]} + {found.label_names[pair.second]}"

    return [
        Column("labels", names, right=False, wrap=16),
        Column("together", lambda pair: str(pair.together)),
        Column("Jaccard", lambda pair: f"{pair.jaccard:.3f}"),
        Column("lift", lambda pair: f"{pair.lift:.3g}", 1),
    ]


def _copy_columns() -> list[Column[Any]]:
    def first(item: tuple[str, Copies, int]) -> str:
        return ", ".join(f"{copy} is {original}" for copy, original in item[1].examples[:2])

    return [
        Column("where", lambda item: item[0], right=False),
        Column("copies", lambda item: str(item[1].count)),
        Column("of", lambda item: str(item[2])),
        Column("with other\nlabels", lambda item: str(item[1].other_labels)),
        Column("the first", first, drop=1, right=False, wrap=20),
    ]
