"""The program that the commands join: its own options, and how errors end."""

import errno
import gc
import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from mllc import __version__, interrupt
from mllc.cli.terminal import say, tell
from mllc.errors import MllcError

CANNOT_WRITE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""What stdout fails with on a full or broken disk; the files of a run are minded where they are written."""


CANNOT_OPEN = (errno.ENAMETOOLONG, errno.EACCES, errno.ELOOP)
"""What a path that was typed may fail with wherever it is first looked at."""


class Commands(TyperGroup):
    """Commands whose errors are told in a few lines; a traceback only with --debug."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            say("stopped; what is finished is kept, and the same command continues where this one was")
            raise typer.Exit(interrupt.EXIT_CODE) from None
        except MllcError as error:
            if ctx.params["debug"]:
                raise
            say(f"error: {error}")
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
            say(f"error: what was asked for cannot be written: {error.strerror}")
            sys.exit(2)
        if isinstance(error, OSError) and error.errno in CANNOT_OPEN and error.filename is not None:
            say(f"error: {error.filename!s:.100} cannot be opened: {error.strerror}; type another path")
            sys.exit(2)
        say(f"error: {type(error).__name__}: {str(error).strip().partition(chr(10))[0]}")
        say("This is not foreseen; run it again with --debug for the traceback")
        sys.exit(1)
    finally:
        gc.freeze()  # or the interpreter looks through the million objects of PyTorch, for half a second, as it ends


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
    tell()
