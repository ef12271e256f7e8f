"""Initial weights of a torchvision model: none, the published ones, or a local file."""

import re
import urllib.error
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mllc.digests import file_digest
from mllc.errors import ModelError

TO_COME = "TO COME"
"""In the place of a file: weights of the same kind are put into the model afterwards, as a run's checkpoint is."""


def load_weights(model: nn.Module, published: Any, weights: str | None) -> None:
    """Puts initial weights into a torchvision `model` in place.

    published  the model's torchvision weights enum (`ResNet18_Weights`)
    weights    null: leave the random ones; DEFAULT: the published ones, downloaded once by torchvision; else a file
               (.safetensors, or a .pth state dict, which is read without executing anything). Entries of the
               classification layer are not used, whatever their shape.
    """
    if weights is None or weights == TO_COME:
        return
    state = _today(_published(published) if weights == "DEFAULT" else _read(Path(weights)))
    own = model.state_dict()
    classifier = {key for key in own if key.startswith(_last_layer(own))}
    fitting = {key: value for key, value in state.items() if key not in classifier}
    missing = sorted(own.keys() - fitting.keys() - classifier)
    missing = [key for key in missing if not key.endswith(".num_batches_tracked")]  # which older files lack
    unknown = sorted(fitting.keys() - own.keys())
    shapes = sorted(key for key in fitting.keys() & own.keys() if fitting[key].shape != own[key].shape)
    if missing or unknown or shapes:
        what = (
            f"missing {missing[:3]}"
            if missing
            else f"unknown {unknown[:3]}"
            if unknown
            else f"of other shape {shapes[:3]}"
        )
        raise ModelError(
            f"backbone.weights={weights} does not fit the model: entries {what}; "
            "expected a state dict of the torchvision model of that name"
        )
    broken = [key for key, value in fitting.items() if not value.isfinite().all()]
    if broken:
        raise ModelError(
            f"backbone.weights={weights}: entry {broken[0]} holds NaN or infinite values; "
            "type another file, DEFAULT or null"
        )
    model.load_state_dict(fitting, strict=False)


def weights_fingerprint(weights: str | None) -> str:
    """What stands for `weights` in a run's id: nothing, DEFAULT, or a digest of the file's content.

    torchvision's DEFAULT may come to mean another file, so its version counts as well.
    """
    if weights is None:
        return ""
    if weights == "DEFAULT":
        return f"DEFAULT of torchvision {version('torchvision')}"
    try:
        return file_digest(Path(weights))
    except OSError as error:
        raise ModelError(_no_file(Path(weights), error)) from None


def _today(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A published state dict under today's names, without the outputs that were used in training only."""
    dense = re.compile(r"(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\..*)")  # DenseNet's, of 2017
    named = {dense.sub(r"\1\2", key): value for key, value in state.items()}
    return {key: value for key, value in named.items() if not key.startswith(("aux1.", "aux2.", "AuxLogits."))}


def _published(published: Any) -> dict[str, Tensor]:
    default = published.DEFAULT
    try:
        return default.get_state_dict(progress=False, check_hash=True)
    except (urllib.error.URLError, OSError, RuntimeError) as error:
        file = Path(torch.hub.get_dir()) / "checkpoints" / default.url.rsplit("/", 1)[-1]
        raise ModelError(
            f"backbone.weights=DEFAULT: {default.url} could not be downloaded ({error}). "
            f"Download it where you can and put it at {file}, or type backbone.weights=FILE"
        ) from None


def _read(file: Path) -> dict[str, Tensor]:
    try:
        if file.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(file)
        state = torch.load(file, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ModelError(_no_file(file, error)) from None
    except Exception as error:  # a damaged file: torch and safetensors raise many types
        raise ModelError(f"backbone.weights={file} is not a readable weights file ({type(error).__name__})") from None
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ModelError(f"backbone.weights={file} holds no state dict (a mapping of names to tensors)")
    return state


def _no_file(file: Path, error: OSError) -> str:
    return f"backbone.weights={file} cannot be read: {error.strerror or error}; type a file, DEFAULT or null"


def _last_layer(state: dict[str, Tensor]) -> str:
    """Prefix of the last layer's entries: `fc.` of a ResNet, `classifier.6.` of a VGG."""
    return list(state)[-1].rsplit(".", 1)[0] + "."
