"""The process that workers are forked from: one without threads, which imports PyTorch once for all of them."""

import multiprocessing
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing import forkserver, resource_tracker
from typing import Any

WORTH_EPOCHS = 50
"""Epochs of all trials together under which a sweep is hardly long enough for workers: `mllc.workforce` decides."""

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["mllc.preload"])


def start_early(conf: Mapping[str, Any], trials: int) -> None:
    """Has the fork server of a sweep import PyTorch while this process does so and reads the data, if that may pay."""
    long = trials > 1 and trials * conf["epochs"] >= WORTH_EPOCHS
    if long and conf["workers"] != 1 and conf["device"] in ("auto", "cpu"):
        with deaf_to_ctrl_c():
            forkserver.ensure_running()


@contextmanager
def deaf_to_ctrl_c() -> Iterator[None]:
    """Processes that are started in it never hear of Ctrl-C, which reaches the whole group: their parent ends them."""
    resource_tracker.ensure_running()  # which unblocks the signal once it is started
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
