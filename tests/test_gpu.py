"""Training on a GPU. Tests of the device `cuda` are marked gpu (`pytest -m gpu`); where it makes sense the same body
runs on the CPU as well, so that it is known to work before anyone has a GPU at hand.
"""

import csv
import functools
import gc
import math
from pathlib import Path

import pytest
import torch
from test_run import EVERYTHING_RANDOM, TINY, Notes, assert_identical, folder_of, state_of
from torch import nn

from mllc import checkpoint, run
from mllc.build import build_replica, share
from mllc.config import compose as config
from mllc.engine.launch import Graphed
from mllc.errors import ModelError
from mllc.evaluate import epoch_metrics
from mllc.losses.best_constant import best_constant
from mllc.train import train

CONF = Path(__file__).parents[1] / "conf"
LOSSES = sorted(file.stem for file in (CONF / "loss").glob("*.yaml"))
OPTIMIZERS = sorted(file.stem for file in (CONF / "optimizer").glob("*.yaml"))
SHEET = tuple(override for override in TINY if not override.startswith("backbone."))
PATCH = tuple(override for override in TINY if override.startswith("backbone."))
CUDA = pytest.param("cuda", marks=pytest.mark.gpu)


@pytest.fixture(params=["cpu", CUDA])
def device(request):
    return request.param


