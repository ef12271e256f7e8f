"""The sides of sweep.py: which processes each starts, and what their clocks say of all 80 runs."""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from sweep_scenes import LOSSES, SEEDS, Scene

RUNS = len(LOSSES) * SEEDS
HERE = Path(__file__).parent
CLOCKS = ("wall", "processor")

TO_THE_LAST = """
import ctypes, os, subprocess, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER: orphaned descendants become children of this process
code = subprocess.run(sys.argv[1:]).returncode
try:
    while True:
        os.waitpid(-1, 0)
except ChildProcessError:
    sys.exit(code)
"""
"""Runs a command and waits for its last descendant, so that the seconds of workers are counted, too."""

PEERS = {
    "process": "a plain PyTorch process per run, one after another, all threads",
    "process, two at a time": "the same, two at a time with one thread each",
    "process, scikit-learn": "one after another, its mAP by scikit-learn's average_precision_score",
    "one process": "the plain runs in one process, one after another",
    "lightning": "a process per run through Lightning, one after another",
}
"""Every peer's 80 runs are alike in size, so that some of them are timed and the time is multiplied."""


def clocks() -> tuple[float, float]:
    """Seconds of the wall's clock, and of the processor in processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.perf_counter(), used.ru_utime + used.ru_stime


def python(*words: Any, threads: int | None = None) -> None:
    """Runs a Python process to its end; where it fails, the benchmark ends with its message."""
    own = {} if threads is None else {"OMP_NUM_THREADS": str(threads)}
    done = subprocess.run([sys.executable, *map(str, words)], capture_output=True, text=True, env=os.environ | own)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, words))} ended with {done.returncode}: {done.stderr[-2000:]}")


def sweep(scene: Scene, folder: Path, epochs: int, out: Path, cache: Path, losses: Sequence[str]) -> dict[str, float]:
    """Seconds of `mllc sweep` from nothing, of all its runs."""
    overrides = [words.replace("FOLDER", str(folder)) for words in scene.overrides]
    mine = (f"epochs={epochs}", f"batch_size={scene.batch_size}", "device=cpu", f"out={out}", f"cache={cache}")
    before = clocks()
    words = (*overrides, *mine, f"loss={','.join(losses)}", f"seed=range({SEEDS})")
    python("-c", TO_THE_LAST, sys.executable, "-m", "mllc", "sweep", *words)
    return dict(zip(CLOCKS, (after - then for after, then in zip(clocks(), before, strict=True)), strict=True))


def some_runs(number: int, turn: int) -> list[str]:
    """`number` of the runs, LOSS:SEED, spread over losses and seeds; others in the next turn.

    >>> some_runs(2, 0), some_runs(2, 1)
    (['bce:0', 'hill:1'], ['abs_kl:1', 'mse:2'])
    """
    step = max(1, len(LOSSES) // number)
    return [f"{LOSSES[(turn + i * step) % len(LOSSES)]}:{(turn + i) % SEEDS}" for i in range(number)]


def peer(side: str, scene: Scene, folder: Path, epochs: int, out: Path, runs: list[str]) -> dict[str, Any]:
    """Seconds that a side takes for all 80 runs, from those of `runs`, and the figures that these ended in."""
    out.mkdir(parents=True, exist_ok=True)
    script = HERE / ("sweep_lightning.py" if side == "lightning" else "sweep_plain.py")
    two = side == "process, two at a time"
    options = ["--threads", 1] if two else ["--ap", "sklearn"] if side == "process, scikit-learn" else []
    batches = [runs] if side == "one process" else [[run] for run in runs]
    files = [out / f"{number}.json" for number in range(len(batches))]

    def start(number: int) -> None:
        words = (folder, scene.name, epochs, files[number], *batches[number])
        python(script, *words, *options, threads=1 if two else None)

    before = clocks()
    with ThreadPoolExecutor(2 if two else 1) as starters:
        list(starters.map(start, range(len(batches))))
    spent = [after - then for after, then in zip(clocks(), before, strict=True)]
    figures = [row for file in files for row in json.loads(file.read_text())]
    if side == "one process":  # what it does once is not multiplied, nor the first run, which warms up
        later = [row for row in figures if not row["first"]]
        each = [sum(row[clock] for row in later) / len(later) for clock in CLOCKS]
        seconds = [whole + (RUNS - len(runs)) * one for whole, one in zip(spent, each, strict=True)]
    else:
        seconds = [whole * RUNS / len(runs) for whole in spent]
    return dict(zip(CLOCKS, seconds, strict=True)) | {"figures": figures}


def arithmetic(scene: Scene, folder: Path, epochs: int, out: Path, losses: Sequence[str]) -> float:
    """Seconds of one run's bare training steps, the mean over `losses` in one process, after one that warms up."""
    out.mkdir(parents=True, exist_ok=True)
    runs = [f"{loss}:0" for loss in (losses[0], *losses)]
    python(HERE / "sweep_plain.py", folder, scene.name, epochs, out / "bare.json", *runs, "--arithmetic")
    rows = json.loads((out / "bare.json").read_text())[1:]
    return sum(row["wall"] for row in rows) / len(rows)
