"""A safetensors file that `mllc export` wrote -> the network again."""

import json
from collections.abc import Sequence
from pathlib import Path

from safetensors import SafetensorError, safe_open

from mllc.errors import MllcError, StoreError
from mllc.export.network import Network
from mllc.model_file import ModelFile
from mllc.trained import assemble


def read(file: str | Path, *, allow: Sequence[str] = ()) -> Network:
    """The network, in eval mode on the CPU: inputs -> scores, decisions. Nothing in the file is executed.

    allow   packages, besides mllc and torch, that a backbone or loss may come from
    raises  StoreError for a file that is none of mllc's
    """
    try:
        with safe_open(file, "pt") as found:
            about = found.metadata() or {}
            tensors = {key: found.get_tensor(key) for key in found.keys()}  # noqa: SIM118
        model = ModelFile.from_json(about["model"])
        return Network(assemble(json.loads(about["config"]), model, tensors, device="cpu", allow=allow))
    except MllcError:
        raise
    except (OSError, SafetensorError, KeyError, TypeError, AttributeError, ValueError, RuntimeError) as error:
        said = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise StoreError(
            f"{file} is not what mllc export --format safetensors writes, or is damaged ({said})"
        ) from None
