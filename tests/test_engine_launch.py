"""How steps are launched: what falls back says why, compiled is equal, and graphs see the right inputs. CUDA's own
graphs are tested in test_gpu.py."""

import pytest
import torch
from test_engine_losses import BATCH, batch, build

from mllc.engine.launch import WARM_UPS, Graphed, compiled, why_no_graph
from mllc.engine.stacked_losses import LossGroups
from mllc.losses import bce, build_objective
from mllc.types import LabelStatistics

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


class FakeGraph:
    """Captures as CUDA does: the inputs' places and the epoch are those of the capture."""

    made = 0

    def __init__(self, step, *inputs, epoch):
        FakeGraph.made += 1
        self.step, self.epoch = step, epoch
        self.inputs = [None if one is None else one.clone() for one in inputs]

    def __call__(self, *inputs):
        for own, given in zip(self.inputs, inputs, strict=True):
            if own is not None:
                own.copy_(given)
        return self.step(*self.inputs, epoch=self.epoch)


def plain(step, *inputs, epoch):
    return step(*inputs, epoch=epoch)


@pytest.fixture
def graphed():
    """graphed(step): a Graphed on the CPU, and how each step went."""
    FakeGraph.made = 0

    def make(step, by_epoch=False, capture=FakeGraph):
        return Graphed(step, by_epoch=by_epoch, capture=capture, warm_up=plain)

    return make


def weighed(features, mask, lr, *, epoch):
    return (features if mask is None else features * mask).sum() * lr + epoch


def test_a_graph_has_the_inputs_of_each_step(graphed):
    step = graphed(weighed)
    for number in range(8):
        features, mask, lr = torch.full((3, 2), float(number)), torch.ones(3, 2), torch.tensor(0.1 * number)
        assert step(features, mask, lr, epoch=0) == weighed(features, mask, lr, epoch=0)
        assert FakeGraph.made == (number >= WARM_UPS)


def test_the_last_batch_of_an_epoch_is_no_graph_and_takes_none_away(graphed):
    step, seen = graphed(weighed), []
    for _ in range(6):
        for rows in (4, 4, 4, 4, 4, 3):
            features = torch.rand(rows, 2)
            assert step(features, None, torch.tensor(1.0), epoch=0) == features.sum()
            seen.append(FakeGraph.made)
    assert seen == [0] * WARM_UPS + [1] * (36 - WARM_UPS)


def test_a_mask_that_comes_and_goes_is_another_shape(graphed):
    step = graphed(weighed)
    for _ in range(WARM_UPS + 1):
        step(torch.ones(2, 2), None, torch.tensor(1.0), epoch=0)
    assert step(torch.ones(2, 2), torch.zeros(2, 2), torch.tensor(1.0), epoch=0) == 0
    assert FakeGraph.made == 1


@pytest.mark.parametrize("by_epoch", [False, True])
def test_losses_that_change_with_the_epoch_have_a_graph_each_epoch(graphed, by_epoch):
    step = graphed(weighed, by_epoch)
    for epoch in range(3):
        for _ in range(WARM_UPS + 2):
            found = step(torch.zeros(2, 2), None, torch.tensor(1.0), epoch=epoch)
        assert found == (epoch if by_epoch else 0)
    assert FakeGraph.made == (3 if by_epoch else 1)


def test_a_capture_that_fails_says_why_and_steps_go_on(graphed, caplog):
    def refuses(step, *inputs, epoch):
        raise RuntimeError("operation not permitted when stream is capturing")

    step = graphed(weighed, capture=refuses)
    for number in range(8):
        assert step(torch.ones(2, 2), None, torch.tensor(float(number)), epoch=0) == 4 * number
    (line,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert line.startswith("compile=graph: no CUDA graph, steps are launched kernel by kernel: ")
    assert "stream is capturing" in line


def fails(*inputs, epoch):
    raise ValueError("the loss itself")


def test_an_error_of_the_step_is_the_steps_own(graphed, caplog):
    for step in (graphed(fails), compiled(fails, backend="eager")[0]):
        for _ in range(2):
            with pytest.raises(ValueError, match="the loss itself"):
                step(torch.ones(2), epoch=0)
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


def test_why_there_is_no_graph():
    own = LossGroups([build("bce")], "cpu")
    assert why_no_graph(CPU, own) == "CUDA graphs need a GPU, and this is cpu"
    assert not why_no_graph(CUDA, own)

    def noisy(logits, targets):
        return bce(logits + torch.rand_like(logits), targets)

    config = {"reduction": "sum", "traits": {"formula": "", "source": "", "shape": "element"}}
    drawing = build_objective(noisy, "noisy", config, LabelStatistics(torch.ones(3), 4, 1.0))
    assert why_no_graph(CUDA, LossGroups([drawing], "cpu")) == "loss 'noisy' draws random numbers of its own"


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_compiled_losses_are_those_that_are_not(backend, caplog):
    """One of each form, with settings that are tensors, an extra output, and one that changes with the epoch."""
    objectives = [build("asymmetric", margin=margin) for margin in (0.05, 0.1)]
    objectives += [build("tversky", alpha=alpha) for alpha in (0.5, 0.4)]
    objectives += [build("softmax_count"), build("large_loss"), build("zlpr")]
    groups = LossGroups(objectives, "cpu", torch.float64)

    def step(logits, count, targets, *, epoch):
        return groups({"logits": logits, "count": count}, targets, epoch=epoch)

    (fast,) = compiled(step, backend=backend)
    for epoch, rows in ((0, BATCH), (0, BATCH - 1), (3, BATCH)):
        outputs, targets, _ = batch(objectives, mask=False)
        logits, count = (values.detach()[:, :rows].requires_grad_() for values in outputs.values())
        found = []
        for one in (fast, step):
            losses = one(logits, count, targets[:rows], epoch=epoch)
            found.append((losses, *torch.autograd.grad(losses.sum(), (logits, count))))
        torch.testing.assert_close(*found, rtol=1e-12, atol=1e-12)
    assert not [record for record in caplog.records if record.name == "mllc"], "it does compile"


def test_what_does_not_compile_runs_as_it_is(caplog):
    def broken(_graph, _inputs):
        raise RuntimeError("no compiler here")

    (step,) = compiled(weighed, backend=broken)
    for number in range(3):
        assert step(torch.ones(2, 2), None, torch.tensor(float(number)), epoch=0) == 4 * number
    (line,) = [record.getMessage() for record in caplog.records if record.name == "mllc" and record.levelno >= 30]
    assert "compile=compile: torch.compile fails, steps are not compiled" in line
    assert "no compiler here" in line
