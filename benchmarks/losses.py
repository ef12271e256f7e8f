"""What does each loss cost in a training step, forward and backward, in time and in memory?

python benchmarks/losses.py [--rounds 7] [--shapes 256x1000,2048x10000] [--losses zlpr,focal] [--device cuda]

Every conf/loss/*.yaml with its defaults, in epoch 10 (some losses change after the first), on random logits with two to
four true labels a row, against torch's binary_cross_entropy_with_logits summed; some also against the form in which
they were published, written out below from their formulas. The sides of a comparison take turns to be first.

    time    loss and gradient of the logits; ratios are taken within a round, and then their median. On a CPU it is
            the processor's seconds of one thread, which hardly depend on what else runs; on a GPU the wall's clock
    memory  the most bytes alive at once beside logits and targets, the gradient included, in tensors of the logits'
            size. On a CPU the tensors that torch's operations return are followed, from their first storage to its
            end: what one operation needs inside and gives back is not seen. On a GPU it is what the allocator gave out

On a GPU each loss also runs compiled, and the floor is shown: reading logits and targets and writing the gradient, at
the bandwidth that a large copy reaches on the same device.
"""

import argparse
import time
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from machine import machine, spread, write
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mllc.config import catalogue
from mllc.config.compose import compose
from mllc.config.targets import target
from mllc.device import pick_device
from mllc.losses.objective import Objective, build_objective
from mllc.types import LabelStatistics

EPOCH = 10
ENOUGH = 0.02
"""Seconds worth timing: a shorter step is repeated."""
MOST_PAIRS = 1e9
"""Comparisons of samples, batch x batch x labels, beyond which a step of smooth_ap takes minutes and is left out."""
PAIRWISE = (64, 1000)
"""The shape at which a published form of batch x labels x labels still fits."""

Step = Callable[[], Sequence[Tensor | None]]
"""Computes a loss and returns the gradients of its inputs."""


# the published forms -----------------------------------------------------------------------------------------------


def asymmetric(logits: Tensor, targets: Tensor) -> Tensor:
    """gamma- 4, gamma+ 1, margin .05, probabilities clamped at 1e-8, one power for both sides."""
    p = torch.sigmoid(logits)
    not_p = (1 - p + 0.05).clamp(max=1)
    losses = targets * p.clamp(min=1e-8).log() + (1 - targets) * not_p.clamp(min=1e-8).log()
    p_true = p * targets + not_p * (1 - targets)
    exponent = 1 * targets + 4 * (1 - targets)
    return -(losses * torch.pow(1 - p_true, exponent)).sum()


def focal(logits: Tensor, targets: Tensor) -> Tensor:
    """torchvision's, gamma 2, without alpha."""
    p = torch.sigmoid(logits)
    losses = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    p_true = p * targets + (1 - p) * (1 - targets)
    return (losses * (1 - p_true) ** 2).sum()


def zlpr(logits: Tensor, targets: Tensor) -> Tensor:
    """The other side moved away by 1e12, a column of zeros appended, two logsumexps."""
    signed = (1 - 2 * targets) * logits
    negatives, positives = signed - targets * 1e12, signed - (1 - targets) * 1e12
    zeros = torch.zeros_like(logits[..., :1])
    both = [torch.cat([side, zeros], dim=-1).logsumexp(-1) for side in (negatives, positives)]
    return (both[0] + both[1]).sum()


def lsep(logits: Tensor, targets: Tensor) -> Tensor:
    """All differences of two labels of a row, batch x labels x labels, and a masked sum."""
    differences = logits.unsqueeze(1) - logits.unsqueeze(2)
    pairs = targets.unsqueeze(2) * (1 - targets).unsqueeze(1)
    return (1 + (differences.exp() * pairs).sum((1, 2))).log().sum()


PUBLISHED = {form.__name__: form for form in (asymmetric, focal, zlpr, lsep)}


# one step ----------------------------------------------------------------------------------------------------------


def random_batch(shape: tuple[int, int], device: torch.device) -> tuple[Tensor, Tensor]:
    """Logits of spread 2, and targets with two to four true labels a row."""
    draw = torch.Generator().manual_seed(0)
    number = torch.randint(2, 5, (shape[0], 1), generator=draw)
    order = torch.rand(shape, generator=draw).topk(4).indices
    targets = torch.zeros(shape).scatter_(1, order, (torch.arange(4) < number).float())
    return (2 * torch.randn(shape, generator=draw)).to(device).requires_grad_(), targets.to(device)


