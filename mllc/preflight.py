"""Before training: every data set, backbone and objective of a sweep once, and a GPU that is full already."""

import gc
import json
from collections.abc import Sequence

import torch

from mllc.build import Config, Shared, objective_of, share


def validate(configs: Sequence[Config], allow: Sequence[str]) -> None:
    """Reads every data set and builds every backbone and objective, so that no typo is found after hours of training.

    Where the configs have but one of each, training finds it at once, and nothing is done here.
    """
    kinds: dict[str, list[Config]] = {}
    for conf in configs:
        kind = {key: conf[key] for key in ("dataset", "backbone", "split", "device", "amp", "monitor")}
        kinds.setdefault(json.dumps(kind, sort_keys=True), []).append(conf)
    for group in reversed(kinds.values()) if len(kinds) > 1 else ():  # the first one last: its data set stays loaded
        shared, _ = share_or_say_why(group[0], allow)
        for conf in group:
            objective_of(conf, shared)
        del shared


def share_or_say_why(conf: Config, allow: Sequence[str]) -> tuple[Shared, str]:
    """What a cohort shares; where the GPU does not hold it, the same on the CPU, and the reason: its trials fail."""
    try:
        return share(conf, tuple(allow)), ""
    except torch.cuda.OutOfMemoryError as error:
        reason = str(error).splitlines()[0]
    free_gpu()
    message = f"the GPU has no memory left for the frozen backbone ({reason}); free it, or type device=cpu"
    return share(conf | {"device": "cpu", "amp": "off"}, tuple(allow)), message


def free_gpu() -> None:
    """Hands back what nothing refers to any more."""
    gc.collect()
    torch.cuda.empty_cache()
