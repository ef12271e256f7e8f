"""What does it cost to get images to the model, and how much of it does training wait for?

python benchmarks/data.py [--parts decode,epochs,corel,batches,training,streaming] [--corel FOLDER] [--device cuda]

    decode     JPEG of 500 x 375 to 224 and to 64 pixels on one core, against Pillow (with `draft` to 64)
    epochs     the first epoch, with reading, decoding and writing the cache, against a later one from the disk cache
    corel      all images of Corel-5k decoded into a new cache; FOLDER has train.csv, labels.txt and images/
    batches    a batch of features from memory against a DataLoader over a TensorDataset, on one core
    training   steps of a network: images a second and the share of the time that they wait for data, by `cache`
    streaming  an epoch with cache=none: the memory of all processes together at its peak (PSS)

Sides that are compared take turns. On a GPU only `training` is measured unless told otherwise, with ResNet-50, 224
pixels and bfloat16; the share of waiting is there what is missing to the rate of steps on one batch that stays on the
GPU, and on a CPU the time within the feed.
"""

import argparse
import io
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from data_training import mapped, measure_streaming, measure_training, read
from machine import machine, spread, write
from photographs import photograph, write_photographs
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from mllc.data.ahead import stream
from mllc.data.decode import decode
from mllc.data.images import images
from mllc.device import pick_device
from mllc.feed import Feed
from mllc.models.front import Front
from mllc.types import Dataset, Split

GOALS = {
    "decode to 224, times Pillow": 1.7,
    "decode to 64, times Pillow's draft": 1.0,
    "first epoch, times a later one": 6.0,
    "Corel-5k cached, s": 20.0,
    "a batch, share of a DataLoader's": 1 / 3,
    "waiting share in training": 0.1,
    "streaming, peak GiB": 2.0,
}


def plain(content: bytes, size: int) -> np.ndarray:
    """What a few lines of Pillow do."""
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGB").resize((size, size), Image.Resampling.BILINEAR))


def drafted(content: bytes, size: int) -> np.ndarray:
    """The same, decoded at a fraction of the size."""
    with Image.open(io.BytesIO(content)) as image:
        image.draft("RGB", (size, size))
        return np.asarray(image.convert("RGB").resize((size, size), Image.Resampling.BILINEAR))


def measure_decoding(options: argparse.Namespace, _folder: Path) -> dict[str, Any]:
    """Images a second of one core, by the processor's clock."""
    draw = np.random.default_rng(0)
    contents = [photograph(draw) for _ in range(options.decoded)]
    sides: dict[str, Callable[[], Any]] = {
        f"{name} {size}": lambda function=function, size=size: [function(content, size) for content in contents]
        for size, other in ((224, plain), (64, drafted))
        for name, function in (("mllc", decode), ("pillow", other))
    }
    with one_thread():
        found = rates(sides, options.rounds, len(contents), time.process_time)
    return found | {
        "times": {
            str(size): spread([one[f"mllc {size}"] / one[f"pillow {size}"] for one in found["rounds"]])
            for size in (224, 64)
        }
    }


@contextmanager
def one_thread() -> Iterator[None]:
    """Within it PyTorch computes on one core."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def rates(
    sides: dict[str, Callable[[], Any]], rounds: int, items: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, Any]:
    """Items a second of each side, in an order that turns with every round; a first round warms up."""
    found: list[dict[str, float]] = []
    for number in range(rounds + 1):
        first = number % len(sides)
        one = {}
        for name in [*sides, *sides][first : first + len(sides)]:
            started = clock()
            sides[name]()
            one[name] = round(items / (clock() - started), 2)
        found.append(one)
    return {"rate": {name: spread([one[name] for one in found[1:]]) for name in sides}, "rounds": found[1:]}


def measure_epochs(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Seconds of the first epoch, from image files, and of a later one, from the map of the disk cache.

    Of pixels as bytes, in the random order of training: to make floats of them is the same work in every epoch.
    """
    seconds: dict[str, list[float]] = {"first": [], "later": []}
    for number in range(options.rounds):
        with mapped():
            started = time.perf_counter()
            pixels = read(folder, "disk", 224, folder / f"cache{number}").train.inputs
            for name in seconds:
                for _ in stream(pixels, torch.randperm(len(pixels)).split(options.batch)):
                    pass
                now = time.perf_counter()
                seconds[name].append(round(now - started, 6))
                started = now
    return {
        "images": options.images,
        "seconds": {name: spread(values) for name, values in seconds.items()},
        "times": spread([first / later for first, later in zip(*seconds.values(), strict=True)]),
    }