def build(name: str, targets: Tensor) -> Objective:
    statistics = LabelStatistics(targets.sum(0).cpu(), len(targets), targets.sum(1).mean().item())
    config = compose([f"loss={name}"])["loss"]
    return build_objective(target(config), name, config, statistics).to(targets.device)


def own(objective: Objective, logits: Tensor, targets: Tensor) -> tuple[Callable[..., Tensor], list[Tensor]]:
    """The scalar of a loss as a function of its inputs, and these."""
    extra = [torch.ones_like(logits[:, 0]).requires_grad_() for _ in objective.outputs]

    def value(logits: Tensor, *extra: Tensor) -> Tensor:
        outputs = {"logits": logits, **dict(zip(objective.outputs, extra, strict=True))}
        return objective.mean(outputs, targets, epoch=EPOCH)

    return value, [logits, *extra]


def step(value: Callable[..., Tensor], inputs: list[Tensor]) -> Step:
    return lambda: torch.autograd.grad(value(*inputs), inputs, allow_unused=True)


def seconds(step: Step, repeats: int, device: torch.device) -> float:
    clock = time.perf_counter if device.type == "cuda" else time.process_time
    synchronise(device)
    started = clock()
    for _ in range(repeats):
        step()
    synchronise(device)
    return (clock() - started) / repeats


def synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


class Storages(TorchDispatchMode):
    """Counts the bytes of the storages that operations make, until they are collected."""

    def __init__(self) -> None:
        super().__init__()
        self.alive: dict[weakref.ref[Any], int] = {}
        self.peak = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = {leaf.untyped_storage()._cdata for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)}
        returned = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(returned):
            if isinstance(leaf, Tensor) and leaf.untyped_storage()._cdata not in given:
                storage = leaf.untyped_storage()
                given.add(storage._cdata)
                self.alive[weakref.ref(storage, self.alive.pop)] = storage.nbytes()
        self.peak = max(self.peak, sum(self.alive.values()))
        return returned


def peak_tensors(step: Step, logits: Tensor) -> float:
    """The most memory that a step holds at once, in tensors like the logits."""
    if logits.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        step()
        peak = torch.cuda.max_memory_allocated() - before
    else:
        with Storages() as storages:
            step()
        peak = storages.peak
    return round(peak / logits.untyped_storage().nbytes(), 2)


def floor_seconds(logits: Tensor) -> float:
    """Three tensors like the logits moved at the bandwidth of a large copy."""
    source = torch.empty(2**28, device=logits.device)
    copy = torch.empty_like(source)
    best = min(seconds(lambda: [copy.copy_(source)], 10, logits.device) for _ in range(5))
    return 3 * logits.nbytes / (2 * source.nbytes / best)


# comparisons -------------------------------------------------------------------------------------------------------


def compare(sides: dict[str, Step], base: str, logits: Tensor, rounds: int) -> dict[str, Any]:
    """Time and memory of each side, and how many times longer than `base` it takes."""
    alone = {side: min(seconds(one, 1, logits.device) for _ in range(2)) for side, one in sides.items()}
    repeats = {side: max(1, round(ENOUGH / max(once, 1e-4))) for side, once in alone.items()}
    found: list[dict[str, float]] = []
    for number in range(rounds):
        order = list(sides) if number % 2 == 0 else list(reversed(sides))
        found.append({side: seconds(sides[side], repeats[side], logits.device) for side in order})
    return {
        side: {
            "ms": spread([1e3 * one[side] for one in found]),
            "times": spread([one[side] / one[base] for one in found]),
            "tensors": peak_tensors(sides[side], logits),
        }
        for side in sides
    }


