"""Images a second through mllc's feed and training loop, and what share that is of the bare model loop.

python benchmarks/train.py [--backbone resnet50] [--size 224] [--batch 256] [--rounds 7] [--device cuda]

Interleaved in one process, in an order that turns with every round; evaluation is not timed:

    bare    zero_grad, forward, loss, backward, step, written out; its batches lie on the device, ready
    trial   mllc's loop with one trial: indexing uint8 images, augmentation, normalisation, then the same step
    cohort  the same with several trials on shared batches; an image counts once for each trial
    feed    the batches alone, no model
"""

import argparse
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import torch
import torch.nn.functional as F
from machine import machine, spread, write
from torch.utils.flop_counter import FlopCounterMode

from mllc.build import Shared, build_replica
from mllc.config.compose import compose
from mllc.config.targets import build
from mllc.data.statistics import label_statistics
from mllc.device import amp_dtype, pick_device
from mllc.feed import Feed
from mllc.models.backbone import split_frozen
from mllc.models.front import Front
from mllc.replica import Replica
from mllc.train import train
from mllc.types import Dataset, Split

AUGMENT = {"flip": 0.5, "crop": 4}
LABELS, TRUE_LABELS = 100, 3


def random_images(samples: int, size: int) -> Split:
    draw = torch.Generator().manual_seed(samples)
    images = torch.randint(256, (samples, 3, size, size), generator=draw, dtype=torch.uint8)
    chosen = torch.rand(samples, LABELS, generator=draw).topk(TRUE_LABELS).indices
    targets = torch.zeros(samples, LABELS, dtype=torch.uint8).scatter_(1, chosen, 1)
    return Split(images, targets, tuple(map(str, range(samples))))


def shared_part(options: argparse.Namespace, device: torch.device) -> Shared:
    train_split, rest = random_images(options.images, options.size), random_images(2, options.size)
    shape = (3, options.size, options.size)
    data = Dataset("images", tuple(f"label{i}" for i in range(LABELS)), shape, train_split, rest, rest, "")
    backbone = build(compose([f"backbone={options.backbone}"])["backbone"], shape, reserved=("freeze",))
    frozen, _ = split_frozen(backbone.stages, "none")
    amp = amp_dtype(options.amp, device)
    front = Front(frozen, backbone.mean, backbone.std, amp).to(device)
    feed = Feed("random", data, 0, options.batch, front, device, AUGMENT)
    return Shared(data, label_statistics(train_split), backbone, feed, {}, ())


def replicas(shared: Shared, number: int) -> list[Replica]:
    """Trials that differ in the learning rate only, so that each costs the same."""
    conf = compose(["loss=bce", "optimizer=adam"])
    configs = [conf | {"optimizer": conf["optimizer"] | {"lr": 1e-5 * (i + 1)}} for i in range(number)]
    return [build_replica(conf, str(i), shared) for i, conf in enumerate(configs)]


Arm = Callable[[], float]
"""Runs an epoch and returns its seconds."""


def bare(shared: Shared) -> Arm:
    feed, model = shared.feed, replicas(shared, 1)[0].model.train()
    batches = list(feed.epoch(0))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-5, fused=True)

    def steps() -> Iterator[None]:
        for batch in batches:
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast(feed.device.type, dtype=feed.amp, enabled=feed.amp is not None):
                logits = model(batch.features)["logits"]
            loss = F.binary_cross_entropy_with_logits(logits.float(), batch.targets, reduction="sum")
            (loss / len(batch.targets)).backward()
            optimizer.step()
            yield

    return lambda: timed(steps(), feed.device)


def looped(shared: Shared, trials: int) -> Arm:
    events = train(replicas(shared, trials), shared.feed, epochs=1_000_000, measure=lambda _: {})

    def epoch() -> float:
        seconds = timed(islice(events, shared.feed.steps), shared.feed.device)
        for _ in islice(events, trials):  # the evaluation at the end of the epoch
            pass
        return seconds

    return epoch


