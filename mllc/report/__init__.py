"""Run folders -> the report: reads finished runs, and prints their comparison in one of five formats. No torch here."""

import csv
import io
import json
from collections.abc import Iterable
from itertools import groupby
from typing import Any

from mllc.errors import ConfigError
from mllc.report import tables
from mllc.report.comparison import Row, rows
from mllc.report.loading import Finished, load
from mllc.report.run_table import run_table
from mllc.result import RunResult
from mllc.study import Study
from mllc.suggest import did_you_mean

__all__ = ["FORMATS", "Finished", "load", "render", "rows", "run_table"]

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
    format: str = "table",
    by: str = "loss",
    metric: str = "map",
    width: int = 100,
    color: bool = False,
) -> str:
    """The comparison as text that ends in a newline; `width` (columns) and `color` concern the table alone.

    ConfigError for a format, a key in `by` or a metric that is not known.
    """
    if format not in FORMATS:
        raise ConfigError(f"--format {format!r} is unknown{did_you_mean(format, FORMATS)} Known: {', '.join(FORMATS)}")
    made = rows(results, by, metric, studies)
    if format == "json":
        return json.dumps([as_dict(row) for row in made], indent=1, allow_nan=False) + "\n"
    if format == "csv":
        return _csv([as_dict(row) for row in made])
    blocks = [list(block) for _, block in groupby(made, key=lambda row: row.block)]
    if format == "table":
        return "\n".join(tables.terminal(block, blocks, metric, width=width, color=color) for block in blocks)
    write = tables.markdown if format == "md" else tables.latex
    return "\n".join(write(block, blocks, metric) for block in blocks)


def as_dict(row: Row) -> dict[str, Any]:
    """A row as a flat object of plain values.

    Beside the fields of `Row`: `seed` (null for several), `run_ids` and `run_id` (that of the lowest seed), the data's
    `files`, and every figure and its `_std`. `micro_f1`, `hamming_loss`, ... are by the objective's own rule, `_tuned`
    with one threshold from validation, `_per_label` with one a label. `shared` is what the rows of one comparison have
    in common.
    """
    first = {name: getattr(row, name) for name in ("dataset", "backbone", "loss", "optimizer")}
    first |= {"seed": row.seeds[0] if len(row.seeds) == 1 else None, "seeds": row.seeds, "status": row.status}
    first |= {name: row.metrics.get(name) for name in FIGURES} | {"collapsed": row.collapsed}
    ids = tuple(run.run_id for run in row.runs)
    rest = {
        name: value for name, value in vars(row).items() if name not in ("runs", "studies", "metrics", "std", "block")
    }
    return {
        **first,
        "run_id": ids[0] if ids else None,
        "run_ids": ids,
        "files": row.runs[0].data.get("files", {}) if row.runs else None,
        **rest,
        "shared": row.block,
        **row.metrics,
        **{f"{name}_std": value for name, value in row.std.items()},
    }


def _csv(objects: list[dict[str, Any]]) -> str:
    """One line an object, all keys of all objects; lists are separated by spaces, settings written `key=value`."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return " ".join(f"{key}={plain(item)}" for key, item in value.items())
        return " ".join(map(str, value)) if isinstance(value, list | tuple) else value

    names = dict.fromkeys(name for one in objects for name in one)
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(names), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: plain(value) for name, value in one.items()} for one in objects)
    return buffer.getvalue()
