"""What a run was made with: versions, hardware, commit, command line."""

import importlib.metadata
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import torch

from mllc import __version__


@cache
def environment(device: torch.device, amp: torch.dtype | None) -> dict[str, Any]:
    """Facts for environment.json, with the device and the dtype of autocast that were used; none is part of an id."""
    packages = ("torchvision", "numpy", "scikit-learn", "hydra-core", "safetensors")
    return {
        "mllc": __version__,
        "python": platform.python_version(),
        "packages": {"torch": torch.__version__} | {name: importlib.metadata.version(name) for name in packages},
        "platform": platform.platform(),
        "cpu": _cpu(),
        "cpu_threads": torch.get_num_threads(),
        "device": str(device),
        "amp": None if amp is None else str(amp).removeprefix("torch."),
        "gpu": torch.cuda.get_device_name(device) if device.type == "cuda" else None,
        "cuda": torch.version.cuda if device.type == "cuda" else None,
        "commit": _commit(),
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "folder": str(Path.cwd()),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    return f"{model}, {os.cpu_count()} cores"


def _commit() -> str | None:
    """The commit of the source tree mllc runs from; None for an installed package."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=5, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
