"""Seeds and generators, derived from (dataset, repeat) and a stream's name: never from the loss, so that runs pair."""

import hashlib

import torch


def derive(dataset: str, repeat: int, *stream: str | int) -> int:
    """A seed in [0, 2^63) for the stream `stream` of repeat `repeat` on `dataset`.

    Streams in use: split, single_positive, init, order (epoch), augment and mixup (epoch, step), dropout (epoch, step).

    >>> derive("digits", 0, "order", 3) == derive("digits", 0, "order", 3)
    True
    >>> derive("digits", 0, "order", 3) == derive("digits", 1, "order", 3)
    False
    """
    text = "/".join(str(part) for part in (dataset, repeat, *stream))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(dataset: str, repeat: int, *stream: str | int) -> torch.Generator:
    """A CPU generator for one stream (the same numbers whatever the device)."""
    return torch.Generator().manual_seed(derive(dataset, repeat, *stream))


def set_seed(seed: int, device: torch.device) -> None:
    """torch.manual_seed, which costs more than a small step where CUDA is built in and unused: it notes who asked."""
    if device.type == "cpu":
        torch.default_generator.manual_seed(seed)
    else:
        torch.manual_seed(seed)
