"""kill -9 at random moments: the same command continues and ends bit-identical to an uninterrupted run."""

import random
import signal
import subprocess
import sys
import time

import pytest
from test_run import EVERYTHING_RANDOM, TINY, assert_identical, folder_of, state_of

from mllc.report import load

COMMAND = [sys.executable, "-m", "mllc", "train", *TINY, *EVERYTHING_RANDOM]
SLOW = ("epochs=12", "dataset.samples=2000", "loss=softmax_count", "device=cpu")


def start(out):
    return subprocess.Popen([*COMMAND, *SLOW, f"out={out}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_as_if_it_had_not_been(tmp_path):
    started = time.monotonic()
    assert start(tmp_path / "whole").wait(timeout=300) == 0
    whole_s = time.monotonic() - started
    training_s = load([tmp_path / "whole"])[0].seconds

    draw = random.Random(0)
    killed = 0
    for _ in range(6):
        process = start(tmp_path / "parts")
        try:
            process.wait(timeout=whole_s - training_s + draw.uniform(-0.2, 0.6) * training_s)
            break
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            killed += 1
            assert not list(tmp_path.glob("parts/*/result.json")), "a killed run does not count as done"
    assert killed >= 2
    assert start(tmp_path / "parts").wait(timeout=300) == 0

    (whole,), (parts,) = load([tmp_path / "whole"]), load([tmp_path / "parts"])
    assert_identical(state_of(tmp_path / "whole", whole), state_of(tmp_path / "parts", parts))
    partial = [p for p in folder_of(tmp_path / "parts", parts).iterdir() if "partial" in p.name]
    assert partial == [], "what a kill left behind is replaced or removed"
