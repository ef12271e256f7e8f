"""The device to train on, the dtype of its mixed precision, and how much memory it has left."""

import os
from pathlib import Path

import torch

from mllc.errors import ConfigError, ModelError


def pick_device(name: str, option: str = "device=") -> torch.device:
    """`auto` (the first CUDA device, else the CPU), `cpu`, `cuda` or `cuda:N`; ModelError if it is not there.

    option  what is typed in front of the name (`--device `), for messages
    """
    found = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return torch.device("cuda", 0) if found else torch.device("cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise ModelError(f"{option}{name}: type auto, cpu, cuda or cuda:N")
    index = device.index or 0
    if device.type == "cuda" and index >= found:
        there = f"{found} CUDA devices, cuda:0 to cuda:{found - 1}" if found else "no CUDA device"
        raise ModelError(f"{option}{name}: this machine has {there}; type {option}cpu or {option}auto")
    if device.type == "cuda":
        torch.cuda.set_device(index)
        return torch.device("cuda", index)
    return device


def amp_dtype(amp: str, device: torch.device) -> torch.dtype | None:
    """The dtype of autocast: `auto` is bfloat16 on a GPU that has it, else float16, and off on a CPU."""
    if amp == "auto":
        if device.type == "cpu":
            return None
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    if amp == "fp16" and device.type == "cpu":
        raise ConfigError("amp=fp16 wants a CUDA device, and this run is on the CPU; type amp=off or amp=auto")
    return {"off": None, "bf16": torch.bfloat16, "fp16": torch.float16}[amp]


def require_memory(needed: int, what: str, lower: str) -> None:
    """ConfigError where `needed` bytes for `what` are more than the host has free; `lower` names what to lower."""
    free = available_bytes(torch.device("cpu"))
    if needed > free:
        raise ConfigError(f"{what}: {size(needed)} of memory needed, {size(free)} free; lower {lower}")


def size(num_bytes: float) -> str:
    """
    >>> size(192), size(2.56e12)
    ('192 bytes', '2.56 TB')
    """
    for unit in ("bytes", "kB", "MB", "GB"):
        if num_bytes < 1000:
            return f"{num_bytes:.3g} {unit}"
        num_bytes /= 1000
    return f"{num_bytes:.3g} TB"


def cores() -> int:
    """The processor's cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def available_bytes(device: torch.device) -> int:
    """Memory that is free on the device; for the CPU what the system, or the container, hands out without swapping."""
    if device.type == "cuda":
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + cached
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        free = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable")) << 10
    except (OSError, StopIteration):
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        limit, used = (int(Path(f"/sys/fs/cgroup/memory.{name}").read_text()) for name in ("max", "current"))
        return max(min(free, limit - used), 0)
    except (OSError, ValueError):  # no such group, or "max": no limit
        return free
