"""One replica by itself: a batch in parts gives the gradients of the whole batch."""

import pytest
import torch
from test_run import TINY

from mllc.build import build_replica, share
from mllc.config import catalogue
from mllc.config import compose as config
from mllc.engine.sequential import parts, train_step
from mllc.errors import ConfigError
from mllc.feed import Batch

LOSSES = catalogue.choices("loss")
PLAIN = (*(one for one in TINY if not one.startswith("backbone.")), "backbone=mlp", "backbone.hidden=[8]")
"""Without batch norm, which sees a part."""


@pytest.fixture(scope="module")
def shared():
    return share(config.compose(PLAIN))


def stepped(shared, accumulate, *overrides):
    """The weights, in float64, after one step of plain descent, and its loss."""
    shared.feed.accumulate = accumulate
    conf = config.compose([*PLAIN, "optimizer=sgd", "optimizer.momentum=0", "optimizer.lr=0.1", *overrides])
    replica = build_replica(conf | {"accumulate": accumulate}, "", shared)
    replica.model.double()
    batch = next(shared.feed.epoch(0))
    batch = Batch(batch.features.double(), batch.targets.double(), batch.mask)
    loss = train_step(replica, batch, shared.feed, 0, 0.0)
    return [weight.detach() for weight in replica.model.parameters()], loss


@pytest.mark.parametrize("loss", LOSSES)
def test_parts_give_the_step_of_the_whole_batch_or_are_refused(shared, loss):
    traits = config.compose([*PLAIN, f"loss={loss}"])["loss"]["traits"]
    if traits["coupled"]:
        with pytest.raises(ConfigError, match=rf"accumulate=3: loss '{loss}' ties .*type accumulate=1"):
            stepped(shared, 3, f"loss={loss}")
        return
    (whole, value), (in_parts, total) = (stepped(shared, number, f"loss={loss}", "clip=1.0") for number in (1, 3))
    torch.testing.assert_close(total, value, rtol=1e-12, atol=0)
    for weight, other in zip(whole, in_parts, strict=True):
        torch.testing.assert_close(other, weight, rtol=1e-10, atol=1e-12)


def test_a_part_has_two_samples_or_more():
    batch = Batch(torch.arange(10.0).view(5, 2), torch.ones(5, 3), torch.ones(5, 3, dtype=torch.bool))
    assert [[len(tensor) for tensor in part] for part in parts(batch, 4)] == [[3, 3, 3], [2, 2, 2]]
    assert torch.equal(torch.cat([part.features for part in parts(batch, 4)]), batch.features)


def test_so_many_parts_that_one_has_a_single_sample_are_refused():
    with pytest.raises(ConfigError, match=r"accumulate=5: of a batch of 8 .*type accumulate=4 or less"):
        config.compose(["batch_size=8", "accumulate=5"])
