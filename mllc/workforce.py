"""How many processes train a sweep, and on what: as many as pay, and as there is memory for."""

import resource
import sys
import time
from collections.abc import Callable, Sequence
from itertools import islice
from typing import NamedTuple

import torch

from mllc.build import Config, Shared, build_replica
from mllc.data.rows import Selected
from mllc.device import available_bytes, cores
from mllc.engine.sequential import train_step
from mllc.engine.stacked import why_not
from mllc.feed import Batch
from mllc.network import num_weights
from mllc.plan import shared_part
from mllc.preflight import Sharing

WORTH_S = 15.0
"""Seconds of work below which `auto` starts no workers: each of two would save half, and they need three to begin."""

STEP_S, FLOPS = 0.0005, 1.5e10
"""What a training step takes at least on one core, and how many operations a second of matrix products one does."""

WORKER_BYTES = 300 << 20
"""What a worker takes beside data and replicas, for the most part PyTorch."""

PROBED, BUSY = 10, 0.1
"""Steps that show whether a GPU waits for the host: when all are launched, hardly anything is left to compute."""

MOST_ON_A_GPU, CONTEXT_BYTES = 4, 600 << 20
"""Workers on one GPU, at most, and what CUDA takes of its memory for each process."""


class Workforce(NamedTuple):
    """The processes of a sweep.

    cut      a cohort may be cut in parts: what its trials share costs little
    threads  of each worker
    devices  of the workers, in turn; none: what the configs say
    """

    workers: int
    cut: bool
    threads: int
    devices: tuple[str, ...] = ()


def workforce(groups: Sequence[Sequence[Config]], trials: int, sharing: Sharing) -> Workforce:
    """The processes for a sweep of `trials` trials that begins with the cohorts `groups`.

    Reads the data, so that it is known what they take, and has what is kept on disk made: once, by all cores.
    """
    conf, wanted = groups[0][0], groups[0][0]["workers"]
    if wanted == 1 or trials <= 1:
        return Workforce(1, False, torch.get_num_threads())
    fronts: dict[str, Config] = {}
    for group in groups:
        about = shared_part(group[0])
        fronts.setdefault(str([about["dataset"], about["backbone"], about["split"]["group"]]), group[0])
    for other in reversed(fronts.values()):  # the first one last: its data set stays loaded
        if (kept := sharing.of(other)[0].feed.kept) is not None:
            kept.of("train")
    shared, _ = sharing.of(conf)
    cut = _cheap_batches(shared)
    most = max(map(len, groups))
    parts = trials if cut else max(len(groups), trials // most)
    devices: tuple[str, ...] = ()
    if shared.feed.device.type == "cuda":
        gpus = torch.cuda.device_count() if conf["device"] == "auto" else 1
        number = gpus if gpus > 1 else _on_one_gpu(shared, conf, most)
        devices = tuple(f"cuda:{index}" for index in range(gpus)) if gpus > 1 else ()
    else:
        fit = available_bytes(shared.feed.device) // _worker_bytes(shared, conf, most)
        number = min(cores(), max(fit, 1)) if _seconds(shared, conf, trials) > WORTH_S else 1
    number = min(number if wanted == "auto" else wanted, parts)
    return Workforce(number, cut, max(1, torch.get_num_threads() // number), devices)


def _on_one_gpu(shared: Shared, conf: Config, trials: int) -> int:
    """Workers on one GPU: one where trials are stacked, or where the steps of one trial keep it busy; else as many as
    its memory holds, which take turns to use it."""
    feed, replica = shared.feed, build_replica(conf, "", shared)
    if conf["engine"] != "sequential" and not why_not(replica, feed):
        return 1
    torch.cuda.reset_peak_memory_stats(feed.device)
    busy = _busy(
        lambda batch: train_step(replica, batch, feed, 0, 0.5), list(islice(feed.epoch(0), PROBED)), feed.device
    )
    if busy > BUSY:
        return 1
    peak = torch.cuda.max_memory_allocated(feed.device)
    states = 4 * sum(weight.nbytes for weight in replica.model.parameters())
    return min(MOST_ON_A_GPU, max(1, available_bytes(feed.device) // (CONTEXT_BYTES + peak + states * trials)))


def _busy(step: Callable[[Batch], object], batches: Sequence[Batch], device: torch.device) -> float:
    """The share of the time of some steps that a GPU still computes after the host has launched all of them."""
    step(batches[0])  # what is done once
    torch.cuda.synchronize(device)
    started = time.perf_counter()
    for batch in batches:
        step(batch)
    launched = time.perf_counter() - started
    torch.cuda.synchronize(device)
    return 1 - launched / (time.perf_counter() - started)


def _cheap_batches(shared: Shared) -> bool:
    """Whether the batches of an epoch lie in memory: no frozen layers to compute for each, no images to decode."""
    inputs = shared.data.train.inputs
    while isinstance(inputs, Selected):
        inputs = inputs.rows
    if shared.feed.front.is_frozen:
        return shared.feed.kept is not None
    return not getattr(inputs, "decoded", False)


def _worker_bytes(shared: Shared, conf: Config, trials: int) -> int:
    """What a worker takes: what this process did to read the data, and the replicas of a cohort."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << (0 if sys.platform == "darwin" else 10)
    weights = num_weights(conf, shared.backbone, len(shared.data.label_names))
    return max(peak, WORKER_BYTES) + 4 * 4 * weights * trials


def _seconds(shared: Shared, conf: Config, trials: int) -> float:
    """What a sweep takes at least on one core; weights of a convolution count once, although they are used often."""
    weights = num_weights(conf, shared.backbone, len(shared.data.label_names))
    step = STEP_S + 6 * weights * conf["batch_size"] / FLOPS
    return trials * conf["epochs"] * shared.feed.steps * step
