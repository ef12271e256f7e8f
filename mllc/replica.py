"""Replica: what one trial owns while it trains."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.amp.grad_scaler import GradScaler

from mllc.errors import MllcError
from mllc.foreign import told
from mllc.losses.objective import Objective
from mllc.models.model import Model
from mllc.types import Outputs

log = logging.getLogger("mllc")

EpochRow = dict[str, float]
"""One row of history.csv: epoch (from 1), train_loss, val_* figures, labels per sample, lr, seconds."""


@dataclass(eq=False)
class Replica:
    """What one trial owns: trainable weights, optimizer, schedule, scaler, and how far it has come.

    schedule  share of the run done, in [0, 1) -> multiplier of the base learning rates
    clip      largest norm of the gradient over this replica's weights, or None
    history   one row an epoch, those of earlier sessions included
    failure   what went wrong in this replica's own step or validation; it takes no further part
    pruned    given up by whoever reads the history; it takes no further part
    """

    name: str
    model: Model
    objective: Objective
    optimizer: torch.optim.Optimizer
    schedule: Callable[[float], float]
    scaler: GradScaler
    clip: float | None = None
    history: list[EpochRow] = field(default_factory=list)
    diverged: bool = False
    failure: str = ""
    pruned: bool = False

    def __post_init__(self) -> None:
        self.forward: Callable[[Tensor], Outputs] = self.model  # in training, where it may be compiled
        self.base_lrs: list[float] = [group["lr"] for group in self.optimizer.param_groups]

    @property
    def epoch(self) -> int:
        """Epochs finished."""
        return len(self.history)


@contextmanager
def failing(replica: Replica) -> Iterator[None]:
    """Keeps an unforeseen error of one replica from ending the others; the user's own errors and a full GPU pass."""
    try:
        yield
    except (MllcError, torch.cuda.OutOfMemoryError):
        raise
    except (Exception, SystemExit) as error:  # a loss of the user's may even call sys.exit
        log.debug("%s failed", replica.name, exc_info=True)
        replica.failure = told(error)
