"""predict, export: what a trained model is for."""

import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from mllc import interrupt
from mllc.cli import options as opt
from mllc.cli.terminal import say, tell
from mllc.errors import ConfigError, StoreError
from mllc.wording import counted


def predict(
    run: opt.Run,
    input: opt.Input,
    format: opt.LinesFormat = "csv",
    threshold: opt.Decides = "own",
    top_k: opt.TopK = None,
    scores: opt.EveryScore = False,
    out: opt.LinesOut = None,
    batch_size: opt.BatchSize = None,
    device: opt.Device = "auto",
    on_bad_image: opt.BadImages = None,
    force: opt.Overwrite = False,
    config_dir: opt.ConfigDir = None,
    allow_target: opt.Allow = None,
) -> None:
    """Apply a trained model to new samples.

    mllc predict runs/images-bce-s0-0a1b2c3d4e5f photos --top-k 3

    mllc predict runs/arff-zlpr-s0-0a1b2c3d4e5f new.arff --format jsonl --out labels.jsonl

    INPUT is in the format of the run's data set, labels or not; for images also an image, a folder or a list (.txt) of
    paths, which start from the run's dataset.root, from the list's folder or from the current one. Scores are on the
    run's own scale, as in its scores.safetensors: logits or log-odds, for most losses.
    """
    if top_k is not None and threshold != "own":
        raise ConfigError("--top-k takes the best labels whatever their scores: leave out --threshold, or --top-k")
    if top_k is not None and scores and format == "csv":
        raise ConfigError("--scores writes the score of every label: leave out --top-k, or type --format jsonl")
    if out is not None:
        from mllc.place import check_place

        check_place("--out", out, f"labels.{format}")
        _keep(out, force)
    if on_bad_image not in (None, "error", "skip"):
        raise ConfigError(f"--on-bad-image {on_bad_image}: type error or skip")
    allow = opt.importable(allow_target, config_dir)
    result, folder = _announced(run)
    from mllc.device import pick_device
    from mllc.predict.inputs import batched, check_input, samples
    from mllc.predict.labels import Tally, better_threshold, check_choice, named
    from mllc.predict.text import check_format, lines
    from mllc.trained import load

    check_choice(threshold, top_k, result.data["num_labels"])
    check_input(input)
    pick_device(device, "--device ")
    tell(logging.INFO)  # readers say what they leave out
    trained = load(folder, device=device, allow=allow)
    names = trained.file.label_names
    check_format(format, scores, names)
    settings = trained.config["dataset"] | ({} if on_bad_image is None else {"on_bad_image": on_bad_image})
    chunks = samples(input, settings, trained.file.encoding, allow)
    batches = batched(chunks, batch_size or trained.config["batch_size"])
    tally = Tally()
    text = lines(tally.of(named(trained, batches, threshold=threshold, top_k=top_k)), names, format, every_score=scores)
    if out is None:
        for part in text:
            sys.stdout.write(part)
        sys.stdout.flush()
        say(str(tally))
    else:
        _write(text, out)
        typer.echo(f"written: {out} ({tally})")
    if threshold == "own" and top_k is None and (advice := better_threshold(result)):
        say(advice)


def export(
    run: opt.Run,
    format: opt.ModelFormat,
    out: opt.ModelOut = None,
    force: opt.Overwrite = False,
    config_dir: opt.ConfigDir = None,
    allow_target: opt.Allow = None,
) -> None:
    """Write a trained model into one file for other programs.

    mllc export runs/digits-zlpr-s0-0a1b2c3d4e5f --format onnx
    mllc export runs/digits-zlpr-s0-0a1b2c3d4e5f --format torch_export --out tagger.pt2

    Inputs are pixels or features, outputs scores and the labels predicted by the loss's own rule; label names and tuned
    thresholds are in the file's metadata.
    """
    from mllc.export.formats import SUFFIXES, check_format, check_suffix
    from mllc.place import check_place, replacing

    check_format(format)
    if out is None:
        out = Path(run.absolute().name + SUFFIXES[format])
    check_place("--out", out, "model" + SUFFIXES[format])
    check_suffix(format, out)
    _keep(out, force)
    allow = opt.importable(allow_target, config_dir)
    _, folder = _announced(run)
    from mllc.export.words import told
    from mllc.export.write import write
    from mllc.trained import load

    trained = load(folder, device="cpu", allow=allow)
    interrupt.unwind()
    with replacing("--out", out) as partial:
        write(trained, format, partial)
    typer.echo(told(trained, format, out), nl=False)


def _keep(out: Path, force: bool) -> None:
    """StoreError for a file that is there, unless it may be written over."""
    if out.exists() and not force:
        raise StoreError(f"--out {out} is there already; type --force to write over it, or --out ANOTHER_FILE")


def _announced(run: Path) -> tuple[Any, Path]:
    """The result and the folder of a run, told before torch is imported."""
    from mllc.report.loading import load_one

    result, folder = load_one(run)
    labels = counted(result.data["num_labels"], "label")
    say(f"loading {folder} ({result.name} on {result.dataset}, {labels})")
    return result, folder


def _write(text: Iterator[str], out: Path) -> None:
    """Writes a file whole or not at all, also where Ctrl-C ends it."""
    from mllc.place import replacing

    interrupt.unwind()
    with replacing("--out", out) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        file.writelines(text)