def measure(options: argparse.Namespace) -> dict[str, Any]:
    device = pick_device(options.device)
    if device.type == "cpu":
        torch.set_num_threads(1)
    about = machine(device)
    losses = options.losses or sorted(catalogue.choices("loss"))
    against_bce, against_published, floors = {}, {}, {}
    for shape in options.shapes:
        logits, targets = random_batch(shape, device)
        key = shown(shape)
        floors[key] = {"ms": round(1e3 * floor_seconds(logits), 4)} if device.type == "cuda" else None
        against_bce[key] = {}
        for name in losses:
            if name == "smooth_ap" and shape[0] ** 2 * shape[1] > MOST_PAIRS:
                continue
            value, inputs = own(build(name, targets), logits, targets)
            sides = {"bce": step(bce_of(targets), [logits]), "eager": step(value, inputs)}
            if device.type == "cuda":
                torch.compiler.reset()
                sides["compiled"] = step(torch.compile(value, fullgraph=True), inputs)
            against_bce[key][name] = compare(sides, "bce", logits, options.rounds)
            print(f"{key} {name}: {against_bce[key][name]['eager']['times']['median']} times bce", flush=True)
    for name in [name for name in PUBLISHED if name in losses]:
        for shape in [PAIRWISE] if name == "lsep" else options.shapes:
            logits, targets = random_batch(shape, device)
            published = step(lambda z, y=targets, name=name: PUBLISHED[name](z, y), [logits])
            sides = {"own": step(*own(build(name, targets), logits, targets)), "published": published}
            against_published.setdefault(name, {})[shown(shape)] = compare(sides, "own", logits, options.rounds)
    return {
        "machine": about,
        "settings": vars(options)
        | {"shapes": [shown(shape) for shape in options.shapes], "losses": losses, "device": str(device)},
        "floor": floors,
        "against_bce": against_bce,
        "against_published": against_published,
    }


def bce_of(targets: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda logits: F.binary_cross_entropy_with_logits(logits, targets, reduction="sum")


# tables ------------------------------------------------------------------------------------------------------------


def tables(found: dict[str, Any]) -> str:
    lines = []
    for shape, losses in found["against_bce"].items():
        floor = found["floor"][shape]
        lines += [
            "",
            f"{shape}:",
            "",
            "| loss | ms | times bce | quartiles | tensors |" + " of the floor |" * bool(floor),
        ]
        lines += ["|---|---|---|---|---|" + "---|" * bool(floor)]
        rows = {"bce of torch": next(iter(losses.values()))["bce"]}
        for name, sides in losses.items():
            rows |= {f"{name}{', compiled' if side == 'compiled' else ''}": sides[side] for side in [*sides][1:]}
        for name, side in rows.items():
            lines.append(f"| {name} | {cells(side)} |")
            if floor:
                lines[-1] += f" {floor['ms'] / side['ms']['median']:.0%} |"
    lines += ["", "| loss | shape | ms | published form, ms | times | quartiles | tensors | published form |"]
    lines += ["|---|---|---|---|---|---|---|---|"]
    for name, shapes in found["against_published"].items():
        for shape, sides in shapes.items():
            own, published = sides["own"], sides["published"]
            times = published["times"]
            lines.append(
                f"| {name} | {shape} | {own['ms']['median']:.1f} | {published['ms']['median']:.1f} | "
                f"{times['median']:.1f} | {times['low']:.1f} to {times['high']:.1f} | "
                f"{own['tensors']:.1f} | {published['tensors']:.1f} |"
            )
    return "\n".join(lines)


def cells(side: dict[str, Any]) -> str:
    times = side["times"]
    return (
        f"{side['ms']['median']:.1f} | {times['median']:.1f} | {times['low']:.1f} to {times['high']:.1f} | "
        f"{side['tensors']:.1f}"
    )


def shown(shape: tuple[int, int]) -> str:
    return "x".join(map(str, shape))


def shapes(text: str) -> list[tuple[int, int]]:
    return [tuple(int(size) for size in shape.split("x")) for shape in text.split(",")]  # type: ignore[misc]


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument(
        "--shapes", type=shapes, default=[(256, 1000), (2048, 10000)], help="batch x labels, with commas"
    )
    parser.add_argument("--losses", type=lambda text: text.split(","), help="with commas; else all")
    parser.add_argument("--device", default="auto")
    found = measure(parser.parse_args(arguments))
    print(tables(found))
    print(f"\nwritten to {write('losses', found)}")
    return found


if __name__ == "__main__":
    main()
