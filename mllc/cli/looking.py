"""report, diagnose: what finished runs, or the scores of any model, say."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from mllc.cli import options as opt
from mllc.cli.terminal import on_terminal, say, width
from mllc.errors import ConfigError
from mllc.wording import counted


def report(
    runs: Annotated[list[Path] | None, typer.Argument(help="Run folders, or folders that hold them [runs]")] = None,
    format: Annotated[str, typer.Option(help="table, md, csv, json or latex")] = "table",
    by: opt.By = "loss",
    metric: opt.Metric = "map",
    baseline: opt.Baseline = None,
    region: opt.Region = 0.005,
    bootstrap: opt.Resampled = False,
    per_label: opt.PerLabel = False,
    threshold: opt.LabelThreshold = "own",
    sort: opt.Sort = "index",
    top: opt.Top = None,
    bottom: opt.Bottom = None,
    code: opt.Code = False,
    code_file: opt.CodeFile = None,
    loss: opt.CodeLoss = None,
    plots: opt.Plots = None,
    label: opt.PlotLabels = None,
    html: opt.Html = None,
) -> None:
    """Print the comparison of finished runs, the labels of one run, or the best row as code; or draw them.

    mllc report runs/digits-zlpr-s0-0a1b2c3d4e5f --per-label --sort f1 --top 5 --bottom 5

    mllc report --code --loss zlpr

    mllc report runs --plots pictures --html report.html
    """
    from mllc.page.file import check_place
    from mllc.report import Question, load, render
    from mllc.report.code import as_code
    from mllc.report.per_label import label_report

    if label and plots is None:
        raise ConfigError("--label chooses what is drawn: type --plots DIR as well")
    if per_label and (code or code_file):
        raise ConfigError("--per-label is about the labels of a run, --code about the best row: type one of the two")
    if bootstrap and (per_label or code or code_file):
        raise ConfigError("--bootstrap adds a sentence to the comparison: leave out --per-label and --code")
    ignored = {"--baseline": baseline is not None, "--region": region != Question.region}
    if per_label:
        ignored |= {"--by": by != "loss", "--metric": metric != Question.metric, "--loss": loss is not None}
    if (per_label or code or code_file) and html is None and plots is None and any(ignored.values()):
        raise ConfigError(
            f"{'--per-label' if per_label else '--code'} compares nothing: leave out "
            + " and ".join(name for name, given in ignored.items() if given)
        )
    if html is not None:
        check_place(html)
    found, shape = load(runs or [Path("runs")]), {"format": format, "width": width(), "color": on_terminal()}
    asked = Question(metric, baseline or Question.baseline, region)
    if per_label:
        text = label_report(found, threshold=threshold, sort=sort, top=top, bottom=bottom, **shape)
    elif (threshold, sort, top, bottom) != ("own", "index", None, None):
        raise ConfigError("--threshold, --sort, --top and --bottom are about the labels of one run: add --per-label")
    elif code or code_file:
        text = as_code(found, file=code_file, loss=loss, by=by, metric=metric, format=format)
    elif loss is not None:
        raise ConfigError(f"--loss {loss} is for code: add --code")
    else:
        folders = found.folders if bootstrap else None
        known = {"by": by, "metric": metric, "baseline": baseline, "region": region}
        text = render(found.results, studies=found.studies, folders=folders, **known, **shape)
    if plots is not None:
        from mllc.plots import make_folder

        make_folder(plots)
    typer.echo(text, nl=False)
    if plots is not None:
        from mllc.plots import figures

        _write_pictures(*figures(found, by, asked, labels=label or ()), plots)
    if html is not None:
        _write_page(found, by, asked, html, bootstrap)


def _write_pictures(drawn: Mapping[str, Any], missing: Mapping[str, str], folder: Path) -> None:
    """Writes the pictures, and says on stderr which, and why not the others."""
    from mllc.plots import write

    write(drawn.values(), folder)
    say(f"{counted(len(drawn), 'picture')} in {folder}, each as PNG and SVG: {', '.join(drawn)}")
    if missing:
        say("nothing to draw: " + "; ".join(f"{name} ({reason})" for name, reason in missing.items()))


def _write_page(found: Any, by: str, asked: Any, file: Path, bootstrap: bool) -> None:
    """Writes the comparison as one HTML file."""
    from mllc.page.comparison import comparison_page

    _save_page(comparison_page(found, asked, by=by, bootstrap=bootstrap, command=_typed()), file)


def _typed() -> str:
    """This command, as it can be typed again."""
    from mllc.page.origin import typed

    return typed([Path(sys.argv[0]).name, *sys.argv[1:]])


def _save_page(document: Any, file: Path) -> None:
    """Writes a page, and says so on stderr."""
    from mllc.page.file import save
    from mllc.page.render import render

    save(file, render(document))
    say(f"page: {file}")


def diagnose(
    scores: opt.Scores,
    targets: opt.Targets = None,
    logits: opt.Logits = False,
    probabilities: opt.Probabilities = False,
    threshold: opt.Threshold = None,
    labels: opt.Labels = None,
    seed: opt.HalvesSeed = 0,
    format: Annotated[str, typer.Option(help="table, md or json")] = "table",
    plots: opt.Plots = None,
    html: opt.Html = None,
) -> None:
    """Say what is wrong with a model, of any framework, from its saved scores; and draw it.

    mllc diagnose scores.npy targets.npy --logits

    mllc diagnose scores.npy targets.npy --logits --plots pictures --html diagnosis.html
    """
    from mllc.data.score_files import read_scored
    from mllc.page.file import check_place

    if logits and probabilities:
        raise ConfigError("type --logits or --probabilities, whichever the scores are, and not both")
    if html is not None:
        check_place(html)
    unit = "logits" if logits else "probabilities" if probabilities else None
    scored = read_scored(scores, targets, unit=unit, labels=labels)

    from mllc.diagnose import diagnose
    from mllc.report.diagnosis import check_format, render

    check_format(format)
    if plots is not None:
        from mllc.plots import make_folder

        make_folder(plots)
    found = diagnose(scored, threshold=threshold, seed=seed)
    title = f"{scores} against {targets}" if targets else scores
    typer.echo(render(found, title, format=format, width=width(), color=on_terminal()), nl=False)
    if plots is None and html is None:
        return
    from mllc.plots.diagnosed import figures

    drawn, missing = figures(scored, found, title)
    if plots is not None:
        _write_pictures(drawn, missing, plots)
    if html is not None:
        from mllc.page.diagnosis import diagnosis_page

        files = {"scores": scores, "targets": targets or scores, "label names": str(labels or "")}
        _save_page(diagnosis_page(found, title, drawn.values(), files=files, command=_typed()), html)
