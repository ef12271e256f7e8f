"""One replica by itself: a batch in parts gives the gradients of the whole batch."""

import pytest
import torch
from test_run import TINY

from mllc.build import build_replica, share
from mllc.config import catalogue
from mllc.config import compose as config
from mllc.engine.arrange import remarks
from mllc.engine.sequential import parts, train_step
from mllc.errors import ConfigError
from mllc.evaluate import epoch_metrics
from mllc.feed import Batch
from mllc.train import train

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


@pytest.fixture
def quick_compiler(monkeypatch):
    """torch.compile without its code generator, which takes its time; what it was given."""
    given, real = [], torch.compile

    def compile_(function, **options):
        given.append(function)
        return real(function, **options | {"backend": "aot_eager"})

    monkeypatch.setattr(torch, "compile", compile_)
    return given


def weights_after(shared, launch, epochs=2):
    conf = config.compose([*PLAIN, "optimizer=sgd", "optimizer.lr=0.1", "loss=focal"])
    replica = build_replica(conf, "", shared)
    shared.feed.accumulate = 1
    for _ in train([replica], shared.feed, epochs=epochs, measure=epoch_metrics, launch=launch):
        pass
    assert replica.failure == ""
    return replica.model.state_dict()


def test_a_trial_by_itself_is_compiled_once_and_learns_the_same(shared, quick_compiler):
    plain, compiled = weights_after(shared, "off"), weights_after(shared, "compile")
    (model,) = quick_compiler
    assert model.state_dict().keys() == plain.keys(), "checkpoints have the same names"
    for name, weight in plain.items():
        torch.testing.assert_close(compiled[name], weight, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_the_real_compiler_learns_the_same(shared):
    plain, compiled = weights_after(shared, "off"), weights_after(shared, "compile")
    for name, weight in plain.items():
        torch.testing.assert_close(compiled[name], weight, rtol=1e-5, atol=1e-6)


def test_a_compiler_that_fails_is_told_and_training_goes_on_without(shared, monkeypatch, caplog):
    def broken(*_, **__):
        def call(*_):
            raise RuntimeError("no C++ compiler found")

        return call

    monkeypatch.setattr(torch, "compile", broken)
    with caplog.at_level("WARNING", "mllc"):
        compiled = weights_after(shared, "compile")
    (record,) = caplog.records
    why = "compile=compile: torch.compile fails, steps are not compiled: RuntimeError: no C++ compiler found"
    assert record.message.startswith(why)
    assert all(torch.equal(weight, compiled[name]) for name, weight in weights_after(shared, "off").items())


def test_a_graph_without_a_stack_is_told(shared):
    (remark,) = remarks([], shared.feed, "auto", "graph")
    assert remark == "compile=graph is for the step of a stack, and engine=auto on cpu has none"


def test_a_part_has_two_samples_or_more():
    batch = Batch(torch.arange(10.0).view(5, 2), torch.ones(5, 3), torch.ones(5, 3, dtype=torch.bool))
    assert [[len(tensor) for tensor in part] for part in parts(batch, 4)] == [[3, 3, 3], [2, 2, 2]]
    assert torch.equal(torch.cat([part.features for part in parts(batch, 4)]), batch.features)


def test_so_many_parts_that_one_has_a_single_sample_are_refused():
    with pytest.raises(ConfigError, match=r"accumulate=5: of a batch of 8 .*type accumulate=4 or less"):
        config.compose(["batch_size=8", "accumulate=5"])
