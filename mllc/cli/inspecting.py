"""inspect: what a data set is like, before anyone trains on it."""

from pathlib import Path
from typing import Annotated, Any

import typer

from mllc.cli import options as opt
from mllc.cli.terminal import on_terminal, say, width
from mllc.errors import ConfigError, DataError

PICTURES = (".png", ".svg", ".pdf")


def inspect(
    overrides: opt.Overrides = None,
    format: Annotated[str, typer.Option(help="table, md or json")] = "table",
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE_OR_DIR", help="Draw its labels into a .png, .svg or .pdf, or a folder")
    ] = None,
    config_dir: opt.ConfigDir = None,
    allow_target: opt.Allow = None,
) -> None:
    """Show a data set's labels, imbalance, copies and baselines, and what they suggest.

    mllc inspect dataset=arff dataset.train=train.arff dataset.labels=labels.xml
    """
    from mllc.config.compose import compose

    conf = compose(overrides or [], config_dir)
    allow = opt.importable(allow_target, config_dir)
    from mllc.report.inspection import check_format

    check_format(format)
    if plot is not None and plot.suffix.lower() not in PICTURES:
        from mllc.plots import make_folder

        if plot.suffix[1:].isalpha() and not plot.is_dir():
            raise ConfigError(
                f"--plot {plot}: pictures are {', '.join(PICTURES[:-1])} or {PICTURES[-1]}; type --plot "
                f"{plot.with_suffix(PICTURES[0])}, or the name of a folder"
            )
        make_folder(plot, "--plot")
    elif plot is not None and not plot.parent.is_dir():
        raise ConfigError(f"--plot {plot}: there is no folder {plot.parent}")
    say(f"loading data set {conf['dataset']['name']}")
    from mllc.inspection import inspect
    from mllc.open_data import open_data
    from mllc.report.inspection import render

    dataset = conf["dataset"]
    root = dataset.get("root")
    try:
        bad = {"on_bad_image": "skip"} if "on_bad_image" in dataset else {}
        data = open_data(conf | {"dataset": dataset | bad}, allow)
    except DataError:  # without a single image left, the first one's own message says more
        data = open_data(conf, allow)
    found = inspect(
        data, root=None if root is None else Path(root).expanduser(), shrinkage=conf["thresholds"]["shrinkage"]
    )
    title = _title(conf)
    text = render(found, title, overrides or [], format=format, width=width(), color=on_terminal())
    typer.echo(text, nl=False)
    if plot is not None:
        _draw(found, title, plot)


def _title(conf: dict[str, Any]) -> str:
    """The data set, and the names of the files that it is read from."""
    node = conf["dataset"]
    paths = (node.get("traits") or {}).get("paths") or ()
    files = [Path(node[key]).name for key in paths if key != "root" and node.get(key)]
    fold = "" if conf["split"]["folds"] is None else f", fold {conf['split']['fold']} of {conf['split']['folds']}"
    return f"{node['name']}{' (' + ', '.join(files) + ')' if files else ''}{fold}"


def _draw(found: Any, title: str, place: Path) -> None:
    from mllc.plots.data_set import picture
    from mllc.plots.picture import save, write

    drawn = picture(found, title)
    if place.suffix.lower() in PICTURES:
        save(drawn, place)
        say(f"picture: {place}")
    else:
        write([drawn], place)
        say(f"1 picture in {place}, as PNG and SVG: {drawn.name}")
