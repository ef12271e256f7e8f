"""What does a comparison of sixteen losses with five seeds take, against what its users would do instead?

python benchmarks/sweep.py [--scenario heads,frozen,scratch] [--epochs 5,50] [--rounds 3] [--small]
python benchmarks/sweep.py --table        the tables of benchmarks/README.md, from the results file

mllc's side is `mllc sweep`, one command, from nothing, all 80 runs. The peers, sweep_plain.py and sweep_lightning.py,
have the same losses, data, networks, batches and optimizer, mAP on validation after each epoch, the best epoch's
figures on test. Of each peer's 80 runs, which are alike in size, some are timed in each round, others in the next, and
the time is multiplied by 80 over their number; the sides take turns to be first. Scenes: sweep_scenes.py.

    first           `mllc sweep` with an empty cache (images only); `sweep` is with what that left
    further loss    what one more run costs `mllc sweep`: (16 losses - 8 losses) / 40 runs, over the bare arithmetic of
                    its training: forward, loss, backward and step on tensors in memory
"""

import argparse
import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

import torch
from machine import machine, results_file, spread, write
from sweep_peers import CLOCKS, PEERS, RUNS, arithmetic, peer, some_runs, sweep
from sweep_scenes import LOSSES, SCENES, SEEDS, Scene, write_scene

from mllc.report import load

PEER_RUNS = {"process": 4, "process, two at a time": 4, "process, scikit-learn": 2, "one process": 5, "lightning": 2}
"""Timed in a round."""

LONG_PEER_RUNS = {"process": 1, "process, two at a time": 2, "lightning": 1}
"""Of `frozen` at more than ten epochs: one run takes a minute or more there, and all else is lost beside that."""

GOALS = {"heads 5": 3.0, "heads 50": 1.5, "frozen 5": 30.0, "frozen 50": 30.0, "scratch 5": 1.3, "scratch 50": 1.3}
"""How many times less than a plain process per run."""

FURTHER_GOAL = 1.1

FIGURES = ("map", "micro_f1", "micro_f1_tuned")
"""On test; the sides must agree in them."""


