"""On a CPU: do the trials of a cohort better take turns on each batch, or is one trained to its end before the next?

python benchmarks/order.py [--epochs 2] [--rounds 5] [--trials 16]

Both orders give every trial the same steps, which is checked bit for bit. Trained to its end, a trial's weights could
stay in the processor's cache; taking turns, a batch does, and it is put together once for all trials. Sides
interleaved, in one process, with all threads and with one, as the workers of a packed sweep have.
"""

import argparse
import time
from collections.abc import Sequence
from typing import Any

import torch
from machine import machine, spread, write

from mllc.build import Shared, build_replica, share
from mllc.config.compose import compose
from mllc.evaluate import epoch_metrics
from mllc.replica import Replica
from mllc.train import train

SCENES = {
    "1000 sheets of digits, patch network": ("dataset=digits", "dataset.samples=1200"),
    "3000 vectors of 512, 159 labels, mlp": (
        *("dataset=synthetic", "dataset.samples=3500", "dataset.labels=159", "dataset.features=512"),
        *("backbone=mlp", "backbone.hidden=[512]"),
    ),
    "3000 vectors of 512, 1000 labels, linear": (
        *("dataset=synthetic", "dataset.samples=3500", "dataset.labels=1000", "dataset.features=512"),
        "backbone=linear",
    ),
}
SIDES = ("turns", "to the end")


def seconds(side: str, replicas: Sequence[Replica], shared: Shared, epochs: int) -> float:
    """Of training them all."""
    started = time.perf_counter()
    for group in [replicas] if side == "turns" else [[replica] for replica in replicas]:
        for _ in train(group, shared.feed, epochs=epochs, measure=epoch_metrics):
            pass
    return time.perf_counter() - started


def measure(options: argparse.Namespace, overrides: Sequence[str], threads: int) -> dict[str, Any]:
    """Seconds of each side, and how many times longer it takes to train them one to the end after the other."""
    torch.set_num_threads(threads)
    conf = compose([*overrides, "device=cpu", "loss=bce", "batch_size=128"], None)
    shared = share(conf)
    found: dict[str, list[float]] = {side: [] for side in SIDES}
    for number in range(options.rounds + 1):
        made = {side: [build_replica(conf, str(i), shared) for i in range(options.trials)] for side in SIDES}
        for side in SIDES if number % 2 else reversed(SIDES):
            found[side].append(seconds(side, made[side], shared, options.epochs))
        for one, other in zip(*made.values(), strict=True):
            pairs = zip(one.model.parameters(), other.model.parameters(), strict=True)
            assert all(torch.equal(mine, its) for mine, its in pairs)
    later = {side: times[1:] for side, times in found.items()}  # the first round reads the data
    ratios = [end / turns for turns, end in zip(*later.values(), strict=True)]
    return {"seconds": {side: spread(times) for side, times in later.items()}, "times longer": spread(ratios)}


def table(found: dict[str, Any]) -> str:
    """Of both orders, in Markdown."""
    lines = ["| | threads | taking turns, s | to the end, s | times longer | quartiles |", "|---|--:|--:|--:|--:|--:|"]
    for name, one in found["scenes"].items():
        scene, threads = name.rsplit(" x ", 1)
        turns, end = (one["seconds"][side]["median"] for side in SIDES)
        ratio = one["times longer"]
        lines.append(
            f"| {scene} | {threads} | {turns:.2f} | {end:.2f} | {ratio['median']:.2f} "
            f"| {ratio['low']:.2f} to {ratio['high']:.2f} |"
        )
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=16)
    options = parser.parse_args(arguments)
    most = torch.get_num_threads()
    found = {"machine": machine(torch.device("cpu")), "settings": vars(options), "scenes": {}}
    for name, overrides in SCENES.items():
        for threads in sorted({most, 1}):
            found["scenes"][f"{name} x {threads}"] = measure(options, overrides, threads)
    print(table(found))
    print(f"written to {write('order', found)}")
    return found


if __name__ == "__main__":
    main()
