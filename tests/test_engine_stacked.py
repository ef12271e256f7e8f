"""A stack of replicas against its oracle, one replica after another: weights in float64, gradients in float32."""

import copy
import itertools
from dataclasses import replace
from functools import cache, partial
from types import SimpleNamespace

import pytest
import torch
from test_engine_launch import FakeGraph, plain
from test_gpu import CUDA, StopsAfterAnEpoch
from test_gpu_waiting import no_waiting
from test_run import Notes, state_of
from torch import nn

from mllc import checkpoint, run
from mllc.build import build_replica, share
from mllc.config import catalogue
from mllc.config import compose as config
from mllc.engine import stacked
from mllc.engine.arrange import arrange, remarks
from mllc.engine.launch import Graphed, compiled
from mllc.engine.sequential import Sequential
from mllc.engine.stacked import Stacked, why_not
from mllc.engine.unit import Moment
from mllc.errors import ConfigError
from mllc.feed import Batch

LOSSES, OPTIMIZERS, SCHEDULES = (sorted(catalogue.choices(group)) for group in ("loss", "optimizer", "schedule"))
SHEET = ("dataset.samples=200", "dataset.test_samples=40", "dataset.grid=2", "batch_size=32", "epochs=2")
MLP = ("backbone=mlp", "backbone.hidden=[12,9]", "backbone.dropout=0.3")
LINEAR = ("backbone=linear",)
HEAD = ("backbone=linear", "head.kind=mlp", "head.hidden=8", "head.dropout=0.2")
NETWORKS = pytest.mark.parametrize("network", [MLP, LINEAR, HEAD], ids=["mlp", "linear", "head"])
SETTINGS = {
    "adam": ["optimizer.weight_decay=0.01", "optimizer.amsgrad=true", "optimizer.betas=[0.5,0.7]"],
    "adamw": ["optimizer.weight_decay=0.3", "optimizer.amsgrad=true", "optimizer.eps=0.001"],
    "adadelta": ["optimizer.weight_decay=0.01", "optimizer.rho=0.6"],
    "adagrad": ["optimizer.lr_decay=0.1", "optimizer.initial_accumulator_value=0.2", "optimizer.weight_decay=0.01"],
    "rmsprop": ["optimizer.momentum=0.5", "optimizer.centered=true", "optimizer.weight_decay=0.01"],
    "sgd": ["optimizer.nesterov=true", "optimizer.momentum=0", "optimizer.weight_decay=0.01"],
}
"""Of each optimizer, one setting at a time."""


@cache
def shared_of(network):
    return share(composed(*network))


@cache
def composed(*overrides):
    return config.compose([*SHEET, *overrides])


def config_of(network, row):
    """As if composed in one go, which takes longer than all steps of a test."""
    own = itertools.groupby(row, lambda override: override.partition("=")[0].partition(".")[0])
    return composed(*network) | {key: composed(*overrides)[key] for key, overrides in own}


def feed_of(amp=None, accumulate=1, device="cpu"):
    return SimpleNamespace(device=torch.device(device), amp=amp, batch_size=32, accumulate=accumulate)


def built(network, *rows, dtype=torch.float64):
    """Fresh replicas, one for each row of overrides."""
    shared, replicas = shared_of(network), []
    for row in rows:
        replica = build_replica(config_of(network, row), " ".join(row), shared)
        replica.model.to(dtype)
        for entries in replica.optimizer.state.values():
            entries |= {key: value.to(dtype) for key, value in entries.items() if value.ndim}
        replicas.append(replica)
    return replicas


