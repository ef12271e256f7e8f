"""Learning-rate schedules: pure functions from progress to a multiplier of the base learning rate.

`progress` is step / steps, in [0, 1): resuming a run needs no state.
"""

import math


def constant(progress: float, *, warmup: float = 0.0) -> float:
    """1, after a linear rise from 0 over the first `warmup` of all steps.

    >>> constant(0.5), constant(0.05, warmup=0.1)
    (1.0, 0.5)
    """
    return progress / warmup if progress < warmup else 1.0


def cosine(progress: float, *, warmup: float = 0.0, final: float = 0.0) -> float:
    """Half a cosine from 1 to `final`, after a linear rise from 0 over the first `warmup` of all steps.

    Source: Loshchilov and Hutter 2017, arXiv:1608.03983, eq. 5, without restarts.

    >>> cosine(0.0), cosine(0.5)
    (1.0, 0.5)
    """
    if progress < warmup:
        return progress / warmup
    return _half_cosine(1.0, final, (progress - warmup) / (1.0 - warmup))


def one_cycle(progress: float, *, warmup: float = 0.3, start: float = 0.04, final: float = 4e-6) -> float:
    """Half a cosine from `start` up to 1 over the first `warmup` of all steps, then another down to `final`.

    The defaults are those of torch.optim.lr_scheduler.OneCycleLR, whose peak is the base learning rate here; the
    momentum stays as it is. Source: Smith and Topin 2017, arXiv:1708.07120, with cosines for their straight lines.

    >>> round(one_cycle(0.0), 9), one_cycle(0.3)
    (0.04, 1.0)
    """
    if progress < warmup:
        return _half_cosine(start, 1.0, progress / warmup)
    return _half_cosine(1.0, final, (progress - warmup) / (1.0 - warmup))


def _half_cosine(first: float, last: float, share: float) -> float:
    return last + (first - last) * (1.0 + math.cos(math.pi * share)) / 2.0
