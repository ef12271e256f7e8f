"""The arguments and options of the commands: their types, names and help. Nothing heavy here."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from mllc.config.catalogue import KINDS, folders
from mllc.errors import ConfigError


def _complete_override(ctx: typer.Context, incomplete: str) -> list[str]:
    from mllc.config.completion import complete_in_shell

    return complete_in_shell(ctx.params.get("overrides") or (), incomplete, ctx.params.get("config_dir"))


def complete_kind(incomplete: str) -> list[str]:
    return [kind for kind in KINDS if kind.startswith(incomplete)]


def complete_lines(incomplete: str) -> list[str]:
    return [format for format in ("csv", "jsonl") if format.startswith(incomplete)]


def complete_decides(incomplete: str) -> list[str]:
    return [way for way in ("own", "global", "per-label") if way.startswith(incomplete)]


def complete_model_format(incomplete: str) -> list[str]:
    return [format for format in ("torch_export", "onnx", "safetensors") if format.startswith(incomplete)]


Overrides = Annotated[
    list[str] | None,
    typer.Argument(help="group=choice or key=value, such as loss=focal", autocompletion=_complete_override),
]
ConfigDir = Annotated[Path | None, typer.Option(help="Folder with your own loss/NAME.yaml, dataset/NAME.yaml, ...")]
Allow = Annotated[
    list[str] | None, typer.Option(metavar="PACKAGE", help="Package that a _target_ in a YAML may name; repeatable")
]
Force = Annotated[bool, typer.Option("--force", help="Run again what is already done")]
By = Annotated[str, typer.Option(help="Rows of the comparison: loss, optimizer, loss.gamma, loss,optimizer, ...")]
Metric = Annotated[str, typer.Option(help="Figure that orders the rows and that the verdicts speak of")]
Baseline = Annotated[str | None, typer.Option(help="Row that the others are held against [bce]", show_default=False)]
Region = Annotated[float, typer.Option(min=0, help="A difference of the metric below it does not matter")]
Resampled = Annotated[bool, typer.Option("--bootstrap", help="Also say what other test samples might have said")]

PerLabel = Annotated[bool, typer.Option("--per-label", help="The labels of one run, as scikit-learn reports them")]
LabelThreshold = Annotated[str, typer.Option(help="With --per-label, what decides: own, global or per-label")]
Sort = Annotated[str, typer.Option(help="With --per-label: index, label, precision, recall, f1 or support")]
Top = Annotated[int | None, typer.Option(min=1, help="With --per-label: so many of the first")]
Bottom = Annotated[int | None, typer.Option(min=1, help="With --per-label: so many of the last")]

Code = Annotated[bool, typer.Option("--code", help="Print the best row as code for a PyTorch loop")]
CodeFile = Annotated[
    Path | None, typer.Option(metavar="FILE.py", help="Write that code there, and its thresholds into FILE.json")
]
CodeLoss = Annotated[str | None, typer.Option(help="With --code or --code-file: another row than the best")]

Plots = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Draw pictures into this folder, as PNG and SVG", show_default=False)
]
PlotLabels = Annotated[
    list[str] | None, typer.Option(help="Label whose precision and recall are drawn by --plots; repeatable")
]
Html = Annotated[Path | None, typer.Option(metavar="FILE", help="Also write all of it as one page to share")]

Scores = Annotated[str, typer.Argument(help="FILE or FILE:NAME (.npy, .npz, .safetensors, .csv), a row a sample")]
Targets = Annotated[str | None, typer.Argument(help="Likewise, of 0 and 1; -1, NaN or ? where unknown")]
Logits = Annotated[bool, typer.Option("--logits", help="The scores are logits, decided at 0")]
Probabilities = Annotated[bool, typer.Option("--probabilities", help="They are probabilities, decided at 0.5")]
Threshold = Annotated[float | None, typer.Option(help="Where the model decides, if not there")]
Labels = Annotated[Path | None, typer.Option(help="File of label names, one a line")]
HalvesSeed = Annotated[
    int, typer.Option(min=0, max=2**63 - 1, help="Of the halves on which thresholds are tuned and measured")
]

Run = Annotated[Path, typer.Argument(metavar="RUN", help="Run folder, or a folder that holds one run")]
Input = Annotated[
    Path,
    typer.Argument(metavar="INPUT", help="A file of new samples, in the run's format; or images"),
]
LinesFormat = Annotated[str, typer.Option(help="csv or jsonl", autocompletion=complete_lines)]
Decides = Annotated[
    str, typer.Option(help="What decides: own (the loss's rule), global or per-label", autocompletion=complete_decides)
]
TopK = Annotated[int | None, typer.Option(metavar="K", help="Instead: the K labels of the largest scores")]
EveryScore = Annotated[bool, typer.Option("--scores", help="Write the score of every label")]
LinesOut = Annotated[Path | None, typer.Option(metavar="FILE", help="Write into this file, whole or not at all")]
BatchSize = Annotated[int | None, typer.Option(min=1, help="Samples at a time [as in training]", show_default=False)]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N")]

ModelFormat = Annotated[
    str, typer.Option(help="torch_export, onnx or safetensors", autocompletion=complete_model_format)
]
ModelOut = Annotated[
    Path | None, typer.Option(metavar="FILE", help="The file to write [the run's name, in the current folder]")
]
BadImages = Annotated[
    str | None, typer.Option(metavar="error|skip", help="Of images that cannot be read [as in training]")
]
Overwrite = Annotated[bool, typer.Option("--force", help="Write over a file that is there")]


def importable(allow_target: list[str] | None, config_dir: Path | None) -> tuple[str, ...]:
    """The allowed packages; one that is not installed is looked for in --config-dir and in the current folder.

    ConfigError for a name that none can have, and for a --config-dir that is no folder.
    """
    folders(config_dir)
    for name in allow_target or ():
        if not all(part.isidentifier() for part in name.split(".")):
            raise ConfigError(
                f"--allow-target '{name}': type the name of a package or module, such as mine or mine.losses"
            )
    if allow_target:
        sys.path += [str(folder.absolute()) for folder in (config_dir, Path()) if folder]
    return tuple(allow_target or ())
