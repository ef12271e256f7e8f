"""list: what there is to choose from."""

from pathlib import Path
from typing import Annotated

import typer

from mllc.cli import options as opt
from mllc.cli.terminal import on_terminal, width
from mllc.config.catalogue import KINDS
from mllc.errors import ConfigError


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
        allow = opt.importable(allow_target, config_dir)
        from mllc.loss_plot import plot as draw

        typer.echo(f"{len(draw(plot, config_dir, allow))} losses drawn: {plot}")
        return
    if what is not None and name is not None:
        typer.echo(about(what, name, config_dir, opt.importable(allow_target, config_dir)), nl=False)
        return
    columns = width() if on_terminal() else None
    typer.echo("\n".join(listing(kind, config_dir, columns) for kind in ([what] if what else KINDS)), nl=False)