def measure_corel(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Seconds from the list to the data set, into a new cache."""
    seconds = []
    for number in range(min(options.rounds, 3)):
        started = time.perf_counter()
        data = images(
            root=str(options.corel),
            train=f"{options.corel}/train.csv",
            vocabulary=f"{options.corel}/labels.txt",
            size=options.corel_size,
            cache="disk",
            cache_folder=str(folder / f"corel{number}"),
        )
        seconds.append(round(time.perf_counter() - started, 2))
    return {"images": len(data.train), "size": options.corel_size, "seconds": spread(seconds)}


def measure_batches(options: argparse.Namespace, _folder: Path) -> dict[str, Any]:
    """Batches a second of 256 samples with 512 features and 100 labels, in random order, targets as floats."""
    samples, batch_size = 256 * 40, 256
    inputs, targets = torch.randn(samples, 512), (torch.rand(samples, 100) < 0.03).to(torch.uint8)
    split = Split(inputs, targets, tuple(map(str, range(samples))))
    data = Dataset("features", tuple(map(str, range(100))), (512,), split, split, split, "")
    feed = Feed("features", data, 0, batch_size, Front(nn.Sequential()), torch.device("cpu"))
    loader = DataLoader(TensorDataset(inputs, targets), batch_size=batch_size, shuffle=True)
    sides: dict[str, Callable[[], Any]] = {
        "mllc": lambda: [batch.targets for batch in feed.epoch(0)],
        "loader": lambda: [targets.float() for _, targets in loader],
    }
    with one_thread():
        found = rates(sides, options.rounds, samples // batch_size)
    return found | {
        "milliseconds": {side: spread([1000 / one[side] for one in found["rounds"]]) for side in sides},
        "share": spread([one["loader"] / one["mllc"] for one in found["rounds"]]),
    }


def figures(found: dict[str, Any]) -> dict[str, dict[str, float]]:
    """What has a goal, of those parts that were measured: median and quartiles."""
    rows: dict[str, dict[str, float]] = {}
    if "decode" in found:
        rows["decode to 224, times Pillow"] = found["decode"]["times"]["224"]
        rows["decode to 64, times Pillow's draft"] = found["decode"]["times"]["64"]
    if "epochs" in found:
        rows["first epoch, times a later one"] = found["epochs"]["times"]
    if "corel" in found:
        rows["Corel-5k cached, s"] = found["corel"]["seconds"]
    if "batches" in found:
        rows["a batch, share of a DataLoader's"] = found["batches"]["share"]
    if "training" in found:
        rows["waiting share in training"] = found["training"]["waiting"]["memory"]
    if "streaming" in found:
        rows["streaming, peak GiB"] = dict.fromkeys(("median", "low", "high"), found["streaming"]["peak_gib"])
    return rows


def table(found: dict[str, Any]) -> str:
    """The figures that have a goal, in Markdown."""
    lines = ["| | found | quartiles | goal |", "|---|--:|--:|--:|"]
    for name, one in figures(found).items():
        lines.append(f"| {name} | {one['median']:.2f} | {one['low']:.2f} to {one['high']:.2f} | {GOALS[name]:.2f} |")
    return "\n".join(lines)


def training_table(found: dict[str, Any]) -> str:
    """Rates and waiting by the place of the pixels, in Markdown."""
    lines = ["| pixels | images a second | quartiles | share of waiting | quartiles |", "|---|--:|--:|--:|--:|"]
    for name, rate in found["training"]["rate"].items():
        waits = found["training"]["waiting"][name]
        rates = f"{rate['median']:.0f} | {rate['low']:.0f} to {rate['high']:.0f}"
        lines.append(f"| {name} | {rates} | {waits['median']:.3f} | {waits['low']:.3f} to {waits['high']:.3f} |")
    return "\n".join(lines)


PARTS = {
    "decode": measure_decoding,
    "epochs": measure_epochs,
    "corel": measure_corel,
    "batches": measure_batches,
    "training": measure_training,
    "streaming": measure_streaming,
}


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    cuda = torch.cuda.is_available()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", default="training" if cuda else ",".join(PARTS), help="comma-separated")
    parser.add_argument("--corel", type=Path, help="folder of Corel-5k; without it that part is left out")
    parser.add_argument("--corel-size", type=int, default=64)
    parser.add_argument("--backbone", default="resnet50" if cuda else "resnet18")
    parser.add_argument("--size", type=int, default=224 if cuda else 64, help="of the images in training, in pixels")
    parser.add_argument("--batch", type=int, default=256 if cuda else 32)
    parser.add_argument("--images", type=int, default=10240 if cuda else 640, help="of an epoch")
    parser.add_argument("--decoded", type=int, default=60, help="photographs to decode, a round")
    parser.add_argument("--streamed", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--training-rounds", type=int, default=3)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args(arguments)
    parts = [part for part in options.parts.split(",") if part != "corel" or options.corel]
    shown = vars(options) | {"corel": bool(options.corel), "parts": parts}
    found: dict[str, Any] = {"machine": machine(pick_device(options.device)), "settings": shown}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "photographs"
        write_photographs(folder, options.images)
        for part in parts:
            found[part] = PARTS[part](options, folder)
            print(f"{part}: { {key: value for key, value in found[part].items() if key != 'rounds'} }", flush=True)
    print(table(found))
    if "training" in found:
        print(training_table(found))
    print(f"written to {write('data', found)}")
    return found


if __name__ == "__main__":
    main()
