"""One replica by itself on each shared batch: the oracle for every faster form."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from mllc import seeding
from mllc.engine.launch import or_as_it_is
from mllc.engine.unit import Moment
from mllc.feed import Batch, Feed
from mllc.replica import Replica, failing
from mllc.types import Outputs


class Sequential:
    """A replica that is stepped by itself; the units of a cohort take their turns on each batch."""

    def __init__(self, replica: Replica, feed: Feed, launch: str = "off") -> None:
        """`launch`: off | compile, the network in training by torch.compile; a CUDA graph is for stacks."""
        self.replica, self.feed = replica, feed
        if launch == "compile" and replica.forward is replica.model:
            replica.forward = or_as_it_is(replica.model)

    @property
    def replicas(self) -> tuple[Replica]:
        """The one."""
        return (self.replica,)

    def step(self, batch: Batch, moment: Moment) -> Tensor:
        """See `mllc.engine.unit.Unit`."""
        loss = torch.full((1,), torch.nan, device=self.feed.device)
        if not self.replica.failure:
            seeding.set_seed(moment.seed, self.feed.device)
            with failing(self.replica):
                loss[0] = train_step(self.replica, batch, self.feed, moment.epoch, moment.progress)
        return loss


def train_step(replica: Replica, batch: Batch, feed: Feed, epoch: int, progress: float) -> Tensor:
    """Forward, loss and backward, a part of the batch at a time, then the step; the loss, still on the device."""
    for group, base in zip(replica.optimizer.param_groups, replica.base_lrs, strict=True):
        group["lr"] = base * replica.schedule(progress)
    replica.model.train()
    losses = []
    for part in parts(batch, feed.accumulate):
        mean = replica.objective.mean(forward(replica.forward, part, feed), part.targets, part.mask, epoch)
        losses.append(mean * (len(part.targets) / len(batch.targets)))
        replica.scaler.scale(losses[-1]).backward()
    if replica.clip is not None:
        replica.scaler.unscale_(replica.optimizer)
        torch.nn.utils.clip_grad_norm_(replica.model.parameters(), replica.clip)
    replica.scaler.step(replica.optimizer)
    replica.scaler.update()
    replica.optimizer.zero_grad(set_to_none=True)  # here, so that the gradients of waiting replicas take no memory
    return torch.stack(losses).detach().sum()


def parts(batch: Batch, number: int) -> Iterator[Batch]:
    """A batch in `number` parts of nearly equal size, in fewer where a part would be of one sample."""
    number = max(1, min(number, len(batch.targets) // 2))
    mask = [None] * number if batch.mask is None else batch.mask.tensor_split(number)
    for features, targets, known in zip(
        batch.features.tensor_split(number), batch.targets.tensor_split(number), mask, strict=True
    ):
        yield Batch(features, targets, known)


def forward(model: Callable[[Tensor], Outputs], batch: Batch, feed: Feed) -> Outputs:
    """The outputs of a batch, under autocast where the feed asks for it."""
    with torch.autocast(feed.device.type, dtype=feed.amp, enabled=feed.amp is not None):
        return model(batch.features)