def timed(steps: Iterable[Any], device: torch.device) -> float:
    synchronise(device)
    started = time.perf_counter()
    for _ in steps:
        pass
    synchronise(device)
    return time.perf_counter() - started


def measure(options: argparse.Namespace) -> dict[str, Any]:
    device = pick_device(options.device)
    about = machine(device)
    shared = shared_part(options, device)
    arms: dict[str, tuple[int, Arm]] = {
        "bare": (1, bare(shared)),
        "trial": (1, looped(shared, 1)),
        "cohort": (options.trials, looped(shared, options.trials)),
        "feed": (1, lambda: timed(shared.feed.epoch(0), device)),
    }
    peak = peak_flops(device, shared.feed.amp or torch.float32)
    share_per_rate = flops_of_a_step(shared) / peak
    rounds: list[dict[str, float]] = []
    for number in range(options.rounds + 1):
        first = number % len(arms)
        order = [*arms, *arms][first : first + len(arms)]
        rounds.append({name: round(arms[name][0] * options.images / arms[name][1](), 2) for name in order})
    rounds = rounds[1:]  # the first one warms up
    return {
        "machine": about,
        "settings": vars(options) | {"device": str(device), "amp": str(shared.feed.amp), "labels": LABELS} | AUGMENT,
        "images_per_second": {name: spread([found[name] for found in rounds]) for name in arms},
        "share_of_bare": {
            name: spread([found[name] / found["bare"] for found in rounds]) for name in ("trial", "cohort")
        },
        "peak_tflops": round(peak / 1e12, 3),
        "share_of_peak": {
            name: spread([found[name] * share_per_rate for found in rounds]) for name in ("bare", "trial", "cohort")
        },
        "rounds": rounds,
    }


def flops_of_a_step(shared: Shared) -> int:
    """Floating-point operations of an image's forward and backward pass, products and convolutions counted."""
    model, batch = replicas(shared, 1)[0].model.train(), next(shared.feed.epoch(0))
    with FlopCounterMode(display=False) as counter:
        model(batch.features)["logits"].sum().backward()
    return counter.get_total_flops() // len(batch.targets)


def peak_flops(device: torch.device, dtype: torch.dtype) -> float:
    """Floating-point operations a second of one large product of square matrices: what this device can do at best."""
    side = 8192 if device.type == "cuda" else 2048
    left, right = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    seconds = [timed((left @ right for _ in range(5)), device) / 5 for _ in range(5)]
    return 2 * side**3 / min(seconds)


def synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    cuda = torch.cuda.is_available()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", default="resnet50" if cuda else "resnet18")
    parser.add_argument("--size", type=int, default=224 if cuda else 64, help="of the images, in pixels")
    parser.add_argument("--batch", type=int, default=256 if cuda else 32)
    parser.add_argument("--images", type=int, default=2560 if cuda else 128, help="of an epoch")
    parser.add_argument("--trials", type=int, default=4, help="of the cohort")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--amp", default="auto", choices=("auto", "off", "bf16"))
    found = measure(parser.parse_args(arguments))
    print("| | images x trials a second | quartiles | share of bare | quartiles | share of peak |")
    print("|---|---|---|---|---|---|")
    for name, rate in found["images_per_second"].items():
        share = found["share_of_bare"].get(name)
        shares = f"{share['median']:.2f} | {share['low']:.2f} to {share['high']:.2f}" if share else " | "
        peak = f"{found['share_of_peak'][name]['median']:.2f}" if name in found["share_of_peak"] else ""
        print(f"| {name} | {rate['median']:.0f} | {rate['low']:.0f} to {rate['high']:.0f} | {shares} | {peak} |")
    print(f"peak: {found['peak_tflops']} TFLOP a second, of one large matrix product in the same precision")
    print(f"written to {write('train', found)}")
    return found


if __name__ == "__main__":
    main()
