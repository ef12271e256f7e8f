"""Run folders -> the report: reads finished runs, and prints their comparison in one of five formats. No torch here."""

import csv
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from itertools import groupby
from pathlib import Path
from typing import Any

from mllc.errors import ConfigError
from mllc.report import tables
from mllc.report.comparison import Row, label, rows
from mllc.report.datasets import over_data_sets, told
from mllc.report.grid import to_text
from mllc.report.loading import Finished, load
from mllc.report.resampling import over_test_samples
from mllc.report.run_table import run_table
from mllc.report.verdicts import Question, judged
from mllc.result import RunResult
from mllc.statistics import Difference
from mllc.study import Study
from mllc.suggest import did_you_mean

__all__ = ["FORMATS", "Finished", "Question", "compared", "load", "render", "rows", "run_table"]

FORMATS = ("table", "md", "csv", "json", "latex")
FIGURES = (
    "map",
    "micro_f1",
    "macro_f1",
    "hamming_loss",
    "micro_f1_tuned",
    "macro_f1_tuned",
    "hamming_loss_tuned",
    "labels_per_sample",
)
"""Figures that every object has, be it null; the others follow."""


def render(
    results: Iterable[RunResult],
    *,
    studies: Iterable[Study] = (),
    folders: Mapping[str, Path] | None = None,
    format: str = "table",
    by: str = "loss",
    metric: str = "map",
    baseline: str | None = None,
    region: float = Question.region,
    width: int = 100,
    color: bool = False,
) -> str:
    """The comparison as text that ends in a newline; `width` (columns) and `color` concern the table alone.

    folders  run id -> its folder: adds, in words, what a bootstrap over the test samples says

    ConfigError for a format, a key in `by`, a metric or a baseline that is not known.
    """
    if format not in FORMATS:
        raise ConfigError(f"--format {format!r} is unknown{did_you_mean(format, FORMATS)} Known: {', '.join(FORMATS)}")
    asked = Question(metric, baseline or Question.baseline, region)
    blocks = compared(results, asked, by=by, studies=studies, must_have_baseline=baseline is not None)
    if format == "json":
        return json.dumps([as_dict(row) for block in blocks for row in block], indent=1, allow_nan=False) + "\n"
    if format == "csv":
        return _csv([as_dict(row) for block in blocks for row in block])
    over = over_data_sets(blocks, asked)
    end = [over_test_samples(block, folders, asked) for block in blocks] if folders else []
    end = [text for text in (*end, told(over, blocks, asked) if over else "") if text]
    if format == "table":
        texts = [tables.terminal(block, blocks, asked, width=width, color=color) for block in blocks]
        return "\n".join([*texts, *(to_text([(text, "bold")], max(width, 30), color) for text in end)])
    write, mark = (tables.markdown, "") if format == "md" else (tables.latex, "% ")
    return "\n".join([*(write(block, blocks, asked) for block in blocks), *(f"{mark}{text}\n" for text in end)])


def compared(
    results: Iterable[RunResult],
    asked: Question,
    *,
    by: str = "loss",
    studies: Iterable[Study] = (),
    must_have_baseline: bool = False,
) -> list[list[Row]]:
    """The rows of each block, judged: ranked, with intervals, and held against the baseline.

    ConfigError for a `by` or metric that no run has, and for a baseline that is no row where it must be one.
    """
    blocks = [list(block) for _, block in groupby(rows(results, by, asked.metric, studies), key=lambda row: row.block)]
    known = sorted({label(row) for block in blocks for row in block if row.runs})
    if must_have_baseline and asked.baseline not in known:
        raise ConfigError(
            f"--baseline {asked.baseline!r} is not a row{did_you_mean(asked.baseline, known)} "
            f"The rows are {', '.join(known)}"
        )
    return [judged(block, asked) for block in blocks]


def as_dict(row: Row) -> dict[str, Any]:
    """A row as a flat object of plain values.

    Beside the fields of `Row`: `seed` (null for several), `run_ids` and `run_id` (that of the lowest seed), the data's
    `files`, and every figure and its `_std`. `micro_f1`, `hamming_loss`, ... are by the objective's own rule, `_tuned`
    with one threshold from validation, `_per_label` with one a label; `threshold_gain` is the tuned micro-F1 less the
    own. `low` and `high` are the 95 % interval of the metric that orders the rows, `difference` (with `_low`, `_high`,
    `_p`, ...: see `mllc.statistics.Difference`) is from the baseline, with its `verdict`. `shared` is what the rows of
    one comparison have in common.
    """
    first = {name: getattr(row, name) for name in ("dataset", "backbone", "loss", "optimizer")}
    first |= {"seed": row.seeds[0] if len(row.seeds) == 1 else None, "seeds": row.seeds, "status": row.status}
    first |= {name: row.metrics.get(name) for name in FIGURES} | {"collapsed": row.collapsed}
    ids = tuple(run.run_id for run in row.runs)
    apart = ("runs", "studies", "metrics", "std", "block", "interval", "difference")
    rest = {name: value for name, value in vars(row).items() if name not in apart}
    low, high = row.interval or (None, None)
    against = asdict(row.difference) if row.difference else dict.fromkeys(one.name for one in fields(Difference))
    own, tuned = row.metrics.get("micro_f1"), row.metrics.get("micro_f1_tuned")
    return {
        **first,
        "run_id": ids[0] if ids else None,
        "run_ids": ids,
        "files": row.runs[0].data.get("files", {}) if row.runs else None,
        **rest,
        "low": low,
        "high": high,
        "difference": against.pop("mean"),
        **{name if name in ("verdict", "wins") else f"difference_{name}": value for name, value in against.items()},
        "threshold_gain": None if own is None or tuned is None else tuned - own,
        "search": [{"trials": one.completed(), "seed": one.seed, "at_edge": one.at_edge()} for one in row.studies],
        "shared": row.block,
        **row.metrics,
        **{f"{name}_std": value for name, value in row.std.items()},
    }


def _csv(objects: list[dict[str, Any]]) -> str:
    """One line an object, all keys of all objects; lists are separated by spaces, settings written `key=value`."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return " ".join(f"{key}={plain(item)}" for key, item in value.items())
        return " ".join(str(plain(item)) for item in value) if isinstance(value, list | tuple) else value

    names = dict.fromkeys(name for one in objects for name in one)
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(names), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: plain(value) for name, value in one.items()} for one in objects)
    return buffer.getvalue()
