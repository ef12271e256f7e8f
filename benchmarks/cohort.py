"""Eight losses on cached features of a frozen backbone: one cohort against eight processes, one after the other.

python benchmarks/cohort.py [--rounds 5] [--data FOLDER] [--epochs 5] [--device cuda]

    cohort    one `mllc sweep` of the losses
    separate  one `mllc train` a loss, each a process of its own

Both sides start processes, import, read the images from a warm cache of decoded pixels, run the frozen backbone once
over each image, train and evaluate the heads for the same epochs, score every loss on test and write the run folders;
the sides take turns to be first. Once per process are the start, the imports, the cache and the frozen backbone; once
per loss the heads, the evaluation and the writing. The runs are paired, so both sides must end in the same figures.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from machine import machine, spread, write
from PIL import Image

from mllc.config import catalogue
from mllc.device import pick_device
from mllc.report import load

LOSSES = sorted(catalogue.choices("loss"))[:8]
LABELS, TRUE_LABELS = 50, 3
SIDES, CLOCKS = ("cohort", "separate"), ("wall", "processor")


def random_images(folder: Path, images: int) -> None:
    """JPEG files of noise and the two lists; what they show does not matter to the clock."""
    draw = np.random.default_rng(0)
    for split, number in (("train", images * 4 // 5), ("test", images // 5)):
        rows = ["image,labels"]
        for i in range(number):
            name = f"{split}{i}.jpeg"
            Image.fromarray(draw.integers(256, size=(96, 96, 3), dtype=np.uint8)).save(folder / name)
            names = draw.choice(LABELS, TRUE_LABELS, replace=False)
            rows.append(f"{name},{'|'.join(f'label{label}' for label in names)}")
        (folder / f"{split}.csv").write_text("\n".join(rows) + "\n")


def mllc(command: str, *overrides: str) -> None:
    done = subprocess.run([sys.executable, "-m", "mllc", command, *overrides], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"mllc {command} ended with {done.returncode}: {done.stderr[-2000:]}")


def clocks() -> tuple[float, float]:
    """Seconds of the wall's clock, and of the processor in processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.perf_counter(), used.ru_utime + used.ru_stime


def measure(options: argparse.Namespace) -> dict[str, Any]:
    device = pick_device(options.device)
    about = machine(device)
    with tempfile.TemporaryDirectory() as scratch:
        out, data = Path(scratch), Path(options.data or scratch)
        if options.data is None:
            random_images(data, options.images)
        common = (
            *("dataset=images", f"dataset.root={data}", f"dataset.train={data}/train.csv"),
            *(f"dataset.test={data}/test.csv", f"dataset.size={options.size}", "dataset.augment.flip=0"),
            *(f"backbone={options.backbone}", "backbone.freeze=all", f"epochs={options.epochs}"),
            *(f"device={device}", f"cache={out}/cache"),
        )
        mllc("check", *common)  # decodes the images into the cache
        rounds: list[dict[str, dict[str, float]]] = []
        for number in range(options.rounds):
            seconds: dict[str, dict[str, float]] = {}
            for side in SIDES if number % 2 == 0 else reversed(SIDES):
                before = clocks()
                for losses in [LOSSES] if side == "cohort" else [[loss] for loss in LOSSES]:
                    command = "sweep" if side == "cohort" else "train"
                    mllc(command, *common, f"loss={','.join(losses)}", f"out={out}/{side}{number}")
                after = clocks()
                seconds[side] = {"wall": round(after[0] - before[0], 2), "processor": round(after[1] - before[1], 2)}
            rounds.append(seconds)
            print(f"round {number + 1}: {seconds}", flush=True)
        figures = [{run.loss: run.test for run in load([out / f"{side}0"]).results} for side in SIDES]
        samples = load([out / "cohort0"]).results[0].data["samples"]
    return {
        "machine": about,
        "settings": vars(options)
        | {"data": "random" if options.data is None else Path(options.data).name, "device": str(device)}
        | {"losses": LOSSES, "samples": samples},
        "same_figures": figures[0] == figures[1],
        "seconds": {side: {clock: spread([one[side][clock] for one in rounds]) for clock in CLOCKS} for side in SIDES},
        "times_less": {
            clock: spread([one["separate"][clock] / one["cohort"][clock] for one in rounds]) for clock in CLOCKS
        },
        "rounds": rounds,
    }


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="folder with train.csv, test.csv and the images; else noise")
    parser.add_argument("--images", type=int, default=1000, help="of noise, a fifth of them test")
    parser.add_argument("--size", type=int, default=64, help="of the images, in pixels")
    parser.add_argument("--backbone", default="resnet18")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="auto")
    found = measure(parser.parse_args(arguments))
    print("| | wall s | quartiles | processor s | quartiles |\n|---|---|---|---|---|")
    for side, by_clock in {**found["seconds"], "times less": found["times_less"]}.items():
        cells = [f"{one['median']:.1f} | {one['low']:.1f} to {one['high']:.1f}" for one in by_clock.values()]
        print(f"| {side} | {' | '.join(cells)} |")
    print(f"same figures on both sides: {found['same_figures']}")
    print(f"written to {write('cohort', found)}")
    return found


if __name__ == "__main__":
    main()
