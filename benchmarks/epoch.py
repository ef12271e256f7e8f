"""What an epoch costs beside its steps: validation, and what it leaves on disk.

python benchmarks/epoch.py [--epochs 6] [--device cuda]

For each scene a cohort of four losses, epoch by epoch through mllc's loop, single process:

    steps       training on every batch
    validation  of every trial after the epoch: predictions and the figures that history.csv keeps
    handing     copies of weights and optimizer state for the thread that writes; training waits for them
    writing     what that thread then does; training does not wait for it

The first epoch opens the data and is left out.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from machine import machine, spread, write
from torch import Tensor

from mllc import checkpoint
from mllc.build import build_replica, share
from mllc.config.compose import expand
from mllc.device import pick_device
from mllc.evaluate import epoch_metrics
from mllc.store import RunFolder
from mllc.train import EpochEnd, train
from mllc.writer import Writer, snapshot

LOSSES = "loss=bce,focal,asymmetric,zlpr"
SCENES = {
    "digits, patch network": ("dataset=digits",),
    "4000 vectors, 1000 labels, mlp": (
        *("dataset=synthetic", "dataset.samples=5000", "dataset.labels=1000", "dataset.features=512"),
        *("backbone=mlp", "backbone.hidden=[512]"),
    ),
}
PARTS = ("steps", "validation", "handing", "writing")
GOAL = 0.15
"""The largest share of an epoch that validation may take."""


def measure_scene(overrides: tuple[str, ...], epochs: int, device: torch.device) -> list[dict[str, float]]:
    """Seconds of each part in every epoch but the first."""
    configs = expand([*overrides, LOSSES, f"device={device}"], preset=None)
    shared = share(configs[0])
    replicas = [build_replica(conf, str(i), shared) for i, conf in enumerate(configs)]
    rounds = [dict.fromkeys(PARTS, 0.0) for _ in range(epochs)]
    with tempfile.TemporaryDirectory() as folder, Writer() as writer:
        folders = {replica: RunFolder(Path(folder) / replica.name) for replica in replicas}
        for one in folders.values():
            one.path.mkdir()
        last = time.perf_counter()
        for event in train(replicas, shared.feed, epochs=epochs, measure=epoch_metrics):
            now = time.perf_counter()
            if not isinstance(event, EpochEnd):
                rounds[event.epoch]["steps"] += now - last
                last = now
                continue
            spent = rounds[event.replica.epoch - 1]
            spent["validation"] += now - last
            tensors, about = checkpoint.state_of(event.replica)
            writer.do(partial(save, folders[event.replica], snapshot(tensors), dict(about), spent))
            last = time.perf_counter()
            spent["handing"] += last - now
    return rounds[1:]


def save(
    folder: RunFolder, copied: Callable[[], dict[str, Tensor]], about: dict[str, Any], spent: dict[str, float]
) -> None:
    started = time.perf_counter()
    folder.save_tensors("resume", copied(), about)
    spent["writing"] += time.perf_counter() - started


def measure(options: argparse.Namespace) -> dict[str, Any]:
    device = pick_device(options.device)
    about = machine(device)
    scenes = {name: measure_scene(overrides, options.epochs, device) for name, overrides in SCENES.items()}
    waited = PARTS[:3]
    return {
        "machine": about,
        "goal": GOAL,
        "seconds": {
            name: {part: spread([one[part] for one in rounds]) for part in PARTS} for name, rounds in scenes.items()
        },
        "share": {
            name: {part: spread([one[part] / sum(one[key] for key in waited) for one in rounds]) for part in waited}
            for name, rounds in scenes.items()
        },
    }


def table(found: dict[str, Any]) -> str:
    """Seconds of the parts of an epoch, and the share of validation and of handing over."""
    lines = ["| | steps, s | validation, s | its share | quartiles | handing over, s | its share | writing, s |"]
    lines.append("|---|--:|--:|--:|--:|--:|--:|--:|")
    for name, seconds in found["seconds"].items():
        share = found["share"][name]
        lines.append(
            f"| {name} | {seconds['steps']['median']:.3f} | {seconds['validation']['median']:.3f} | "
            f"{share['validation']['median']:.3f} | {share['validation']['low']:.3f} to "
            f"{share['validation']['high']:.3f} | {seconds['handing']['median']:.3f} | "
            f"{share['handing']['median']:.3f} | {seconds['writing']['median']:.3f} |"
        )
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--device", default="auto")
    found = measure(parser.parse_args(arguments))
    print(table(found))
    print(f"written to {write('epoch', found)}")
    return found


if __name__ == "__main__":
    main()
