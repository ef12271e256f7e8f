"""A Diagnosis as text: for the terminal, in Markdown, as JSON."""

import json
import math
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from mllc.diagnose import Diagnosis
from mllc.errors import ConfigError
from mllc.report.findings import findings, rule, verdict
from mllc.report.grid import Column, fit, to_text
from mllc.report.next_steps import next_steps
from mllc.result import BASELINES, Metrics
from mllc.suggest import did_you_mean
from mllc.wording import counted

FORMATS = ("table", "md", "json")
STYLES = {"good": "bold green", "warning": "bold yellow", "bad": "bold red"}

HOW = (
    "Tuned thresholds are measured on samples that did not choose them: each half of the samples (seed {seed}) is "
    "decided by those of the other; the ones shown are tuned on all. The figures are of these samples: give some that "
    "the model was not trained on."
)

Line = tuple[str, Metrics, str]
"""A line of the table: its title, its figures, and the ending of their names."""


def check_format(format: str) -> None:
    """ConfigError for a format that is not known."""
    if format not in FORMATS:
        raise ConfigError(f"--format {format!r} is unknown{did_you_mean(format, FORMATS)} Known: {', '.join(FORMATS)}")


def render(found: Diagnosis, title: str, *, format: str = "table", width: int = 100, color: bool = False) -> str:
    """The diagnosis of what `title` names, as text that ends in a newline; `width` and `color` concern the table."""
    check_format(format)
    if format == "json":
        return json.dumps({"title": title, **as_dict(found)}, indent=1, allow_nan=False) + "\n"
    return _markdown(found, title) if format == "md" else _terminal(found, title, max(width, 40), color)


def as_dict(found: Diagnosis) -> dict[str, Any]:
    """A flat object of plain values: the verdict, every figure by its name, then the other fields of Diagnosis."""
    rest = asdict(found)
    metrics = rest.pop("metrics")
    never = [row["label"] for row in found.labels if not row["predicted"]]
    return {
        "verdict": verdict(found)[0],
        "collapsed": rest.pop("collapsed"),
        "ranks": rest.pop("ranks"),
        **metrics,
        "findings": findings(found),
        "next_steps": next_steps(found),
        "never_predicted_labels": never,
        "labels_without_positives": [row["label"] for row in found.labels if not row["positives"]],
        **rest,
    }


def _terminal(found: Diagnosis, title: str, width: int, color: bool) -> str:
    sentence, tone = verdict(found)
    table, hidden = fit(
        ways(found),
        columns(found),
        width,
        style=lambda line: "dim" if is_baseline(line) else "",
        section=is_baseline,
    )
    parts: list[Any] = [(f"{title}: {about(found)}", "bold"), ("", ""), (sentence, STYLES[tone]), ("", "")]
    more = f"{counted(hidden, 'more column')} in a wider terminal, or with --format json." if hidden else ""
    parts += [table, *([(more, "dim")] if more else []), ("", "")]
    parts += [(text, "") for text in findings(found).values()]
    parts += [("", ""), ("What to try next", "bold")]
    parts += [(f"{i}. {step}", "") for i, step in enumerate(next_steps(found), start=1)]
    return to_text([*parts, ("", ""), (how(found), "dim")], width, color)


def _markdown(found: Diagnosis, title: str) -> str:
    shown = columns(found)
    rows = [[column.title.replace("\n", " ") for column in shown], ["--:" if c.right else ":--" for c in shown]]
    rows += [[column.cell(line) for column in shown] for line in ways(found)]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in rows)
    steps = "\n".join(f"{i}. {step}" for i, step in enumerate(next_steps(found), start=1))
    listing = "\n".join(f"- {text}" for text in findings(found).values())
    parts = [f"**{title}: {about(found)}**", verdict(found)[0], table, listing, "What to try next:", steps]
    return "\n\n".join([*parts, how(found)]) + "\n"


def about(found: Diagnosis) -> str:
    """The sizes of what was diagnosed."""
    sizes = f"{counted(found.num_samples, 'sample')}, {counted(found.num_labels, 'label')}"
    return f"{sizes}, {found.metrics['true_labels_per_sample']:.2f} true a sample; scores are {found.unit}"


def how(found: Diagnosis) -> str:
    """What the figures were measured on."""
    return HOW.format(seed=found.seed)


def ways(found: Diagnosis) -> list[Line]:
    """The lines of the table: ways to decide, and under them the baselines."""
    chance: Metrics = {"map": found.metrics["map_chance"]}
    return [
        (f"own ({rule(found, found.thresholds['own'])})", found.metrics, ""),
        (f"tuned ({rule(found, found.thresholds['tuned'])})", found.metrics, "_tuned"),
        ("one a label", found.metrics, "_per_label"),
        (f"top {found.k}", found.metrics, "_top_k"),
        ("random order", chance, ""),
        *((name, found.baselines[name], "") for name in BASELINES),
    ]


def is_baseline(line: Line) -> bool:
    return line[0] in (*BASELINES, "random order")


def columns(found: Diagnosis) -> list[Column[Line]]:
    """The columns of the table."""
    losses = [loss for _, figures, way in ways(found) if (loss := figures.get(f"hamming_loss{way}"))]
    hamming = min(max(3, 2 - math.floor(math.log10(min(losses, default=1.0)))), 6)
    return [
        Column("threshold", lambda line: line[0], right=False, wrap=14),
        Column("mAP", _cell("map", 3)),
        Column("micro\nF1", _cell("micro_f1", 3)),
        Column("macro\nF1", _cell("macro_f1", 3), drop=1),
        Column("sample\nF1", _cell("sample_f1", 3), drop=4),
        Column("Hamming\nloss", _cell("hamming_loss", hamming), drop=2),
        Column("labels a\nsample", _cell("labels_per_sample", 2)),
        Column("labels never\npredicted", _cell("never_predicted", 0, found.num_labels), drop=3),
    ]


def _cell(name: str, digits: int, times: float = 1.0) -> Callable[[Line], str]:
    """Cells of one figure; mAP has but one value for the ways to decide."""

    def cell(line: Line) -> str:
        value = line[1].get(name + line[2], line[1].get(name))
        return "" if value is None else f"{value * times:.{digits}f}"

    return cell
