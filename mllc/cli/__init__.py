"""The command line: parse, call, print. Nothing heavy is imported before a command knows that its input is fine.

app        the program: --debug, --version, how errors end      options    arguments and options of the commands
training   train, sweep, check       looking   report, diagnose       inspecting  inspect       catalogue   list
using      predict, export
terminal   what a command knows of it, and says beside its output
"""

from mllc.cli.app import app, main
from mllc.cli.catalogue import list_
from mllc.cli.inspecting import inspect
from mllc.cli.looking import diagnose, report
from mllc.cli.training import check, sweep, train
from mllc.cli.using import export, predict

for command in (train, sweep, report, predict, export, diagnose, inspect, list_, check):  # as --help lists them
    app.command(command.__name__.rstrip("_"))(command)

__all__ = ["app", "main"]