@pytest.fixture
def exact(monkeypatch):
    """float32 as on a CPU, and convolutions that give the same twice."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", True)


def expand(*overrides):
    return config.expand([*SHEET, *overrides], None, preset=None)


def trained(out, *overrides, screen=None):
    screen = screen or Notes()
    return run.train(expand(*overrides, f"out={out}"), score_test=True, screen=screen), screen


def history(out, result):
    with (folder_of(out, result) / "history.csv").open() as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]


class StopsAfterAnEpoch(Notes):
    def epoch(self, name, epoch, metrics):
        raise KeyboardInterrupt


def one_epoch(replicas, shared):
    for _ in train(replicas, shared.feed, epochs=replicas[0].epoch + 1, measure=epoch_metrics):
        pass
    assert [replica.failure for replica in replicas] == [""] * len(replicas)


@pytest.mark.parametrize("amp", ["bf16", pytest.param("fp16", marks=pytest.mark.gpu)])
def test_it_learns_in_mixed_precision(tmp_path, device, amp):
    if (device, amp) == ("cpu", "fp16"):
        pytest.skip("fp16 is for GPUs")
    steps = ("epochs=3", "batch_size=16", "optimizer.lr=0.01")
    (result,), _ = trained(tmp_path, *PATCH, *steps, f"device={device}", f"amp={amp}")
    rows = history(tmp_path, result)
    assert result.status == "done"
    assert all(math.isfinite(value) for row in rows for value in row.values())
    assert rows[-1]["train_loss"] < 0.8 * rows[0]["train_loss"]
    assert result.test["map"] > 1.5 * result.test["map_chance"]


@pytest.mark.gpu
@pytest.mark.parametrize("optimizer", ["adam", "rmsprop"])
def test_the_scaler_is_kept_in_the_checkpoint(tmp_path, optimizer):
    """Of a fused optimizer, and of one whose step the scaler itself skips; clipping unscales before the step."""
    # many steps: the first ones may overflow, until the scale has come down
    overrides = (*PATCH, "device=cuda", "amp=fp16", "batch_size=16", "clip=1.0", f"optimizer={optimizer}")
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path, *overrides, screen=StopsAfterAnEpoch())
    (conf,) = expand(*overrides)
    shared = share(conf)
    replica = build_replica(conf, "", shared)
    one_epoch([replica], shared)
    tensors, about = checkpoint.state_of(replica)
    assert about["scaler"]["_growth_tracker"] > 0
    again = build_replica(conf, "", shared)
    assert again.scaler.is_enabled()
    checkpoint.restore(again, tensors, about)
    assert again.scaler.state_dict() == about["scaler"]
    (result,), screen = trained(tmp_path, *overrides)
    assert result.status == "done"
    assert any("continuing after epoch 1" in note for note in screen.notes)


def test_images_and_weights_are_channels_last(device):
    (conf,) = expand("dataset.grid=4", "backbone=resnet18", f"device={device}", "backbone.freeze=3")
    shared = share(conf)
    replica = build_replica(conf, "", shared)
    for parameter in replica.model.parameters():
        if parameter.ndim == 4:
            assert parameter.is_contiguous(memory_format=torch.channels_last)
    seen = []
    for module in shared.feed.front.stages.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda _module, inputs, output: seen.append((inputs[0], output)))
    next(shared.feed.epoch(0))
    assert seen
    for tensors in seen:
        assert all(tensor.is_contiguous(memory_format=torch.channels_last) for tensor in tensors)


def test_channels_last_changes_rounding_only(tmp_path, device, exact):
    data = ("dataset.samples=100", "batch_size=32", "epochs=1")
    overrides = (
        *data,
        "dataset.grid=4",
        "backbone=resnet18",
        f"device={device}",
        "amp=off",
        "optimizer=sgd",
        "optimizer.lr=0.0001",
    )
    (plain,), _ = trained(tmp_path / "plain", *overrides, "channels_last=false")
    (last,), _ = trained(tmp_path / "last", *overrides, "channels_last=true")
    (one,), (other,) = history(tmp_path / "plain", plain), history(tmp_path / "last", last)
    for key in ("train_loss", "val_loss"):
        assert other[key] == pytest.approx(one[key], rel=1e-3), key


@pytest.mark.parametrize("freeze", ["none", "1", "all"])
def test_a_frozen_front_stays_and_the_rest_moves(device, freeze):
    (conf,) = expand("dataset.grid=4", "backbone=resnet18", f"backbone.freeze={freeze}", f"device={device}")
    shared = share(conf)
    replica = build_replica(conf, "", shared)
    assert bool(len(shared.feed.front.stages)) == (freeze != "none")
    parts = (shared.feed.front.stages, replica.model)
    assert all(value.device.type == device for part in parts for value in part.state_dict().values())
    front, own = ({key: value.clone() for key, value in part.state_dict().items()} for part in parts)
    one_epoch([replica], shared)
    assert math.isfinite(replica.history[-1]["val_loss"])
    assert all(torch.equal(value, front[key]) for key, value in shared.feed.front.stages.state_dict().items())
    assert all(not torch.equal(value, own[key]) for key, value in replica.model.named_parameters())


@pytest.mark.parametrize("backbone", ["patch", "mlp"])
def test_a_run_that_is_resumed_ends_bit_identical(tmp_path, device, backbone, exact):
    random = EVERYTHING_RANDOM if backbone == "patch" else ("backbone.dropout=0.4",)
    wanted = (f"backbone={backbone}", *(PATCH if backbone == "patch" else ()), *random)
    overrides = (*wanted, f"device={device}", "loss=softmax_count", "epochs=3")
    (whole,), _ = trained(tmp_path / "whole", *overrides)
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "parts", *overrides, screen=StopsAfterAnEpoch())
    (parts,), screen = trained(tmp_path / "parts", *overrides)
    assert any("continuing after epoch 1" in note for note in screen.notes)
    assert_identical(state_of(tmp_path / "whole", whole), state_of(tmp_path / "parts", parts))


@pytest.mark.gpu
def test_a_resumed_resnet_ends_close(tmp_path, exact):
    """Not identical: the gradient of its max-pooling is added up in any order."""
    overrides = (
        "dataset.grid=4",
        "backbone=resnet18",
        "device=cuda",
        "amp=off",
        "optimizer=sgd",
        "optimizer.lr=0.0001",
    )
    (whole,), _ = trained(tmp_path / "whole", *overrides)
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "parts", *overrides, screen=StopsAfterAnEpoch())
    (parts,), _ = trained(tmp_path / "parts", *overrides)
    for one, other in zip(history(tmp_path / "whole", whole), history(tmp_path / "parts", parts), strict=True):
        assert other["val_loss"] == pytest.approx(one["val_loss"], rel=1e-2)


@pytest.mark.gpu
def test_the_gpu_gives_the_figures_of_the_cpu(tmp_path, exact):
    """Up to the rounding of some ten steps, which may swap samples whose scores are almost equal."""
    overrides = ("backbone=mlp", "amp=off", "optimizer=sgd", "optimizer.lr=0.001", "loss=weighted_bce")
    (cpu,), _ = trained(tmp_path / "cpu", *overrides, "device=cpu")
    (gpu,), _ = trained(tmp_path / "gpu", *overrides, "device=cuda")
    assert gpu.run_id == cpu.run_id
    for one, other in zip(history(tmp_path / "cpu", cpu), history(tmp_path / "gpu", gpu), strict=True):
        for key in ("train_loss", "val_loss"):
            assert other[key] == pytest.approx(one[key], rel=1e-4), key
        assert other["val_map"] == pytest.approx(one["val_map"], abs=5e-3)
    assert gpu.test["map"] == pytest.approx(cpu.test["map"], abs=5e-3)
    assert gpu.collapse["verdict"] == cpu.collapse["verdict"]


@pytest.mark.gpu
@pytest.mark.parametrize("loss", LOSSES)
def test_an_objective_has_its_statistics_on_the_gpu(loss):
    (conf,) = expand(*PATCH, f"loss={loss}", "device=cuda")
    shared = share(conf)
    objective = build_replica(conf, "", shared).objective
    for part in (objective.function, objective.rule, objective.score):
        assert all(value.is_cuda for value in part.keywords.values() if isinstance(value, torch.Tensor))
    targets = shared.data.split("val").targets
    _, there = best_constant(objective, targets.cuda())
    _, here = best_constant(objective.to("cpu"), targets)
    assert there == pytest.approx(here, rel=1e-4)


@pytest.mark.gpu
def test_rows_too_many_for_the_gpu_are_copied_batch_by_batch(tmp_path, monkeypatch, exact):
    overrides = (*PATCH, *EVERYTHING_RANDOM, "device=cuda", "loss=weighted_bce")
    (fits,), _ = trained(tmp_path / "fits", *overrides)
    monkeypatch.setattr("mllc.feed.available_bytes", lambda _: 0)
    (full,), _ = trained(tmp_path / "full", *overrides)
    assert not share(expand(*overrides)[0]).feed.truth("val").targets.is_cuda
    (one_weights, one_history, one), (weights, rows, other) = (
        state_of(tmp_path / "fits", fits),
        state_of(tmp_path / "full", full),
    )
    assert all(torch.equal(weights[key], one_weights[key]) for key in one_weights)
    assert rows == one_history
    assert other.test == one.test


@pytest.mark.gpu
def test_a_cohort_too_large_for_the_memory_of_the_gpu_is_halved(tmp_path):
    overrides = ("backbone=mlp", "backbone.hidden=[8192,2048]", "device=cuda", "amp=off", "epochs=1")
    _free()
    torch.cuda.reset_peak_memory_stats()
    (alone,), _ = trained(tmp_path / "alone", *overrides, "loss=bce")
    _free()
    one_trial, total = torch.cuda.max_memory_reserved(), torch.cuda.get_device_properties(0).total_memory
    try:
        # weights, two moments and one trial's gradients: 4 parts for one trial, 7 for two, 13 for four
        torch.cuda.set_per_process_memory_fraction(2 * one_trial / total)
        results, screen = trained(tmp_path / "four", *overrides, "loss=bce,zlpr,focal,asymmetric")
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert any("out of GPU memory with 4 trials at once: going on with 2" in note for note in screen.notes)
    assert [result.status for result in results] == ["done"] * 4, screen.notes
    assert results[0].test["map"] == pytest.approx(alone.test["map"], abs=1e-3)


@pytest.mark.gpu
def test_a_step_as_a_graph_draws_and_moves_what_it_does_without():
    """Dropout from the seed of each step, weights that move in place, a smaller batch in between."""

    def steps(launched):
        weights = torch.linspace(-1, 1, 8, device="cuda").requires_grad_()

        def step(features, lr, *, epoch):
            losses = nn.functional.dropout(features * weights, 0.5).square().sum(1)
            (slope,) = torch.autograd.grad(losses.sum(), weights)
            with torch.no_grad():
                weights.sub_(slope * lr)
            return losses.detach()

        launch, draw = launched(step), torch.Generator().manual_seed(0)
        for number in range(12):
            features = torch.rand(3 if number == 8 else 4, 8, generator=draw).cuda()
            torch.manual_seed(number)
            losses = launch(features, torch.tensor(0.01 * number).cuda(), epoch=0)
        return weights.detach(), losses

    graphed = functools.partial(Graphed, by_epoch=False)
    for found, wanted in zip(steps(graphed), steps(lambda step: step), strict=True):
        assert torch.equal(found, wanted)


@pytest.mark.gpu
def test_a_step_that_waits_for_the_gpu_is_no_graph(caplog):
    def step(features, *, epoch):
        return features * features.sum().item()

    launch = Graphed(step, by_epoch=False)
    for number in range(6):
        assert launch(torch.full((2,), float(number), device="cuda"), epoch=0).tolist() == [2 * number**2] * 2
    (line,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "synchronizing CUDA operation" in line


def _free():
    gc.collect()
    torch.cuda.empty_cache()


def test_a_device_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"device=cuda:99: this machine has .*type device=cpu or device=auto"):
        trained(tmp_path, *PATCH, "device=cuda:99")
    assert not list(tmp_path.iterdir())
