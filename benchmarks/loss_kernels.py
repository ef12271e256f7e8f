"""How near does each loss come to what the memory allows?

python benchmarks/loss_kernels.py [--shape 2048x10000] [--losses zlpr,focal] [--device cuda] [--backend inductor]

A loss and its gradient must read the logits and the targets and write the gradient: three tensors. These bytes over the
time of forward and backward are a rate, and its share of the rate of a large copy on the same device is what is shown,
eager and compiled (torch.compile; on a CPU only with --backend). The copy and the sides take turns to be first, and the
shares are taken within a round. Every conf/loss/*.yaml with its defaults, in epoch 10; smooth_ap, which compares all
samples by pairs, only at small shapes.
"""

import argparse
from typing import Any

import torch
from losses import MOST_PAIRS, Step, build, own, random_batch, seconds, shapes, shown, step
from machine import machine, spread, write
from torch import Tensor

from mllc.config import catalogue
from mllc.device import pick_device

GOAL = 0.6
"""The share that a compiled loss should reach on a GPU."""
ENOUGH = 0.02
"""Seconds worth timing: a shorter side is repeated."""


def copy_of(size: int, device: torch.device) -> Step:
    """A copy of `size` bytes, which reads and writes as many."""
    source = torch.zeros(size // 4, device=device)
    target = torch.empty_like(source)
    return lambda: [target.copy_(source)]


def sides_of(name: str, logits: Tensor, targets: Tensor, backend: str | None) -> dict[str, Step]:
    value, inputs = own(build(name, targets), logits, targets)
    sides = {"eager": step(value, inputs)}
    if backend:
        torch.compiler.reset()
        sides["compiled"] = step(torch.compile(value, fullgraph=True, backend=backend), inputs)
    return sides


def compare(sides: dict[str, Step], copied: int, moved: int, rounds: int, device: torch.device) -> dict[str, Any]:
    """Of each side but the copy: milliseconds, and its rate over the copy's, which reads and writes `copied` bytes."""
    once = {side: min(seconds(one, 1, device) for _ in range(2)) for side, one in sides.items()}
    repeats = {side: max(1, round(ENOUGH / max(time, 1e-5))) for side, time in once.items()}
    found: list[dict[str, float]] = []
    for number in range(rounds):
        order = list(sides) if number % 2 == 0 else list(reversed(sides))
        found.append({side: seconds(sides[side], repeats[side], device) for side in order})
    return {
        side: {
            "ms": spread([1e3 * one[side] for one in found]),
            "share": spread([moved / one[side] / (2 * copied / one["copy"]) for one in found]),
        }
        for side in sides
        if side != "copy"
    }


def measure(options: argparse.Namespace) -> dict[str, Any]:
    device = pick_device(options.device)
    if device.type == "cpu":
        torch.set_num_threads(1)
    about = machine(device)
    on_gpu = device.type == "cuda"
    (shape,) = options.shape or [(2048, 10000) if on_gpu else (1024, 2000)]
    backend = options.backend or ("inductor" if on_gpu else None)
    logits, targets = random_batch(shape, device)
    copied = 2**30 if on_gpu else 4 * logits.nbytes
    copy = copy_of(copied, device)
    found = {}
    for name in options.losses or sorted(catalogue.choices("loss")):
        if name == "smooth_ap" and shape[0] ** 2 * shape[1] > MOST_PAIRS:
            continue
        sides = {"copy": copy, **sides_of(name, logits, targets, backend)}
        found[name] = compare(sides, copied, 3 * logits.nbytes, options.rounds, device)
        print(name, {side: one["share"]["median"] for side, one in found[name].items()}, flush=True)
    once = min(seconds(copy, 3, device) for _ in range(5))
    return {
        "machine": about,
        "settings": vars(options) | {"shape": shown(shape), "device": str(device), "backend": backend},
        "copy_gb_per_s": round(2 * copied / once / 1e9, 1),
        "goal": {"compiled": GOAL} if on_gpu else {},
        "losses": found,
    }


def table(found: dict[str, Any]) -> str:
    """A line a loss: milliseconds, and the share of the copy's rate with its quartiles."""
    sides = list(next(iter(found["losses"].values())))
    lines = ["| loss |" + "".join(f" {side}, ms | share of a copy | quartiles |" for side in sides)]
    lines.append("|---|" + "---|---|---|" * len(sides))
    for name, loss in found["losses"].items():
        cells = [
            f" {loss[side]['ms']['median']:.2f} | {loss[side]['share']['median']:.2f} |"
            f" {loss[side]['share']['low']:.2f} to {loss[side]['share']['high']:.2f} |"
            for side in sides
        ]
        lines.append(f"| {name} |{''.join(cells)}")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", type=shapes, help="batch x labels; else 2048x10000 on a GPU, 1024x2000 on a CPU")
    parser.add_argument("--losses", type=lambda text: text.split(","), help="with commas; else all")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--backend", help="of torch.compile; else inductor on a GPU, not compiled on a CPU")
    found = measure(parser.parse_args(arguments))
    print(table(found))
    print(f"a copy moves {found['copy_gb_per_s']} GB/s; written to {write('loss_kernels', found)}")
    return found


if __name__ == "__main__":
    main()
