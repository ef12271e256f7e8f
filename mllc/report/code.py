"""The verdict as code: the winner of a comparison as a snippet for a PyTorch loop of one's own, and its thresholds."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mllc import __version__
from mllc.errors import ConfigError, StoreError
from mllc.report import Finished, Question, compared
from mllc.report.comparison import Row, label
from mllc.report.conclusion import decimals, figure_name, number, span
from mllc.report.notes import about_data
from mllc.report.snippet import Snippet
from mllc.result import RunResult
from mllc.suggest import did_you_mean
from mllc.wording import counted


@dataclass(frozen=True)
class Winner:
    """The row that code is made for.

    of          how many rows of its comparison are ranked
    run         the run that the thresholds are of: the lowest of the row's seeds that is done
    config      of that run
    thresholds  each label and its own threshold; none where the run was not scored on test
    """

    row: Row
    of: int
    run: RunResult
    config: Mapping[str, Any]
    thresholds: Sequence[tuple[str, float]]


def as_code(
    found: Finished, *, file: Path | None = None, loss: str | None = None, by: str, metric: str, format: str
) -> str:
    """What `mllc report --code` prints: a snippet for each comparison; with `file`, what was written where.

    ConfigError for a `format` other than `table`, which stands for none.
    """
    if format != "table":
        raise ConfigError(f"--code prints Python, and no {format}: leave --format out")
    blocks = compared(found.results, Question(metric), by=by, studies=found.studies)
    best = winners(blocks, found.folders, loss)
    if file is None:
        return "\n\n".join(code(winner, metric) for winner in best)
    return f"written: {file} and {write(best, file, metric)}\n"


def winners(blocks: Sequence[Sequence[Row]], folders: Mapping[str, Path], loss: str | None = None) -> list[Winner]:
    """The first row of each comparison; with `loss` the first that is called so, or else the first that has that loss.

    blocks   as mllc.report.comparison returns them
    folders  run id -> run folder
    raises   ConfigError where there is no such row, or none of its runs is done; StoreError for a damaged run folder
    """
    trained = [[row for row in block if row.runs] for block in blocks]
    known = sorted({name for rows in trained for row in rows for name in (label(row), row.loss)})
    if loss is not None and loss not in known:
        raise ConfigError(f"--loss {loss!r} is no row{did_you_mean(loss, known)} There are {', '.join(known)}")
    chosen = [
        (row, sum(bool(one.rank) for one in rows)) for rows in trained if (row := _chosen(rows, loss)) is not None
    ]
    done = [(row, of) for row, of in chosen if "done" in row.statuses]
    if not done:
        names = ", ".join(label(row) for row, _ in chosen)
        raise ConfigError(f"no run of {names} is done, so there is no code to copy; mllc report says what went wrong")
    return [_read(row, of, folders) for row, of in done]


def code(winner: Winner, metric: str = "map", *, verdict_file: bool = False) -> str:
    """The snippet; `verdict_file`: `verdict` is written beside it, into a JSON file of the same name."""
    run = winner.run
    figures, split = (run.test, "test") if run.test else (run.val or {}, "validation")
    ways = {"own": "micro_f1", "tuned": "micro_f1_tuned", "per_label": "micro_f1_per_label"}
    more = [] if verdict_file or not winner.thresholds else ["one threshold a label: mllc report --code-file FILE.py"]
    return Snippet(
        winner.config,
        about=[*_about(winner, metric), *more, ""],
        threshold=run.threshold,
        figures={
            way: f"micro-F1 {number(figures.get(name))} on {split}, seed {run.seed}" for way, name in ways.items()
        },
        best_epoch=run.best_epoch,
        verdict_file=verdict_file and bool(winner.thresholds),
    ).text()


def verdict(winner: Winner) -> dict[str, Any]:
    """What the JSON file holds.

    `threshold`, and `thresholds` in the order of `labels`, were tuned on validation for the model of the run
    `thresholds_of`, on the scale of its scores: a label is predicted where its score is greater.
    """
    loss = winner.config["loss"]
    return {
        "loss": winner.row.loss,
        "settings": winner.run.settings,
        "rule": loss.get("rule", "above"),
        "scores": (loss.get("traits") or {}).get("scores", "logits"),
        "threshold": winner.run.threshold,
        "labels": [name for name, _ in winner.thresholds],
        "thresholds": [threshold for _, threshold in winner.thresholds],
        "thresholds_of": winner.run.run_id,
        "runs": [run.run_id for run in winner.row.runs],
        "dataset": winner.row.dataset,
        "mllc": __version__,
    }


def write(found: Sequence[Winner], file: Path, metric: str = "map") -> Path:
    """Writes the snippet into FILE.py and the verdict beside it, into the FILE.json that it returns.

    ConfigError for another kind of file, and for several comparisons; StoreError where it cannot be written.
    """
    if file.suffix != ".py":
        raise ConfigError(f"--code-file {file}: type a name that ends in .py; thresholds go into the .json beside it")
    if len(found) > 1:
        raise ConfigError(
            f"--code-file takes one comparison, and these runs are {len(found)}, as mllc report shows: "
            "type the run folders of one, such as mllc report runs/digits-* --code-file FILE.py; or type --code"
        )
    try:
        beside = file.with_suffix(".json")
        file.write_text(code(found[0], metric, verdict_file=True), encoding="utf-8")
        beside.write_text(json.dumps(verdict(found[0]), indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise StoreError(
            f"--code-file {file} cannot be written ({error.strerror}): type a folder that exists and may be written"
        ) from None
    return beside


def _about(winner: Winner, metric: str) -> list[str]:
    row, name, digits = winner.row, figure_name(metric), decimals(metric)
    value = f"{name} {number(row.metrics.get(metric), digits=digits)}"
    value += f" ({span(row.interval, digits)} at 95 %)" if row.interval else ""
    done = row.statuses.count("done")
    value += f", {done} of {counted(len(row.runs), 'seed')} did not diverge or fail" if done < len(row.runs) else ""
    if row.rank:
        place = f"number {row.rank} of {counted(winner.of, 'row')} on test, {value}"
    else:
        place = f"not ranked on test; {value} on {row.split}"
    runs = ", ".join(f"{run.run_id} (seed {run.seed})" for run in row.runs)
    data = about_data(row.dataset, winner.run.data, row.backbone, [counted(winner.run.epochs, "epoch")])
    return [f"{label(row)}: {place}", data, f"mllc {__version__}, runs {runs}"]


def _chosen(rows: Sequence[Row], loss: str | None) -> Row | None:
    if loss is None:
        return rows[0] if rows else None
    called = [row for row in rows if label(row) == loss]
    return next(iter([*called, *(row for row in rows if row.loss == loss)]), None)


def _read(row: Row, of: int, folders: Mapping[str, Path]) -> Winner:
    run = next(run for run in row.runs if run.status == "done")
    folder = folders[run.run_id]
    try:
        config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
        thresholds: list[tuple[str, float]] = []
        if run.test:
            with (folder / "per_label.csv").open(newline="", encoding="utf-8") as file:
                thresholds = [(line["label"], float(line["threshold"])) for line in csv.DictReader(file)]
        Snippet(config).text()  # finds what a config.yaml lacks
    except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError) as error:
        said = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise StoreError(f"{folder} is damaged ({said}); make the run again: its command with --force") from None
    return Winner(row, of, run, config, thresholds)
