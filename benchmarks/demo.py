"""How long the first hour takes: `mllc train` on the digit sheet and the comparison of `make demo`, with its table.

python benchmarks/demo.py [OVERRIDE ...]      overrides go to both, for a quick try: dataset.samples=300 dataset.grid=3

Each is a process of its own, start and imports included; the installation that `make demo` does first is not. Peak
memory is that of the larger process.
"""

import json
import resource
import sys
import tempfile
import time
from typing import Any

import torch
from command import mllc
from machine import machine, write


def timed(*words: str) -> tuple[float, str]:
    """Seconds and standard output of one process."""
    started = time.perf_counter()
    output = mllc(*words)
    return round(time.perf_counter() - started, 1), output


def main(overrides: list[str]) -> dict[str, Any]:
    about = machine(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    with tempfile.TemporaryDirectory() as out:
        train_s, _ = timed("train", *overrides, f"out={out}/train")
        demo_s, table = timed("sweep", "sweep=demo", *overrides, f"out={out}/demo")
        peak_bytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
        rows = json.loads(mllc("report", f"{out}/demo", "--format", "json"))
        markdown = mllc("report", f"{out}/demo", "--format", "md")
    found = {
        "machine": about,
        "settings": {"overrides": overrides},
        "train_s": train_s,
        "demo_s": demo_s,
        "peak_mib": peak_bytes >> 20,
        "table": markdown,
        "rows": rows,
    }
    print(table)
    print(f"mllc train {train_s:.0f} s, demo {demo_s:.0f} s, peak memory {found['peak_mib']} MiB")
    print(write("demo", found))
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
