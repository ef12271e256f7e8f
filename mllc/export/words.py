"""What is said after an export: the file, its size, what goes in and comes out, and how to load it."""

from pathlib import Path

from mllc.device import size
from mllc.export.about import about
from mllc.trained import Trained, by

SNIPPETS = {
    "torch_export": """\
import json
import torch

extra = {{"mllc.json": ""}}
network = torch.export.load({file!r}, extra_files=extra).module()
labels = json.loads(extra["mllc.json"])["labels"]
scores, decisions = network(inputs)
""",
    "onnx": """\
import json
import onnxruntime

network = onnxruntime.InferenceSession({file!r})
labels = json.loads(network.get_modelmeta().custom_metadata_map["mllc"])["labels"]
scores, decisions = network.run(None, {{"inputs": inputs}})
""",
    "safetensors": """\
import json
from safetensors import safe_open
from mllc.export.read import read

with safe_open({file!r}, "pt") as found:
    labels = json.loads(found.metadata()["mllc"])["labels"]
network = read({file!r})
scores, decisions = network(inputs)
""",
}
"""Format -> code that loads such a file and applies it to `inputs`."""


def snippet(format: str, file: Path) -> str:
    """Code that loads the file and applies it to `inputs`."""
    return SNIPPETS[format].format(file=str(file))


def told(trained: Trained, format: str, file: Path) -> str:
    """A few lines on a file that was written."""
    found = about(trained)
    (inputs,) = found["inputs"].values()
    lines = [f"written: {file} ({format}, {size(file.stat().st_size)})"]
    lines.append(f"  inputs     batch x {by(inputs['shape'][1:])} {inputs['dtype']}: {inputs['is']}")
    for name, one in found["outputs"].items():
        lines.append(f"  {name:9}  batch x {by(one['shape'][1:])} {one['dtype']}: {one['is']}")
    lines.append("  metadata   label names, thresholds tuned on validation, what goes in and comes out")
    return "\n".join([*lines, "", snippet(format, file)])
