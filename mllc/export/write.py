"""An exported model as a file: a torch.export program, ONNX, or its weights as safetensors."""

import json
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from mllc.errors import MllcError, ModelError
from mllc.export.about import KEY, about
from mllc.export.network import Network, example_inputs
from mllc.export.onnx_file import check_size, write_onnx
from mllc.trained import Trained


def write(trained: Trained, format: str, file: Path) -> None:
    """Writes the whole model; `file` may be a temporary name. ModelError for a network that cannot be exported."""
    network, inputs = Network(trained), example_inputs(trained)
    with _understood(trained, format), torch.no_grad(), _quiet():
        WRITERS[format](network, inputs, trained, file)


def _torch_export(network: Network, inputs: Tensor, trained: Trained, file: Path) -> None:
    program = torch.export.export(network, (inputs,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    with file.open("wb") as stream:
        torch.export.save(program, stream, extra_files={f"{KEY}.json": json.dumps(about(trained))})


def _onnx(network: Network, inputs: Tensor, trained: Trained, file: Path) -> None:
    check_size(network)
    write_onnx(network, inputs, about(trained), file)


def _safetensors(network: Network, inputs: Tensor, trained: Trained, file: Path) -> None:
    import safetensors.torch

    tensors = {f"front/{key}": value for key, value in network.front.state_dict().items()}
    tensors |= {f"model/{key}": value for key, value in network.model.state_dict().items()}
    metadata = {KEY: about(trained), "config": trained.config, "model": asdict(trained.file)}
    file.touch()
    mode = file.stat().st_mode  # as the umask has it; safetensors makes a file that only its owner reads
    contiguous = {key: value.contiguous() for key, value in tensors.items()}
    safetensors.torch.save_file(contiguous, file, metadata={key: json.dumps(one) for key, one in metadata.items()})
    file.chmod(mode)


Writer = Callable[[Network, Tensor, Trained, Path], None]
WRITERS: dict[str, Writer] = {"torch_export": _torch_export, "onnx": _onnx, "safetensors": _safetensors}


@contextmanager
def _understood(trained: Trained, format: str) -> Iterator[None]:
    """Turns what torch says of a network that it cannot trace into one line."""
    try:
        yield
    except (MllcError, OSError):
        raise
    except Exception as error:  # torch's exporters raise what they meet
        said = f"{type(error).__name__}: {str(error).strip()}".partition("\n")[0]
        advice = "" if format == "safetensors" else "; --format safetensors writes its weights"
        name = trained.config["backbone"]["name"]
        raise ModelError(f"backbone={name} cannot be exported as {format} ({said:.300}){advice}") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the exporters' warnings and progress from the user."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