def moments(steps, network=LINEAR, masked=False, dtype=torch.float64):
    """Batches with what steps depend on, over several epochs."""
    feed, drawn = shared_of(network).feed, torch.Generator().manual_seed(1)
    batches = itertools.chain.from_iterable(feed.epoch(epoch) for epoch in itertools.count())
    for step, batch in zip(range(steps), batches, strict=False):
        mask = torch.rand(batch.targets.shape, generator=drawn) > 0.2 if masked else None
        moment = Moment(step // feed.steps, (step + 0.5) / steps, 100 + step)
        yield Batch(batch.features.to(dtype), batch.targets.to(dtype), mask), moment


def stepped(units, batches):
    losses = [torch.cat([unit.step(batch, moment) for unit in units]) for batch, moment in batches]
    replicas = [replica for unit in units for replica in unit.replicas]
    columns = dict(zip(replicas, torch.stack(losses, 1), strict=True))
    return {replica.name: columns[replica] for replica in replicas}


def both(network, rows, steps=20, masked=False):
    """The replicas and losses of a stack and of its oracle."""
    stacked, alone, feed = built(network, *rows), built(network, *rows), feed_of(device=shared_of(network).feed.device)
    batches = list(moments(steps, network, masked))
    losses = stepped([Stacked(stacked, feed)], batches), stepped([Sequential(r, feed) for r in alone], batches)
    assert all(not replica.failure for replica in alone)
    return stacked, alone, *losses


def apart(one, other):
    """The largest difference of weights and optimizer states, relative to the largest number of each tensor."""
    first, second = ({k: v.cpu() for k, v in checkpoint.state_of(replica)[0].items()} for replica in (one, other))
    assert first.keys() == second.keys()
    found = 0.0
    for key, value in first.items():
        assert torch.equal(value.isnan(), second[key].isnan()), key
        scale = second[key].nan_to_num().abs().max().clamp(1e-6)  # what a loss leaves free has gradients of rounding
        found = max(found, ((value - second[key]).nan_to_num().abs().max() / scale).item())
    return found


def assert_equal(stacked, alone, losses, expected, tolerance=1e-10):
    found = {one.name: apart(one, other) for one, other in zip(stacked, alone, strict=True)}
    assert {name: difference for name, difference in found.items() if difference > tolerance} == {}
    for name, values in expected.items():
        torch.testing.assert_close(losses[name].double(), values.double(), rtol=1e-6, atol=1e-6, equal_nan=True)


@NETWORKS
def test_every_loss_takes_the_same_steps(network):
    """Those with extra outputs among them, which share a stack with those without. By plain descent: where a loss
    leaves a bias free, as smooth_ap does, Adam makes steps of the rounding of its gradient."""
    assert_equal(*both(network, [(f"loss={loss}", "optimizer=sgd") for loss in LOSSES]))


def test_losses_that_share_a_call_take_the_same_steps():
    """Numbers of their settings apart."""
    rows = [("loss=focal", f"loss.gamma={gamma}", f"optimizer.lr={gamma / 100}") for gamma in (1, 2, 3)]
    rows += [("loss=softmax_count", f"optimizer={optimizer}") for optimizer in ("adam", "sgd", "adam")]
    rows += [("loss=splc", f"loss.margin={margin}") for margin in (0.5, 1, 2)]
    rows += [("loss=hill", f"loss.reduction={reduction}") for reduction in ("sum", "mean", "sum")]
    assert_equal(*both(MLP, rows))


@pytest.mark.slow
def test_a_compiled_stack_takes_the_same_steps(monkeypatch, caplog):
    """Every kind of optimizer, a clip, losses of each form, a smaller last batch."""
    monkeypatch.setattr(stacked, "compiled", partial(compiled, backend="aot_eager"))
    rows = [(f"optimizer={optimizer}", "clip=1", "loss=focal") for optimizer in OPTIMIZERS]
    rows += [(f"loss={loss}", "optimizer=sgd") for loss in ("softmax_count", "tversky", "tversky", "smooth_ap")]
    ours, alone, feed = built(MLP, *rows), built(MLP, *rows), feed_of()
    batches = list(moments(12, MLP))
    losses = stepped([Stacked(ours, feed, "compile")], batches)
    assert_equal(ours, alone, losses, stepped([Sequential(replica, feed) for replica in alone], batches))
    assert not [record for record in caplog.records if record.name == "mllc"], "it does compile"


def test_a_graph_is_refused_without_a_gpu_and_steps_go_on(caplog):
    rows = [("loss=bce",), ("loss=focal",)]
    ours, alone, batches = built(MLP, *rows), built(MLP, *rows), list(moments(6))
    losses = stepped(arrange(ours, feed_of(), "stacked", launch="graph"), batches)
    assert_equal(ours, alone, losses, stepped([Sequential(replica, feed_of()) for replica in alone], batches))
    (line,) = [record.getMessage() for record in caplog.records if record.name == "mllc"]
    assert line.startswith("compile=graph: no CUDA graph, steps are launched kernel by kernel: CUDA graphs need a GPU")


def test_a_graph_of_the_step_sees_all_that_changes(monkeypatch):
    """A graph that plays back what a captured step does: with the inputs, the counts and the epoch of the capture."""
    monkeypatch.setattr(stacked, "why_no_graph", lambda *_: "")
    monkeypatch.setattr(stacked, "Graphed", partial(Graphed, capture=FakeGraph, warm_up=plain))
    for losses in (("bce", "focal"), ("splc", "large_loss")):
        rows = [(f"loss={loss}", "clip=1", "schedule=cosine") for loss in losses]
        ours, alone, batches = built(MLP, *rows), built(MLP, *rows), list(moments(25, MLP))
        found = stepped([Stacked(ours, feed_of(), "graph")], batches)
        assert FakeGraph.made > 0
        assert_equal(ours, alone, found, stepped([Sequential(replica, feed_of()) for replica in alone], batches))


@NETWORKS
def test_every_loss_that_takes_a_mask_takes_the_same_steps(network):
    def takes(loss):
        (replica,) = built(network, (f"loss={loss}",))
        try:
            replica.objective.require_mask()
        except ConfigError:
            return False
        return True

    rows = [(f"loss={loss}",) for loss in LOSSES if takes(loss)]
    assert len(rows) > 10
    assert_equal(*both(network, rows, masked=True))


@NETWORKS
def test_every_optimizer_and_schedule_takes_the_same_steps(network):
    """All of them in one stack, with learning rates of their own; some clipped, some never reached by the clip."""
    rows = [
        (f"optimizer={optimizer}", f"schedule={schedule}", f"clip={clip}", f"loss={loss}")
        for (optimizer, schedule), clip, loss in zip(
            itertools.product(OPTIMIZERS, SCHEDULES),
            itertools.cycle([0.5, "null", 3, 1e6]),
            itertools.cycle(["bce", "softmax_count", "focal"]),
            strict=False,
        )
    ]
    assert_equal(*both(network, rows))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_setting_of_an_optimizer_takes_the_same_steps(optimizer):
    rows = [(f"optimizer={optimizer}", *settings) for settings in ([], *([one] for one in SETTINGS[optimizer]))]
    rows.append((f"optimizer={optimizer}", "optimizer.lr=0.3", "optimizer.weight_decay=0.02", "schedule.warmup=0.4"))
    assert_equal(*both(MLP, rows), tolerance=1e-12)


def test_the_comparison_can_fail():
    """A wrong loss, learning rate or clip for one of three shows in this one and no other."""
    rows = [("loss=bce",), ("loss=focal",), ("loss=zlpr",)]
    for wrong in ("loss=asymmetric", "optimizer.lr=0.0011", "clip=0.1", "optimizer.weight_decay=1e-4"):
        stacked, alone = built(MLP, rows[0], (*rows[1], wrong), rows[2]), built(MLP, *rows)
        batches = list(moments(20))
        stepped([Stacked(stacked, feed_of())], batches)
        stepped([Sequential(replica, feed_of()) for replica in alone], batches)
        found = [apart(one, other) > 1e-6 for one, other in zip(stacked, alone, strict=True)]
        assert found == [False, True, False], wrong


@NETWORKS
def test_the_first_gradients_agree_in_float32(network):
    """Read off a step of plain gradient descent with learning rate 1 from the same weights."""
    rows = [(f"loss={loss}", "optimizer=sgd", "optimizer.lr=1", "optimizer.momentum=0") for loss in LOSSES]
    fresh, stacked, alone = (built(network, *rows, dtype=torch.float32) for _ in range(3))
    batches = list(moments(1, network, dtype=torch.float32))
    stepped([Stacked(stacked, feed_of())], batches)
    stepped([Sequential(replica, feed_of()) for replica in alone], batches)
    for start, one, other in zip(fresh, stacked, alone, strict=True):
        for before, ours, theirs in zip(*(r.model.parameters() for r in (start, one, other)), strict=True):
            scale = max((theirs - before).abs().max().item(), 1e-3)
            assert (ours - theirs).abs().max().item() <= 1e-5 * scale + 3e-7 * theirs.abs().max().item(), one.name


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_one_that_diverges_leaves_the_others_as_they_are_bit_for_bit(optimizer):
    def final(rate):
        rows = [(f"loss={loss}", f"optimizer={optimizer}", "clip=1") for loss in ("bce", "softmax_count", "zlpr")]
        rows.insert(1, ("loss=focal", f"optimizer={optimizer}"))
        replicas = built(MLP, *rows, dtype=torch.float32)
        with torch.no_grad():
            replicas[1].model.labels.weight.mul_(rate)
        stepped([Stacked(replicas, feed_of())], moments(10, dtype=torch.float32))
        return [checkpoint.state_of(replica)[0] for replica in replicas]

    fine, broken = final(1.0), final(float("inf"))
    assert not all(value.isfinite().all() for value in broken[1].values())
    for k in (0, 2, 3):
        assert all(torch.equal(fine[k][key], broken[k][key]) for key in fine[k])


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_stack_takes_over_what_a_checkpoint_left_and_leaves_one(optimizer):
    """Ten steps by one form, a checkpoint, ten by the other: the same as twenty by either."""
    rows = [(f"loss={loss}", f"optimizer={optimizer}", "clip=1") for loss in ("bce", "softmax_count", "focal")]
    batches = list(moments(20))
    whole = built(MLP, *rows)
    stepped([Sequential(replica, feed_of()) for replica in whole], batches)

    def stack(replicas):
        return [Stacked(replicas, feed_of())]

    def one_by_one(replicas):
        return [Sequential(replica, feed_of()) for replica in replicas]

    for first, second in itertools.product((stack, one_by_one), repeat=2):
        begun, resumed = built(MLP, *rows), built(MLP, *rows)
        stepped(first(begun), batches[:10])
        for one, other in zip(begun, resumed, strict=True):
            tensors, about = checkpoint.state_of(one)
            checkpoint.restore(other, {key: value.clone() for key, value in tensors.items()}, about)
        stepped(second(resumed), batches[10:])
        assert max(apart(one, other) for one, other in zip(resumed, whole, strict=True)) < 1e-10


def test_one_in_an_epoch_of_its_own_joins_and_one_that_leaves_keeps_its_state():
    """A stack is taken apart and put together anew when its replicas change, and only then."""
    rows = [(f"loss={loss}", f"optimizer={optimizer}") for loss, optimizer in zip(LOSSES, OPTIMIZERS, strict=False)]
    replicas, alone = built(MLP, *rows), built(MLP, *rows)
    batches, feed = list(moments(15)), feed_of()
    first = arrange(replicas[:4], feed, "stacked")
    assert [len(unit.replicas) for unit in first] == [4]
    stepped(first, batches[:5])
    assert arrange(replicas[3::-1], feed, "stacked", first)[0] is first[0]
    second = arrange(replicas[1:], feed, "stacked", first)
    kept = checkpoint.state_of(copy.copy(replicas[0]))[0]
    kept = {key: value.clone() for key, value in kept.items()}
    stepped(second, batches[5:])
    assert all(torch.equal(value, kept[key]) for key, value in checkpoint.state_of(replicas[0])[0].items())
    for k, replica in enumerate(alone):
        stepped([Sequential(replica, feed)], batches[5 if k > 3 else 0 : 5 if k == 0 else None])
        assert apart(replicas[k], replica) < 1e-10


def trained_with(replica, function):
    """The replica with a loss of the user's."""
    replica.objective = replace(replica.objective, function=partial(function))
    return replica


@pytest.mark.parametrize("way_back", [False, True])
def test_an_error_of_one_loss_ends_this_one_and_no_other(way_back, caplog):
    """From the fifth batch on."""
    broken = []

    def stop(*_):
        raise SystemExit(3)

    def function(logits, targets):
        if broken and way_back:
            logits.register_hook(stop)
        elif broken:
            stop()
        return (logits - targets).square()

    rows = [("loss=bce",), ("loss=mse",), ("loss=zlpr",)]
    replicas, alone, batches = built(MLP, *rows), built(MLP, *rows), list(moments(8))
    trained_with(replicas[1], function)
    units = arrange(replicas, feed_of(), "stacked")
    stepped(units, batches[:4])
    assert not caplog.messages
    broken.append(True)
    stepped(units, batches[4:6])
    assert [bool(replica.failure) for replica in replicas] == [False, True, False]
    assert "3 trials are stepped one by one from now on" in caplog.text
    (unit,) = arrange([replicas[0], replicas[2]], feed_of(), "stacked", units)
    stepped([unit], batches[6:])
    stepped([Sequential(replica, feed_of()) for replica in alone], batches)
    assert apart(replicas[0], alone[0]) < 1e-10
    assert apart(replicas[2], alone[2]) < 1e-10


def noisy(logits, targets):
    return (logits + torch.randn(logits.shape) - targets).square()


def test_a_loss_that_draws_random_numbers_draws_what_it_would_alone():
    rows = [("loss=bce", "clip=1"), ("loss=bce", "clip=2"), ("loss=bce", "clip=3")]
    stacked, alone, batches = built(MLP, *rows), built(MLP, *rows), list(moments(5))
    for replica in [*stacked, *alone]:
        trained_with(replica, noisy)
    stepped([Stacked(stacked, feed_of())], batches)
    stepped([Sequential(replica, feed_of()) for replica in alone], batches)
    assert max(apart(one, other) for one, other in zip(stacked, alone, strict=True)) < 1e-10


def test_bfloat16_computes_where_one_alone_does():
    rows = [(f"loss={loss}",) for loss in ("bce", "softmax_count", "zlpr")]
    feed, batches = feed_of(amp=torch.bfloat16), list(moments(5, dtype=torch.float32))
    stacked, alone = (built(MLP, *rows, dtype=torch.float32) for _ in range(2))
    ours = stepped([Stacked(stacked, feed)], batches)
    theirs = stepped([Sequential(replica, feed) for replica in alone], batches)
    for name, losses in ours.items():
        torch.testing.assert_close(losses, theirs[name], rtol=1e-3, atol=1e-3)
    assert stacked[0].model.labels.weight.dtype == torch.float32


@pytest.mark.gpu
def test_a_gpu_takes_the_same_steps():
    rows = [(f"loss={loss}", f"optimizer={name}", "clip=1") for name in OPTIMIZERS for loss in ("bce", "softmax_count")]
    assert_equal(*both((*MLP, "device=cuda"), [*rows, *((f"loss={loss}", "optimizer=sgd") for loss in LOSSES)]))


@pytest.mark.parametrize("device", ["cpu", CUDA])
def test_the_host_never_waits_for_a_stack(device):
    network = (*MLP, f"device={device}")
    rows = [(f"loss={loss}",) for loss in LOSSES]
    rows += [(f"optimizer={optimizer}", "schedule=cosine", "clip=1") for optimizer in OPTIMIZERS]
    unit = Stacked(built(network, *rows, dtype=torch.float32), feed_of(device=shared_of(network).feed.device))
    batches = list(moments(3, network, dtype=torch.float32))
    stepped([unit], batches[:1])
    with no_waiting(device):
        losses = [unit.step(batch, moment) for batch, moment in batches[1:]]
    assert len(torch.cat(losses)) == 2 * len(rows)


def test_a_batch_in_parts():
    rows = [(f"loss={loss}", "clip=1") for loss in ("bce", "softmax_count", "zlpr")]
    stacked, alone, feed, batches = built(MLP, *rows), built(MLP, *rows), feed_of(accumulate=3), list(moments(5))
    ours = stepped([Stacked(stacked, feed)], batches)
    assert_equal(stacked, alone, ours, stepped([Sequential(replica, feed) for replica in alone], batches))


def test_who_is_stacked_and_who_is_told_why_not():
    other = built(MLP, ("loss=bce",), ("loss=focal",))
    for_images = replace(other[0], name="normed", model=copy.deepcopy(other[0].model))
    for_images.model.stages.append(nn.BatchNorm1d(9))
    rare = replace(other[0], name="rare", optimizer=torch.optim.NAdam(other[0].model.parameters()))
    wide = built(HEAD, ("loss=bce",))[0]
    wide.name = "wide"
    replicas = [*other, for_images, rare, wide]
    feed = feed_of()
    assert [len(unit.replicas) for unit in arrange(replicas[:2], feed, "auto")] == [1, 1]
    assert [len(unit.replicas) for unit in arrange(replicas, feed, "stacked")] == [2, 1, 1, 1]
    assert remarks(replicas[:2], feed, "stacked") == remarks(replicas, feed, "auto") == []
    notes = remarks(replicas, feed, "stacked")
    assert "'normed' by itself: its network has a layer that has no stacked form: stages.3, a BatchNorm1d" in notes[0]
    assert "'rare' by itself: its optimizer, NAdam, has no stacked form" in notes[1]
    assert "'wide' by itself: no other trial has a network of its structure" in notes[2]
    assert "float16" in why_not(other[0], feed_of(amp=torch.float16))


def test_a_stack_is_cut_where_memory_does_not_hold_it(monkeypatch):
    replicas = built(LINEAR, *((f"loss={loss}",) for loss in LOSSES[:5]))
    monkeypatch.setattr("mllc.engine.arrange.available_bytes", lambda _: 5_000_000)
    assert [len(unit.replicas) for unit in arrange(replicas, feed_of(), "stacked")] == [2, 2, 1]
    monkeypatch.setattr("mllc.engine.arrange.available_bytes", lambda _: 1000)
    assert [len(unit.replicas) for unit in arrange(replicas, feed_of(), "stacked")] == [1] * 5


def test_a_whole_run_gives_the_same_figures(tmp_path):
    overrides = [*SHEET, *MLP, "loss=bce,softmax_count,asymmetric,zlpr", "optimizer=adam,sgd", "clip=1", "epochs=3"]
    found = {}
    for engine in ("sequential", "stacked"):
        configs = config.expand([*overrides, f"engine={engine}", f"out={tmp_path / engine}"], None, preset=None)
        screen = Notes()
        found[engine] = run.train(configs, score_test=True, screen=screen)
        assert not any("by itself" in note for note in screen.notes)
    for one, other in zip(*found.values(), strict=True):
        assert one.run_id == other.run_id
        ours, theirs = (state_of(tmp_path / name, run)[0] for name, run in zip(found, (one, other), strict=True))
        assert all(torch.allclose(value, theirs[key], rtol=1e-3, atol=1e-5) for key, value in ours.items())
        for name, figure in one.test.items():
            assert figure == pytest.approx(other.test[name], abs=1e-4), name


def test_a_run_that_was_cut_off_goes_on_in_a_stack(tmp_path):
    """Some of its trials an epoch behind the others, one diverging."""
    overrides = [*SHEET, *MLP, "loss=bce,softmax_count,zlpr", "optimizer=sgd", "optimizer.lr=0.01,1e30", "epochs=3"]

    def configs(engine):
        return config.expand([*overrides, f"engine={engine}", f"out={tmp_path / engine}"], None, preset=None)

    with pytest.raises(KeyboardInterrupt):
        run.train(configs("stacked"), score_test=True, screen=StopsAfterAnEpoch())
    resumed = run.train(configs("stacked"), score_test=True, screen=(screen := Notes()))
    assert any("continuing after epoch 1" in note for note in screen.notes)
    whole = run.train(configs("sequential"), score_test=True, screen=Notes())
    assert [result.status for result in resumed] == [result.status for result in whole] == ["done", "diverged"] * 3
    for one, other in zip(resumed[::2], whole[::2], strict=True):
        ours, theirs = state_of(tmp_path / "stacked", one)[0], state_of(tmp_path / "sequential", other)[0]
        assert all(torch.allclose(value, theirs[key], rtol=1e-3, atol=1e-5) for key, value in ours.items())
