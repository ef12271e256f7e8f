"""The command line: parse, call, print. Nothing heavy is imported before a command knows that its input is fine."""

import errno
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from mllc import __version__, interrupt
from mllc import options as opt
from mllc.config.catalogue import KINDS
from mllc.errors import ConfigError, MllcError
from mllc.wording import counted

CANNOT_WRITE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""What stdout fails with on a full or broken disk; the files of a run are minded where they are written."""


class Commands(TyperGroup):
    """Commands whose errors are told in a few lines; a traceback only with --debug."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            _say("stopped; what is finished is kept, and the same command continues where this one was")
            raise typer.Exit(interrupt.EXIT_CODE) from None
        except MllcError as error:
            if ctx.params["debug"]:
                raise
            _say(f"error: {error}")
            raise typer.Exit(error.exit_code) from None


app = typer.Typer(
    cls=Commands,
    name="mllc",
    help="Compare loss functions for multi-label classification with sparse labels, on your own data.",
    epilog="Exit codes: 0 done; 1 a run failed; 2 wrong input, or a machine that cannot (full disk); 130 stopped.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Runs the command that was typed; understands --debug behind it as well."""
    debug = "--debug" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        app(["--debug", *arguments] if debug else arguments, prog_name="mllc")
    except BrokenPipeError:  # `mllc report | head`
        _drop_stdout()
        sys.exit(1)
    except Exception as error:
        if debug:
            raise
        if isinstance(error, OSError) and error.errno in CANNOT_WRITE:
            _drop_stdout()
            _say(f"error: what was asked for cannot be written: {error.strerror}")
            sys.exit(2)
        _say(f"error: {type(error).__name__}: {str(error).strip().partition(chr(10))[0]}")
        _say("This is not foreseen; run it again with --debug for the traceback")
        sys.exit(1)


def _drop_stdout() -> None:
    """Sends what is still buffered nowhere: at exit it would fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mllc {__version__}")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and leave", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    pass


@app.command()
def train(
    overrides: opt.Overrides = None,
    config_dir: opt.ConfigDir = None,
    allow_target: opt.Allow = None,
    force: opt.Force = False,
) -> None:
    """Train one model and score it on test.

    mllc train loss=focal optimizer.lr=0.01
    """
    from mllc.config.compose import compose

    conf = compose(overrides or [], config_dir)
    allow = _importable(allow_target, config_dir)

    _announce([conf])
    from mllc import run
    from mllc.report import run_table
    from mllc.screen import Screen
    from mllc.store import RunFolder

    interrupt.unwind()
    with Screen(total_trials=1, monitor=conf["monitor"]) as screen:
        (result,) = run.train([conf], score_test=True, screen=screen, force=force, allow=allow)
    folder = RunFolder.of(conf, result.run_id)
    typer.echo(run_table(result, _width(), color=_on_terminal()))
    typer.echo(f"run folder: {folder.path}")
    _exit_if_failed([result])


@app.command()
def sweep(
    overrides: opt.Overrides = None,
    by: opt.By = "loss",
    config_dir: opt.ConfigDir = None,
    allow_target: opt.Allow = None,
    force: opt.Force = False,
) -> None:
    """Train every combination and compare.

    mllc sweep loss=bce,focal optimizer.lr=0.001,0.01 'seed=range(3)'

    Settings are chosen on validation, and only those are scored on test. Without a list of values it is the standard
    comparison; sweep=NAME names another (mllc list sweeps). With tune.trials=20 each row's settings are searched, in 20
    trials on validation, and the best are repeated with each seed (tune.*: conf/tune.yaml).
    """
    from mllc.config.search import expand_tuned

    tune, searches, configs = expand_tuned(overrides or [], config_dir, by=[key.strip() for key in by.split(",")])
    starts = [search.start for search in searches]
    _check_by(by, [*starts, *configs])
    allow = _importable(allow_target, config_dir)

    trials = sum(search.trials + len(search.seeds) for search in searches) + len(configs)
    _announce([*starts, *configs], trials)
    from mllc.report import render
    from mllc.screen import Screen

    interrupt.unwind()
    with Screen(total_trials=trials, monitor=[*starts, *configs][0]["monitor"]) as screen:
        if searches:
            from mllc import tune as tuned

            results, studies = tuned.sweep(searches, configs, tune, by=by, screen=screen, force=force, allow=allow)
        else:
            from mllc import run

            results, studies = run.sweep(configs, by=by, screen=screen, force=force, allow=allow), []
    typer.echo(render(results, studies=studies, by=by, width=_width(), color=_on_terminal()), nl=False)
    _exit_if_failed(results)


@app.command()
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
    if html is not None:
        check_place(html)
    found, shape = load(runs or [Path("runs")]), {"format": format, "width": _width(), "color": _on_terminal()}
    asked = Question(metric, baseline or Question.baseline, region)
    if per_label:
        text = label_report(found, threshold=threshold, sort=sort, top=top, bottom=bottom, **shape)
    elif (threshold, sort, top, bottom) != ("own", "index", None, None):
        raise ConfigError("--threshold, --sort, --top and --bottom are about the labels of one run: add --per-label")
    elif code or code_file:
        text = as_code(found, file=code_file, loss=loss, by=by, metric=metric, format=format)
    elif loss is not None:
        raise ConfigError(f"--loss {loss} is for code: type mllc report --code --loss {loss}")
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
    _say(f"{counted(len(drawn), 'picture')} in {folder}, each as PNG and SVG: {', '.join(drawn)}")
    if missing:
        _say("nothing to draw: " + "; ".join(f"{name} ({reason})" for name, reason in missing.items()))


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
    _say(f"page: {file}")


@app.command()
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
    typer.echo(render(found, title, format=format, width=_width(), color=_on_terminal()), nl=False)
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


@app.command(name="list")
def list_(
    what: Annotated[str | None, typer.Argument(help=", ".join(KINDS), autocompletion=opt.complete_kind)] = None,
    name: Annotated[str | None, typer.Argument(help="One of them: its documentation and its YAML")] = None,
    config_dir: opt.ConfigDir = None,
    allow_target: opt.Allow = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw every loss and its gradient into this .png, .svg or .pdf")
    ] = None,
) -> None:
    """Show what there is: losses, datasets, ..., or all about one.

    mllc list losses asymmetric

    mllc list losses --plot losses.png
    """
    from mllc.config.listing import about, listing
    from mllc.suggest import did_you_mean

    if what is not None and what not in KINDS:
        raise ConfigError(f"'{what}' cannot be listed{did_you_mean(what, KINDS)} Type one of {', '.join(KINDS)}")
    if plot is not None:
        if what != "losses" or name is not None:
            raise ConfigError(f"--plot draws the losses: type mllc list losses --plot {plot}")
        allow = _importable(allow_target, config_dir)
        from mllc.loss_plot import plot as draw

        typer.echo(f"{len(draw(plot, config_dir, allow))} losses drawn: {plot}")
        return
    if what is not None and name is not None:
        typer.echo(about(what, name, config_dir, _importable(allow_target, config_dir)), nl=False)
        return
    width = _width() if _on_terminal() else None
    typer.echo("\n".join(listing(kind, config_dir, width) for kind in ([what] if what else KINDS)), nl=False)


@app.command()
def check(overrides: opt.Overrides = None, config_dir: opt.ConfigDir = None, allow_target: opt.Allow = None) -> None:
    """Build all and run one batch, without training.

    A sweep's overrides are welcome: each trial gets its batch. With tune.trials=20 it says what would be searched.
    """
    from mllc.config.search import expand_tuned
    from mllc.plan import row_name

    _, searches, configs = expand_tuned(overrides or [], config_dir, preset=None)
    configs = [*(search.start for search in searches), *configs]
    allow = _importable(allow_target, config_dir)

    from mllc import preflight

    interrupt.unwind()
    for line in preflight.check(configs, allow=allow):
        typer.echo(line)
    typer.echo(f"{counted(len(configs), 'trial')} ready to run")
    for search in searches:
        space = " ".join(f"{key}={one}" for key, one in search.space.items())
        typer.echo(f"{row_name(search.start)}: {counted(search.trials, 'trial')} in {space}")


def _announce(configs: list[dict[str, Any]], count: int = 1) -> None:
    """The first line: importing torch and reading the data take seconds."""
    dataset, backbone, loss = (
        ", ".join(dict.fromkeys(conf[group]["name"] for conf in configs)) for group in ("dataset", "backbone", "loss")
    )
    trials = f" ({counted(count, 'trial')})" if count > 1 else ""
    _say(f"loading data set {dataset}, backbone {backbone}, loss {loss}{trials}")


def _check_by(by: str, configs: list[dict[str, Any]]) -> None:
    """Refuses a grouping before hours of training, not after."""
    from mllc.config.compose import flat, identity
    from mllc.report.selection import FIELDS
    from mllc.suggest import did_you_mean

    known = {*FIELDS, *(key for conf in configs for key in flat(identity(conf)))}
    for key in by.split(","):
        if key.strip() not in known:
            hint = f"{did_you_mean(key.strip(), known)} Known: {', '.join(sorted(known))}"
            raise ConfigError(f"--by {by}: '{key}' is not a setting of these runs{hint}")


def _importable(allow_target: list[str] | None, config_dir: Path | None) -> tuple[str, ...]:
    """The allowed packages; one that is not installed is looked for in --config-dir and in the current folder."""
    for name in allow_target or ():
        if not all(part.isidentifier() for part in name.split(".")):
            raise ConfigError(
                f"--allow-target '{name}': type the name of a package or module, such as mine or mine.losses"
            )
    if allow_target:
        sys.path += [str(folder.absolute()) for folder in (config_dir, Path()) if folder]
    return tuple(allow_target or ())


def _exit_if_failed(results: list[Any]) -> None:
    failed = [result for result in results if result.status == "failed"]
    for result in failed:
        _say(f"failed: {result.name}, seed {result.seed} ({result.run_id}): {result.message}")
    if failed:
        raise typer.Exit(1)


def _on_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()  # None: closed by the caller


def _width() -> int:
    return shutil.get_terminal_size((100, 24)).columns


def _say(text: str) -> None:
    typer.echo(f"mllc: {text}", err=True)
