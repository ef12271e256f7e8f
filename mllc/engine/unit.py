"""Unit: the replicas of a cohort that are stepped together, one or several."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from torch import Tensor

from mllc.feed import Batch
from mllc.replica import Replica


class Moment(NamedTuple):
    """Where in the training a step is.

    epoch     from 0
    progress  share of the run done at the middle of the step, in (0, 1): what schedules take
    seed      of every random number that the step draws; each replica sees the same ones
    """

    epoch: int
    progress: float
    seed: int


class Unit(Protocol):
    """Replicas that are stepped together. Their weights and the state of their optimizers lie where `replicas` say, at
    the end of each epoch at the latest."""

    @property
    def replicas(self) -> Sequence[Replica]:
        """In the order of the losses that `step` returns."""
        ...

    def step(self, batch: Batch, moment: Moment) -> Tensor:
        """Forward, loss, backward and step of each replica; their losses (replicas,), still on the device.

        A replica that has failed, or fails now by itself, is left alone: its loss means nothing.
        """
        ...
