"""ONNX: the one operation that torch's exporter has no translation for, and the metadata."""

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mllc.device import size
from mllc.errors import ModelError
from mllc.export.about import KEY

MOST_BYTES = 1536 << 20
"""Of weights: a file of ONNX ends at 2 GiB, and torch moves the weights of larger models into a second file, whose name
the first one holds."""


def check_size(network: nn.Module) -> None:
    """ModelError for a network whose weights do not fit into one file of ONNX."""
    needed = sum(value.nbytes for value in network.state_dict().values())
    if needed > MOST_BYTES:
        raise ModelError(
            f"--format onnx: {size(needed)} of weights do not fit into one ONNX file, which holds {size(MOST_BYTES)}; "
            "type --format torch_export or --format safetensors"
        )


def write_onnx(network: nn.Module, inputs: Tensor, about: dict[str, Any], file: Path) -> None:
    """Writes the network with `inputs` -> `scores`, `decisions`, of any batch size, and `about` as a metadata entry."""
    program = torch.onnx.export(
        network,
        (inputs,),
        dynamo=True,
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        input_names=["inputs"],
        output_names=["scores", "decisions"],
        custom_translation_table={torch.ops.aten.sort.stable: _sort_stable},
        verbose=False,
    )
    assert program is not None, "torch.onnx.export returns a program with dynamo=True"
    program.model.metadata_props[KEY] = json.dumps(about)
    program.save(file)


def _sort_stable(self: Any, *, stable: bool | None = None, dim: int = -1, descending: bool = False) -> Any:
    """torch.sort(stable=True), which the rules of the count and ranking losses take labels by.

    ONNX's TopK is stable by its definition: of equal values the one of lower index comes first.
    """
    import onnxscript

    op: Any = onnxscript.opset18
    last = op.Constant(value_ints=[dim])
    number = op.Gather(op.Shape(self), last)
    return op.TopK(self, number, axis=dim, largest=int(descending), sorted=1)
