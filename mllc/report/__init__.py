"""Run folders -> the report: reads finished runs, and prints their comparison in one of five formats. No torch here."""

import csv
import io
import json
import os
import sys
from collections.abc import Callable, Iterable
from itertools import groupby
from pathlib import Path
from typing import Any

from mllc.errors import ConfigError, StoreError
from mllc.report import tables
from mllc.report.comparison import Row, rows
from mllc.report.run_table import run_table
from mllc.result import RunResult
from mllc.suggest import did_you_mean
from mllc.wording import counted

__all__ = ["FORMATS", "load", "render", "rows", "run_table"]

FORMATS = ("table", "md", "csv", "json", "latex")
DEPTH = 3
"""How many folders below a given one run folders are looked for."""

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


def load(paths: Iterable[Path | str] = ("runs",), *, say: Callable[[str], None] | None = None) -> list[RunResult]:
    """The finished runs in or below the given folders, by path, each once.

    `say` (default: a line on stderr) hears how many runs were left out because they have not finished, and the names
    of three: they have a config.yaml and no result.json.
    StoreError for a folder that is not there or holds no finished run, and for results that cannot be read.
    """
    paths = [Path(path) for path in paths]
    where = ", ".join(map(str, paths))
    found: dict[str, RunResult] = {}
    damaged: list[str] = []
    unfinished: set[Path] = set()
    for folder in (folder for path in paths for folder in _run_folders(path)):
        try:
            result = RunResult.from_json((folder / "result.json").read_text(encoding="utf-8"))
            found.setdefault(result.run_id, result)
        except FileNotFoundError:
            unfinished.add(folder.resolve())
        except OSError as error:
            raise StoreError(
                f"{folder / 'result.json'} cannot be read ({error.strerror}): make it readable, or move the run's "
                "folder away"
            ) from None
        except ValueError as error:
            damaged.append(f"  {folder / 'result.json'}: {error}")
    if damaged:
        more = [f"  and {len(damaged) - 5} more"] if len(damaged) > 5 else []
        raise StoreError(
            f"{counted(len(damaged), 'result')} damaged, or made by another version of mllc:\n"
            + "\n".join([*damaged[:5], *more])
            + "\nMove the run's folder away, or make the run again: its command with --force."
        )
    names = sorted(map(_short, unfinished))
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    left = (
        f"{counted(len(names), 'unfinished run')} in {where} ({', '.join(names[:3])}{more}); "
        "the command that began a run also finishes it: its environment.json has it"
    )
    if not found:
        raise StoreError(left if unfinished else f"no run in {where}; type: mllc train, or mllc report FOLDER")
    if unfinished:
        (say or _to_stderr)(f"left out: {left}")
    return list(found.values())


def render(
    results: Iterable[RunResult],
    *,
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
    made = rows(results, by, metric)
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
    rest = {name: value for name, value in vars(row).items() if name not in ("runs", "metrics", "std", "block")}
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


def _run_folders(path: Path) -> list[Path]:
    if not path.is_dir():
        raise StoreError(f"{path} is not a folder; type the folder of a run, or one that holds runs: mllc report runs")
    found = []
    for folder, children, files in os.walk(path):
        if "result.json" in files or "config.yaml" in files:
            found.append(Path(folder))
            children.clear()
        if len(Path(folder).relative_to(path).parts) == DEPTH:
            children.clear()
        children.sort()
    return found


def _short(folder: Path) -> str:
    """As seen from the current folder, where it is in there."""
    here = Path.cwd()
    return str(folder.relative_to(here) if folder.is_relative_to(here) else folder)


def _to_stderr(text: str) -> None:
    print(text, file=sys.stderr)
