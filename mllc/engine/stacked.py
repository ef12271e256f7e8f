"""Several replicas as one: batched matrix products over their stacked weights, one backward pass, vectorised steps."""

import logging
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from mllc import seeding
from mllc.engine import stacked_network, stacked_optimizers
from mllc.engine.launch import Graphed, compiled, why_no_graph
from mllc.engine.rows import Rows
from mllc.engine.sequential import Sequential, parts
from mllc.engine.stacked_losses import LossGroups
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

    def __init__(self, replicas: Sequence[Replica], feed: Feed, launch: str = "off") -> None:
        """`launch`: off | compile | graph, see mllc.engine.launch."""
        self.feed = feed
        rows = self._rows = Rows(replicas)
        self.replicas = rows.replicas
        self._losses = LossGroups([replica.objective for replica in self.replicas], feed.device, rows.dtype)
        self._layers = stacked_network.layers_of(self.replicas[0].model)
        self._extra = tuple(sorted({name for replica in self.replicas for name in replica.model.extra}))
        self._alone: list[Sequential] = []
        self._launch(launch)

    def _launch(self, how: str) -> None:
        self._forward, self._update, self._whole = self._mean_losses, Rows.update, self._step
        if how == "compile":
            self._forward, self._update = compiled(self._mean_losses, Rows.update)
        elif how == "graph" and (reason := why_no_graph(self.feed.device, self._losses)):
            log.warning("compile=graph: no CUDA graph, steps are launched kernel by kernel: %s", reason)
        elif how == "graph":
            self._whole = Graphed(self._step, by_epoch=self._losses.uses_epoch)

    def step(self, batch: Batch, moment: Moment) -> Tensor:
        """See `mllc.engine.unit.Unit`. After an error in one replica, all are stepped by themselves: that tells whose
        it is, and no weight has moved yet."""
        if self._alone:
            return torch.cat([unit.step(batch, moment) for unit in self._alone])
        seeding.set_seed(moment.seed, self.feed.device)
        try:
            losses = self._whole(*batch, self._rows.rates(moment.progress), epoch=moment.epoch)
        except (MllcError, torch.cuda.OutOfMemoryError):
            raise
        except (Exception, SystemExit) as error:  # a loss of the user's may even call sys.exit
            log.debug("a stack failed", exc_info=True)
            log.warning("%d trials are stepped one by one from now on: %s", len(self.replicas), told(error))
            self.dissolve()
            return self.step(batch, moment)
        self._rows.count()
        return losses

    def dissolve(self) -> None:
        """Gives the replicas tensors of their own, and steps them by themselves from now on."""
        if not self._alone:
            self._rows.hand_back()
            self._alone = [Sequential(replica, self.feed) for replica in self.replicas]
            self._launch("off")  # a graph holds memory
            del self._rows  # and so its memory

    def _step(self, features: Tensor, targets: Tensor, mask: Tensor | None, rates: Tensor, *, epoch: int) -> Tensor:
        """The losses (replicas,). Each is differentiated by its own replica's weights alone, so their sum will do."""
        total = torch.zeros(len(self.replicas), device=self.feed.device)
        for number, part in enumerate(parts(Batch(features, targets, mask), self.feed.accumulate)):
            losses = self._forward(*part, self._rows.leaves, epoch=epoch) * (len(part.targets) / len(targets))
            self._rows.differentiate(losses.sum(), add=number > 0)
            total += losses.detach()
        self._update(self._rows, rates)
        return total

    def _mean_losses(
        self, features: Tensor, targets: Tensor, mask: Tensor | None, leaves: Mapping[str, Tensor], *, epoch: int
    ) -> Tensor:
        """(replicas,), of the weights `leaves`."""
        with torch.autocast(self.feed.device.type, dtype=self.feed.amp, enabled=self.feed.amp is not None):
            outputs = stacked_network.forward(self._layers, self._extra, leaves, features)
        return self._losses(outputs, targets, mask, epoch)
