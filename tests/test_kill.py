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
SLOW = ("epochs=14", "dataset.samples=2000", "loss=softmax_count", "device=cpu")


def start(out):
    return subprocess.Popen([*COMMAND, *SLOW, f"out={out}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def epochs_done(out):
    histories = list(out.glob("*/history.csv"))
    return len(histories[0].read_text().splitlines()) - 1 if histories else 0


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_as_if_it_had_not_been(tmp_path):
    assert start(tmp_path / "whole").wait(timeout=600) == 0
    (whole,) = load([tmp_path / "whole"]).results
    epoch_s = whole.seconds / whole.epochs

    draw = random.Random(0)
    for reached in (0, 1, 3, 4, 6):
        process = start(tmp_path / "parts")
        while epochs_done(tmp_path / "parts") < reached and process.poll() is None:
            time.sleep(0.005)
        time.sleep(draw.uniform(0, 1.2) * epoch_s)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, "it was killed while it worked"
        assert not list(tmp_path.glob("parts/*/result.json")), "a killed run does not count as done"
    assert start(tmp_path / "parts").wait(timeout=600) == 0

    (parts,) = load([tmp_path / "parts"]).results
    assert_identical(state_of(tmp_path / "whole", whole), state_of(tmp_path / "parts", parts))
    partial = [p for p in folder_of(tmp_path / "parts", parts).iterdir() if "partial" in p.name]
    assert partial == [], "what a kill left behind is replaced or removed"
