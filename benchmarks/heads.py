"""Many heads on the same features: one stack against one after another, CUDA graphs, and parallel processes.

python benchmarks/heads.py [--replicas 80] [--features 512] [--hidden 512] [--labels 1000] [--batch 256] [--device cuda]

Seconds of a step of all replicas, bce and Adam with a learning rate each, on one batch that lies on the device:

    stacked    engine=stacked, kernel by kernel; `compile` and `graph` with compile=compile and compile=graph (on a CPU
               only the first, unless --launches names more)
    serial     engine=sequential: one replica after another, eager, fused Adam
    graphs     the same steps, a CUDA graph for each replica (on a GPU)
    processes  the replicas dealt to --processes processes at once, each serial; the slowest counts

The sides take turns to be first; times are taken within a round, and then their median.
"""

import argparse
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import torch
import torch.multiprocessing as multiprocessing
from machine import machine, spread, write
from torch import Tensor

from mllc.build import Shared, build_replica, share
from mllc.config.compose import compose
from mllc.device import pick_device
from mllc.engine.arrange import arrange
from mllc.engine.launch import WARM_UPS, Graphed
from mllc.engine.unit import Moment
from mllc.replica import Replica

GOAL = 15
"""Times that a stack should be faster than serial eager steps on a GPU, at the sizes that are the default."""

Arm = Callable[[], float]
"""Steps all replicas some times; seconds of one such step."""


def replicas_of(options: argparse.Namespace, number: int) -> tuple[Shared, list[Replica]]:
    """Heads that differ in the learning rate."""
    data = ("dataset=synthetic", f"dataset.features={options.features}", f"dataset.labels={options.labels}")
    sizes = (f"dataset.samples={2 * options.batch}", f"dataset.test_samples={options.batch}")
    network = ("backbone=mlp", f"backbone.hidden=[{options.hidden}]", "loss=bce", "optimizer=adam")
    conf = compose([*data, *sizes, *network, f"batch_size={options.batch}", f"device={options.device}"])
    shared = share(conf)
    configs = [conf | {"optimizer": conf["optimizer"] | {"lr": 1e-5 * (i + 1)}} for i in range(number)]
    return shared, [build_replica(own, str(i), shared) for i, own in enumerate(configs)]


def synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def timed(step: Callable[[], Any], steps: int, device: torch.device) -> float:
    synchronise(device)
    started = time.perf_counter()
    for _ in range(steps):
        step()
    synchronise(device)
    return (time.perf_counter() - started) / steps


def by_engine(options: argparse.Namespace, number: int, engine: str, launch: str = "off") -> Arm:
    shared, replicas = replicas_of(options, number)
    batch, moment = next(shared.feed.epoch(0)), Moment(0, 0.5, 1)
    units = arrange(replicas, shared.feed, engine, launch=launch)
    return lambda: timed(lambda: [unit.step(batch, moment) for unit in units], options.steps, shared.feed.device)


def by_graphs(options: argparse.Namespace) -> Arm:
    """Adam of torch with its counts on the device, as a capture needs it."""
    shared, replicas = replicas_of(options, options.replicas)
    batch = next(shared.feed.epoch(0))

    def graph_of(replica: Replica) -> Graphed:
        lr = replica.optimizer.param_groups[0]["lr"]
        optimizer = torch.optim.Adam(replica.model.parameters(), lr=lr, fused=True, capturable=True)

        def step(features: Tensor, targets: Tensor, *, epoch: int) -> Tensor:
            with torch.autocast(features.device.type, dtype=shared.feed.amp, enabled=shared.feed.amp is not None):
                outputs = replica.model(features)
            loss = replica.objective.mean(outputs, targets, epoch=epoch)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            return loss.detach()

        return Graphed(step, by_epoch=False)

    graphs = [graph_of(replica) for replica in replicas]
    once = (batch.features, batch.targets)
    return lambda: timed(lambda: [graph(*once, epoch=0) for graph in graphs], options.steps, shared.feed.device)


def by_processes(options: argparse.Namespace) -> tuple[Arm, Callable[[], None]]:
    """The arm, and what ends the processes."""
    context = multiprocessing.get_context("spawn")
    number = max(1, min(options.processes, options.replicas))
    shares = [len(range(i, options.replicas, number)) for i in range(number)]
    pipes, workers = [], []
    for part in shares:
        here, there = context.Pipe()
        workers.append(context.Process(target=work, args=(options, part, there), daemon=True))
        workers[-1].start()
        pipes.append(here)

    def arm() -> float:
        for pipe in pipes:
            pipe.send(True)
        return max(pipe.recv() for pipe in pipes)

    def end() -> None:
        for pipe, worker in zip(pipes, workers, strict=True):
            pipe.send(False)
            worker.join()

    return arm, end


def work(options: argparse.Namespace, number: int, pipe: Connection) -> None:
    torch.set_num_threads(1)
    arm = by_engine(options, number, "sequential")
    while pipe.recv():
        pipe.send(arm())


def measure(options: argparse.Namespace) -> dict[str, Any]:
    device = pick_device(options.device)
    options.device = str(device)
    about = machine(device)
    on_gpu = device.type == "cuda"
    launches = options.launches or (["off", "compile", "graph"] if on_gpu else ["off"])
    names = {"off": "stacked", "compile": "stacked, compile", "graph": "stacked, graph"}
    arms = {names[launch]: by_engine(options, options.replicas, "stacked", launch) for launch in launches}
    arms["serial"] = by_engine(options, options.replicas, "sequential")
    if on_gpu:
        arms["graphs"] = by_graphs(options)
    arms["processes"], end = by_processes(options)
    rounds: list[dict[str, float]] = []
    warm_ups = -(-(WARM_UPS + 2) // options.steps)
    for number in range(options.rounds + warm_ups):
        order = list(arms) if number % 2 == 0 else list(reversed(arms))
        rounds.append({name: arms[name]() for name in order})
    end()
    rounds = rounds[warm_ups:]
    return {
        "machine": about,
        "settings": vars(options) | {"launches": launches},
        "ms": {name: spread([1e3 * one[name] for one in rounds]) for name in arms},
        "times_faster_than_serial": {name: spread([one["serial"] / one[name] for one in rounds]) for name in arms},
        "goal": {"stacked": GOAL} if on_gpu else {},
        "rounds": rounds,
    }


def table(found: dict[str, Any]) -> str:
    """A line a side: milliseconds of a step of all replicas, and how many times faster than serial."""
    lines = ["| | ms | quartiles | times faster than serial | quartiles |", "|---|---|---|---|---|"]
    for name, ms in found["ms"].items():
        times = found["times_faster_than_serial"][name]
        lines.append(
            f"| {name} | {ms['median']:.2f} | {ms['low']:.2f} to {ms['high']:.2f} | "
            f"{times['median']:.2f} | {times['low']:.2f} to {times['high']:.2f} |"
        )
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    defaults = {"replicas": 80, "features": 512, "hidden": 512, "labels": 1000, "batch": 256, "steps": 20, "rounds": 7}
    for name, number in defaults.items():
        parser.add_argument(f"--{name}", type=int, default=number)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--launches", type=lambda text: text.split(","), help="of off,compile,graph")
    parser.add_argument("--device", default="auto")
    found = measure(parser.parse_args(arguments))
    print(table(found))
    print(f"written to {write('heads', found)}")
    return found


if __name__ == "__main__":
    main()
