"""What a benchmark ran on, and where its results go."""

import json
import os
import platform
import re
import statistics
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

import mllc

RESULTS = Path(__file__).parent / "results"


def machine(device: torch.device) -> dict[str, Any]:
    """Hardware, versions, and the load (runnable processes) before: a busy machine measures something else."""
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else _cpu(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load_before": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "cuda": torch.version.cuda if device.type == "cuda" else None,
        "mllc": mllc.__version__,
        **{name: version(name) for name in ("torch", "torchvision")},
    }


def write(name: str, found: dict[str, Any]) -> Path:
    """benchmarks/results/MACHINE-NAME.json; `found` has the key `machine`, which gets the load at the end."""
    found["machine"]["load_after"] = round(os.getloadavg()[0], 2)
    file = results_file(name, found["machine"])
    RESULTS.mkdir(exist_ok=True)
    file.write_text(json.dumps(found, indent=1) + "\n")
    return file


def results_file(name: str, about: dict[str, Any]) -> Path:
    """Where `write` puts what was found on the machine `about`."""
    hardware = about["device"] if about["cuda"] else f"{about['device']} {about['cores']} cores"
    slug = re.sub(r"[^a-z0-9]+", "-", hardware.lower())
    return RESULTS / f"{slug.strip('-')}-{name}.json"


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median and quartiles of some rounds: a round that something else disturbed does not count for much."""
    low, median, high = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else [*values] * 3
    return {"median": round(median, 3), "low": round(low, 3), "high": round(high, 3)}


def seconds_table(found: dict[str, Any], what: str = "") -> str:
    """A line a name: median seconds, quartiles, and the goal, from `seconds` (of `spread`s) and `goal_s` of `found`."""
    lines = [f"|{what and f' {what}'} | s | quartiles | goal |", "|---|---|---|---|"]
    for name, one in found["seconds"].items():
        goal = found["goal_s"].get(name, "")
        lines.append(f"| {name} | {one['median']:.2f} | {one['low']:.2f} to {one['high']:.2f} | {goal} |")
    return "\n".join(lines)


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