def measure(options: argparse.Namespace, scene: Scene, epochs: int, folder: Path, scratch: Path) -> dict[str, Any]:
    """Seconds of each side in each round, and how far the figures of the peers are from mllc's."""
    counts = LONG_PEER_RUNS if scene.name == "frozen" and epochs > 10 else PEER_RUNS
    rounds: list[dict[str, dict[str, float]]] = []
    furthers, pairs = [], {side: [] for side in counts}
    for number in range(options.rounds if epochs <= 10 else -(-options.rounds // 2)):
        here = scratch / f"{scene.name}-{epochs}-{number}"
        seconds: dict[str, dict[str, float]] = {}
        if scene.size:
            seconds["first"] = sweep(scene, folder, epochs, here / "first", here / "cache", LOSSES)
        found = {}
        sides = ["sweep", *counts]
        for side in sides if number % 2 == 0 else reversed(sides):
            if side == "sweep":
                seconds[side] = sweep(scene, folder, epochs, here / "runs", here / "cache", LOSSES)
                continue
            runs = some_runs(2 if options.small else counts[side], number)
            found[side] = peer(side, scene, folder, epochs, here / side, runs)
            seconds[side] = {clock: found[side][clock] for clock in CLOCKS}
        half = sweep(scene, folder, epochs, here / "half", here / "cache", LOSSES[::2])
        bare = arithmetic(scene, folder, epochs, here / "bare", LOSSES[1::2])
        each = (seconds["sweep"]["wall"] - half["wall"]) / (len(LOSSES[1::2]) * SEEDS)
        furthers.append({"each": each, "arithmetic": bare, "times": each / bare})
        ours = {(run.loss, run.seed): run.test for run in load([here / "runs"]).results}
        assert len(ours) == RUNS
        assert all(ours.values())
        for side, one_side in found.items():
            pairs[side] += [(row, ours[row["loss"], row["seed"]]) for row in one_side["figures"]]
        rounds.append(
            {side: {clock: round(s, 2) for clock, s in by_clock.items()} for side, by_clock in seconds.items()}
        )
        print(
            f"{scene.name}, {epochs} epochs, round {number + 1}: {rounds[-1]}, further loss {furthers[-1]}", flush=True
        )
    return {
        "peer_runs_timed_a_round": counts,
        "seconds": {
            side: {clock: spread([one[side][clock] for one in rounds]) for clock in CLOCKS} for side in rounds[0]
        },
        "times_less": {
            side: {clock: spread([one[side][clock] / one["sweep"][clock] for one in rounds]) for clock in CLOCKS}
            for side in counts
        },
        "further_loss": {name: spread([one[name] for one in furthers]) for name in furthers[0]},
        "figures": {side: agreement(rows) for side, rows in pairs.items()},
        "rounds": rounds,
    }


def agreement(pairs: list[tuple[dict[str, Any], dict[str, Any]]]) -> dict[str, Any]:
    """Means over the runs that both sides have: [the peer's, mllc's]."""
    return {"runs": len(pairs)} | {
        name: [round(statistics.fmean(one[name] or 0.0 for one in side), 4) for side in zip(*pairs, strict=True)]
        for name in FIGURES
    }


def table(found: dict[str, Any]) -> str:
    """The tables of the README, in Markdown."""
    lines = []
    for name, one in found["scenes"].items():
        scene, epochs = name.rsplit(" ", 1)
        goal = GOALS.get(name)
        lines += [
            f"`{scene}`, {epochs} epochs:",
            "",
            "| | wall s | quartiles | times `mllc sweep` | processor s | times |",
        ]
        lines.append("|---|--:|--:|--:|--:|--:|")
        words = {"sweep": "`mllc sweep`", "first": "`mllc sweep`, empty cache"} | PEERS
        for side in [side for side in words if side in one["seconds"]]:
            wall, processor = (one["seconds"][side][clock] for clock in CLOCKS)
            times = [f"{one['times_less'][side][clock]['median']:.1f}" if side in PEERS else "" for clock in CLOCKS]
            if side == "process" and goal:
                times[0] += f" (goal {goal:g})"
            lines.append(
                f"| {words[side]} | {wall['median']:.0f} | {wall['low']:.0f} to {wall['high']:.0f} | {times[0]} "
                f"| {processor['median']:.0f} | {times[1]} |"
            )
        further = one["further_loss"]
        each, bare = (1000 * further[key]["median"] for key in ("each", "arithmetic"))
        maps = ", ".join(f"{side} {pair['map'][0]:.3f} ({pair['map'][1]:.3f})" for side, pair in one["figures"].items())
        lines += [
            "",
            f"A further run costs {each:.0f} ms, {further['times']['median']:.2f} times (goal {FURTHER_GOAL}) the bare "
            f"arithmetic of its training, {bare:.0f} ms. mAP on test (mllc's in the same runs): {maps}.",
            "",
        ]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenario", default=",".join(SCENES), help="comma-separated")
    parser.add_argument("--epochs", default="5,50", help="comma-separated")
    parser.add_argument("--rounds", type=int, default=3, help="half as many above ten epochs")
    parser.add_argument("--small", action="store_true", help="hardly any samples and runs, to test the script")
    parser.add_argument("--table", action="store_true", help="print the tables of the results file")
    options = parser.parse_args(arguments)
    about = machine(torch.device("cpu"))
    file = results_file("sweep", about)
    if options.table:
        found = json.loads(file.read_text())
        print(table(found))
        return found
    found = {"machine": about, "settings": vars(options) | {"losses": list(LOSSES), "seeds": SEEDS}, "scenes": {}}
    with tempfile.TemporaryDirectory() as scratch:
        for name in options.scenario.split(","):
            folder = Path(scratch) / "data" / name
            write_scene(SCENES[name], folder, 0.1 if options.small else 1.0)
            for epochs in map(int, options.epochs.split(",")):
                found["scenes"][f"{name} {epochs}"] = measure(options, SCENES[name], epochs, folder, Path(scratch))
                file = write("sweep", found)  # after each scene: an hour's work is not lost with the last
    print(table(found))
    print(f"written to {file}")
    return found


if __name__ == "__main__":
    main()
