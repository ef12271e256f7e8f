"""The parts of data.py that train or stream: who waits for data, and how much memory streaming takes."""

import argparse
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import torch
import torchvision
from machine import spread
from photographs import write_photographs
from torch import nn

from mllc.data import rows
from mllc.data.images import images
from mllc.device import pick_device
from mllc.feed import Feed
from mllc.models.front import Front
from mllc.types import Dataset

CACHES = ("memory", "disk", "none")


@contextmanager
def mapped() -> Iterator[None]:
    """Within it a disk cache stays a memory map, however small it is."""
    limit, rows.TENSOR_LIMIT_BYTES = rows.TENSOR_LIMIT_BYTES, 0
    try:
        yield
    finally:
        rows.TENSOR_LIMIT_BYTES = limit


def read(folder: Path, cache: str, size: int, cache_folder: Path | None = None) -> Dataset:
    """The photographs that `write_photographs` wrote."""
    return images(
        root=str(folder / "images"),
        train=str(folder / "train.csv"),
        size=size,
        cache=cache,
        cache_folder=str(cache_folder or folder / "cache"),
    )


def a_feed(data: Dataset, batch_size: int, device: torch.device | None = None, amp: torch.dtype | None = None) -> Feed:
    device = device or torch.device("cpu")
    front = Front(nn.Sequential(), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), amp).to(device)
    return Feed("photographs", data, 0, batch_size, front, device, {"flip": 0.5})


def measure_training(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Images a second in training steps, and the share of waiting, by `cache`; one batch that stays is `bare`."""
    device = pick_device(options.device)
    amp = torch.bfloat16 if device.type == "cuda" else None
    with mapped():
        data = {cache: read(folder, cache, options.size) for cache in CACHES}
    feeds = {cache: a_feed(data[cache], options.batch, device, amp) for cache in CACHES}
    network = getattr(torchvision.models, options.backbone)(num_classes=len(data["none"].label_names))
    network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-5, fused=True)

    def step(batch: Any) -> None:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device.type, dtype=amp, enabled=amp is not None):
            logits = network(batch.features)
        nn.functional.binary_cross_entropy_with_logits(logits.float(), batch.targets).backward()
        optimizer.step()

    with closing(feeds["memory"].epoch(0)) as first:
        kept = next(first)  # type: ignore[call-overload]
    rounds = []
    for number in range(options.training_rounds + 1):
        one: dict[str, Any] = {}
        order = ["bare", *CACHES]
        for name in order[number % 4 :] + order[: number % 4]:
            batches = iter([kept] * feeds["none"].steps) if name == "bare" else feeds[name].epoch(number)
            one[name] = timed(batches, step, device)
        rounds.append(one)
    bare = [one["bare"]["rate"] for one in rounds[1:]]
    found: dict[str, Any] = {"images": options.images, "rounds": rounds[1:], "rate": {}, "waiting": {}}
    for name in ("bare", *CACHES):
        rate = [one[name]["rate"] for one in rounds[1:]]
        found["rate"][name] = spread(rate)
        missing = [1 - own / full for own, full in zip(rate, bare, strict=True)]
        waited = [one[name]["waited"] for one in rounds[1:]]
        found["waiting"][name] = spread(missing if device.type == "cuda" else waited)
    return found


def timed(batches: Iterator[Any], step: Callable[[Any], None], device: torch.device) -> dict[str, float]:
    """Images a second, and the share of the time in which the host waited for a batch."""
    waited, num_images = 0.0, 0
    started = last = time.perf_counter()
    for batch in batches:
        waited += time.perf_counter() - last
        step(batch)
        num_images += len(batch.targets)
        last = time.perf_counter()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    seconds = time.perf_counter() - started
    return {"rate": round(num_images / seconds, 2), "waited": round(waited / seconds, 4)}


def measure_streaming(options: argparse.Namespace, _folder: Path) -> dict[str, Any]:
    """Gibibytes of this process and those it started, pages that are shared counted once; and images a second."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "streamed"
        write_photographs(folder, options.streamed)
        before = pss_bytes()
        peak, stop = [before], threading.Event()

        def watch() -> None:
            while not stop.wait(0.2):
                peak[0] = max(peak[0], pss_bytes())

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            feed = a_feed(read(folder, "none", 224), 256)
            started, num_images = time.perf_counter(), 0
            for batch in feed.epoch(0):
                num_images += len(batch.targets)
            seconds = time.perf_counter() - started
        finally:
            stop.set()
            thread.join()
    return {
        "images": num_images,
        "rate": round(num_images / seconds, 1),
        "peak_gib": round(peak[0] / 2**30, 3),
        "before_gib": round(before / 2**30, 3),
    }


def pss_bytes() -> int:
    """Of this process and its children."""
    pid, total = os.getpid(), 0
    for one in (pid, *children(pid)):
        try:
            lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
        except OSError:  # it has just ended
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) << 10
    return total


def children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            found += [int(word) for word in (task / "children").read_text().split()]
        except OSError:
            continue
    return found
