"""What an exported model may be written as, known before anything heavy is imported."""

from importlib.util import find_spec
from pathlib import Path

from mllc.errors import ConfigError

SUFFIXES = {"torch_export": ".pt2", "onnx": ".onnx", "safetensors": ".safetensors"}
"""Format -> how the names of its files end."""


def check_format(format: str) -> None:
    """ConfigError for an unknown format, and for onnx where it is not installed."""
    if format not in SUFFIXES:
        raise ConfigError(f"--format {format}: type {', '.join([*SUFFIXES][:-1])} or {[*SUFFIXES][-1]}")
    if format == "onnx":
        for package in ("onnx", "onnxscript"):
            if find_spec(package) is None:
                raise ConfigError(f"--format onnx needs {package}: type pip install 'mllc[onnx]'")


def check_suffix(format: str, file: Path) -> None:
    """ConfigError for a name by which other programs, torch.export.load among them, would not know the format."""
    suffix = SUFFIXES[format]
    if file.suffix.lower() != suffix:
        raise ConfigError(
            f"--out {file}: files of --format {format} end in {suffix}; type --out {file.with_suffix(suffix)}"
        )
