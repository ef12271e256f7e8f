"""How does the time of `mllc sweep` grow with losses, seeds, samples and labels?

python benchmarks/sweep_growth.py [--rounds 3] [--small]

One of them grows at a time, from a sweep of 2 losses and 1 seed for 2 epochs on 3000 generated vectors of 32 features
with 100 labels. The slope is that of a line through the logarithms: 1 is proportional, less is shared or fixed work.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from command import mllc
from machine import machine, spread, write
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter
from sweep_scenes import LOSSES

from mllc.plots.style import COLORS, panels, styled

START = {"losses": 2, "seeds": 1, "samples": 3000, "labels": 100}
GROWS = {
    "losses": (1, 2, 4, 8, 16),
    "seeds": (1, 2, 3, 4, 5),
    "samples": (1_000, 10_000, 100_000, 1_000_000),
    "labels": (100, 1_000, 10_000),
}


def seconds(sizes: dict[str, int], folder: Path) -> float:
    """Of one sweep, from nothing."""
    started = time.perf_counter()
    mllc(
        *("sweep", "dataset=synthetic", "backbone=linear", "dataset.features=32", "dataset.mean_true=2"),
        *(f"dataset.samples={sizes['samples']}", f"dataset.labels={sizes['labels']}", "dataset.test_samples=500"),
        *(f"loss={','.join(LOSSES[: sizes['losses']])}", f"seed=range({sizes['seeds']})", "epochs=2"),
        *("batch_size=1000", "split.val=0.05", "device=cpu", f"out={folder}"),
    )
    return time.perf_counter() - started


def slope(sizes: list[int], times: list[float]) -> float:
    """Of the line of least squares through the logarithms."""
    return round(float(np.polyfit(np.log(sizes), np.log(times), 1)[0]), 2)


@styled
def draw(found: dict[str, Any], file: Path) -> None:
    """A panel for each of what grows."""
    figure, axes = panels(2, 2, (7.5, 5.5), "Seconds of a sweep as one thing grows\nboth axes logarithmic; medians")
    everything = [at["median"] for one in found["growth"].values() for at in one["seconds"].values()]
    for axis, color, (what, one) in zip([*axes[0], *axes[1]], COLORS, found["growth"].items(), strict=False):
        medians = [at["median"] for at in one["seconds"].values()]
        axis.loglog([int(size) for size in one["seconds"]], medians, "o-", color=color)
        axis.set_title(f"{what}: slope {one['slope']:.2f}", loc="left")
        axis.set_xlabel(what)
        axis.set_ylabel("s")
        axis.set_ylim(min(everything) / 1.5, max(everything) * 1.5)
        axis.xaxis.set_major_locator(FixedLocator([int(size) for size in one["seconds"]]))
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        for side in (axis.xaxis, axis.yaxis):
            side.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.7g}"))
            side.set_minor_formatter(NullFormatter())
    figure.savefig(file, dpi=150)


def table(found: dict[str, Any]) -> str:
    """Seconds at each size, and the slope, in Markdown."""
    lines = ["| what grows | medians, s | slope |", "|---|---|--:|"]
    for what, one in found["growth"].items():
        times = ", ".join(f"{int(size):,}: {at['median']:.1f}" for size, at in one["seconds"].items())
        lines.append(f"| {what} | {times} | {one['slope']:.2f} |")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--small", action="store_true", help="the two smallest sizes of each, to test the script")
    options = parser.parse_args(arguments)
    found: dict[str, Any] = {"machine": machine(torch.device("cpu")), "settings": vars(options), "start": START}
    found["growth"] = {}
    for what, grown in GROWS.items():
        sizes = list(grown[:2] if options.small else grown)
        times: dict[str, list[float]] = {str(size): [] for size in sizes}
        for _ in range(options.rounds):
            for size in sizes:
                with tempfile.TemporaryDirectory() as folder:
                    times[str(size)].append(seconds(START | {what: size}, Path(folder)))
        medians = {size: spread(values) for size, values in times.items()}
        found["growth"][what] = {"seconds": medians, "slope": slope(sizes, [one["median"] for one in medians.values()])}
        print(f"{what}: {found['growth'][what]}", flush=True)
    print(table(found))
    file = write("sweep_growth", found)
    draw(found, file.with_suffix(".png"))
    print(f"written to {file}, {file.with_suffix('.png').name}")
    return found


if __name__ == "__main__":
    main()
