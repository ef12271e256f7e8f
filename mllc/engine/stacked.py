"""Several replicas as one: batched matrix products over their stacked weights, one backward pass, vectorised steps."""

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from mllc import seeding
from mllc.engine import stacked_network, stacked_optimizers
from mllc.engine.rows import Rows
from mllc.engine.sequential import Sequential, parts
from mllc.engine.unit import Moment
from mllc.errors import MllcError
from mllc.feed import Batch, Feed
from mllc.foreign import told
from mllc.replica import Replica

log = logging.getLogger("mllc")


def why_not(replica: Replica, feed: Feed) -> str:
    """Why a replica cannot be part of a stack, or an empty text."""
    if feed.amp is torch.float16:
        return "float16 scales the loss of each trial by itself; amp=bf16 does not"
    return stacked_network.why_not(replica.model) or stacked_optimizers.why_not(replica.optimizer)


class Stacked:
    """Replicas of one structure (mllc.engine.stacked_network), which `why_not` has nothing against."""

    def __init__(self, replicas: Sequence[Replica], feed: Feed) -> None:
        self.feed = feed
        self._rows: Rows | None = Rows(replicas)
        self.replicas = self._rows.replicas
        self._layers = stacked_network.layers_of(self.replicas[0].model)
        self._extra = tuple(sorted({name for replica in self.replicas for name in replica.model.extra}))
        self._alone = [Sequential(replica, feed) for replica in self.replicas]

    def step(self, batch: Batch, moment: Moment) -> Tensor:
        """See `mllc.engine.unit.Unit`. After an error in one replica, all are stepped by themselves: that tells whose
        it is, and no weight has moved yet."""
        if self._rows is None:
            return torch.cat([unit.step(batch, moment) for unit in self._alone])
        try:
            losses = self._differentiate(self._rows, batch, moment)
        except (MllcError, torch.cuda.OutOfMemoryError):
            raise
        except (Exception, SystemExit) as error:  # a loss of the user's may even call sys.exit
            log.debug("a stack failed", exc_info=True)
            log.warning("%d trials are stepped one by one from now on: %s", len(self.replicas), told(error))
        else:
            self._rows.update(moment.progress)
            return losses
        self.dissolve()
        return self.step(batch, moment)

    def dissolve(self) -> None:
        """Gives the replicas tensors of their own, and steps them by themselves from now on."""
        if self._rows is not None:
            self._rows.hand_back()
        self._rows = None

    def _differentiate(self, rows: Rows, batch: Batch, moment: Moment) -> Tensor:
        """The losses (replicas,); leaves the gradients of their sum, of each loss by its own weights, in the rows."""
        seeding.set_seed(moment.seed, self.feed.device)
        total = torch.zeros(len(self.replicas), device=self.feed.device)
        rows.forget()
        for part in parts(batch, self.feed.accumulate):
            with torch.autocast(self.feed.device.type, dtype=self.feed.amp, enabled=self.feed.amp is not None):
                outputs = stacked_network.forward(self._layers, self._extra, rows.leaves, part.features)
            losses = self._losses({name: output.unbind() for name, output in outputs.items()}, part, moment)
            losses = losses * (len(part.targets) / len(batch.targets))
            rows.add(losses.sum())
            total += losses.detach()
        return total

    def _losses(self, outputs: dict[str, tuple[Tensor, ...]], batch: Batch, moment: Moment) -> Tensor:
        """The replicas' mean losses over the batch; `outputs` one of each replica, by name."""
        losses = []
        for k, replica in enumerate(self.replicas):
            own = {name: outputs[name][k] for name in ("logits", *replica.objective.outputs)}
            with _drawing(replica, self.feed.device):
                losses.append(replica.objective.mean(own, batch.targets, batch.mask, moment.epoch))
        return torch.stack(losses)


def _drawing(replica: Replica, device: torch.device) -> AbstractContextManager[None]:
    """Whatever a loss of the user's draws, the next one draws as if it were alone; mllc's own losses draw nothing."""
    if replica.objective.function.func.__module__.startswith("mllc."):
        return nullcontext()
    return torch.random.fork_rng(devices=[device] if device.type == "cuda" else [])
