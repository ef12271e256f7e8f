"""Training on a GPU. Tests of the device `cuda` are marked gpu (`pytest -m gpu`); where it makes sense the same body
runs on the CPU as well, so that it is known to work before anyone has a GPU at hand.
"""

import csv
import gc
import math
import warnings
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from test_run import EVERYTHING_RANDOM, TINY, Notes, assert_identical, folder_of, state_of
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from mllc import build, checkpoint, run
from mllc.build import Shared, build_replica, share
from mllc.config import compose as config
from mllc.errors import ModelError
from mllc.evaluate import epoch_metrics
from mllc.feed import Feed
from mllc.losses.best_constant import best_constant
from mllc.models.backbone import Backbone
from mllc.train import EpochEnd, Step, forward, train
from mllc.types import Dataset, LabelStatistics, Split

CONF = Path(__file__).parents[1] / "conf"
LOSSES = sorted(file.stem for file in (CONF / "loss").glob("*.yaml"))
OPTIMIZERS = sorted(file.stem for file in (CONF / "optimizer").glob("*.yaml"))
SHEET = tuple(override for override in TINY if not override.startswith("backbone."))
PATCH = tuple(override for override in TINY if override.startswith("backbone."))
CUDA = pytest.param("cuda", marks=pytest.mark.gpu)
READS = {"_local_scalar_dense", "is_nonzero", "equal", "nonzero", "masked_select", "_unique2", "unique_dim"}


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
    (conf,) = expand("backbone=resnet18", f"device={device}", "backbone.freeze=3")
    shared = share(conf)
    replica = build_replica(conf, "", shared)
    for parameter in replica.model.parameters():
        if parameter.ndim == 4:
            assert parameter.is_contiguous(memory_format=torch.channels_last)
    seen = []
    for module in shared.feed.frozen.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda _module, inputs, output: seen.append((inputs[0], output)))
    next(shared.feed.epoch(0))
    assert seen
    for tensors in seen:
        assert all(tensor.is_contiguous(memory_format=torch.channels_last) for tensor in tensors)


def test_channels_last_changes_rounding_only(tmp_path, device, exact):
    data = ("dataset.samples=100", "batch_size=32", "epochs=1")
    overrides = (*data, "backbone=resnet18", f"device={device}", "amp=off", "optimizer=sgd", "optimizer.lr=0.0001")
    (plain,), _ = trained(tmp_path / "plain", *overrides, "channels_last=false")
    (last,), _ = trained(tmp_path / "last", *overrides, "channels_last=true")
    (one,), (other,) = history(tmp_path / "plain", plain), history(tmp_path / "last", last)
    for key in ("train_loss", "val_loss"):
        assert other[key] == pytest.approx(one[key], rel=1e-3), key


@pytest.mark.parametrize("freeze", ["none", "1", "all"])
def test_a_frozen_front_stays_and_the_rest_moves(device, freeze):
    (conf,) = expand("backbone=resnet18", f"backbone.freeze={freeze}", f"device={device}")
    shared = share(conf)
    replica = build_replica(conf, "", shared)
    assert bool(len(shared.feed.frozen)) == (freeze != "none")
    parts = (shared.feed.frozen, replica.model)
    assert all(value.device.type == device for part in parts for value in part.state_dict().values())
    front, own = ({key: value.clone() for key, value in part.state_dict().items()} for part in parts)
    one_epoch([replica], shared)
    assert math.isfinite(replica.history[-1]["val_loss"])
    assert all(torch.equal(value, front[key]) for key, value in shared.feed.frozen.state_dict().items())
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
    overrides = ("backbone=resnet18", "device=cuda", "amp=off", "optimizer=sgd", "optimizer.lr=0.0001")
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


def _free():
    gc.collect()
    torch.cuda.empty_cache()


def test_a_device_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"device=cuda:99: this machine has .*type device=cpu or device=auto"):
        trained(tmp_path, *PATCH, "device=cuda:99")
    assert not list(tmp_path.iterdir())


# waiting for the device --------------------------------------------------------------------------------------------


class HostReads(TorchDispatchMode):
    """Raises where the host would wait for a value on the device; sees the same operators on a CPU."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        masks = "index" in name and any(
            isinstance(index, torch.Tensor) and index.dtype in (torch.bool, torch.uint8)
            for index in (args[1] if isinstance(args[1], list | tuple) else ())
        )
        if name in READS or masks:
            raise AssertionError(f"the host reads a tensor: aten.{name}")
        return func(*args, **(kwargs or {}))


@contextmanager
def no_waiting(device):
    if device == "cpu":
        with HostReads():
            yield
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the mode says that it is a prototype
        torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("amp", ["off", pytest.param("bf16", marks=pytest.mark.gpu)])
@pytest.mark.parametrize("backbone", ["patch", pytest.param("resnet18", marks=pytest.mark.gpu)])
def test_the_host_never_waits_inside_an_epoch(device, backbone, amp):
    """For every loss and every optimizer; the first epoch opens the data, and may wait."""
    if device == "cpu" and (backbone, amp) != ("patch", "off"):
        pytest.skip("one case is enough on a CPU")
    freeze = ("backbone.freeze=2",) if backbone == "resnet18" else ()
    common = (f"backbone={backbone}", *freeze, f"device={device}", f"amp={amp}", "dataset.augment.flip=0.5")
    kinds = (f"loss={','.join(LOSSES)}", f"optimizer={','.join(OPTIMIZERS)}")
    configs = [conf for kind in kinds for conf in expand(*common, "dataset.augment.crop=2", "clip=1.0", kind)]
    shared = share(configs[0])
    replicas = [build_replica(conf, title, shared) for conf, title in zip(configs, run.titles(configs), strict=True)]
    events = train(replicas, shared.feed, epochs=2, measure=epoch_metrics)
    ended = 0
    while ended < len(replicas):
        ended += isinstance(next(events), EpochEnd)
    with no_waiting(device):
        steps = [next(events) for _ in range(shared.feed.steps)]
    assert all(isinstance(event, Step) for event in steps)
    # the loop keeps one trial's error from the others
    assert {replica.name: replica.failure for replica in replicas if replica.failure} == {}


def test_a_host_read_is_noticed():
    values = torch.arange(3.0)
    for read in (lambda: values.sum().item(), lambda: values[values > 0], lambda: bool(values[0] > 0), values.nonzero):
        with HostReads(), pytest.raises(AssertionError, match="the host reads"):
            read()


class BlockingCopies(TorchDispatchMode):
    """Raises where a copy to the device would make the host wait."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        copy = func(*args, **(kwargs or {}))
        if func is torch.ops.aten._to_copy.default and args[0].device != copy.device:
            assert (kwargs or {}).get("non_blocking"), f"a blocking copy of {tuple(copy.shape)} to {copy.device}"
        return copy


def _fake_move(module, device=None, memory_format=None):
    """nn.Module.to, which cannot move fake parameters."""
    for part in module.modules():
        for key, value in part._parameters.items():
            if value is not None:
                part._parameters[key] = nn.Parameter(value.detach().to(device), value.requires_grad)
        for key, value in part._buffers.items():
            part._buffers[key] = value.to(device)
    return module


@pytest.fixture
def fake_gpu(monkeypatch):
    """Where a GPU is faked: tensors with a device and a shape but no values. Yields the device."""
    monkeypatch.setattr(nn.Module, "to", lambda module, device="cuda", **_: _fake_move(module, device))
    monkeypatch.setattr(build, "copy", SimpleNamespace(deepcopy=lambda stages: stages))  # fake storage has no copy
    monkeypatch.setattr("mllc.feed.available_bytes", lambda _: 1 << 40)
    with FakeTensorMode(allow_non_fake_inputs=True):
        yield torch.device("cuda", 0)


def _fake_feed(device, **options):
    split = Split(torch.zeros(6, 3, 8, 8, dtype=torch.uint8), torch.zeros(6, 5, dtype=torch.uint8), tuple("abcdef"))
    data = Dataset("images", tuple("abcde"), (3, 8, 8), split, split, split, "")
    front = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten()).eval().requires_grad_(False)
    feed = Feed("fake", data, 0, 4, front.to(device), device, {"flip": 0.5, "crop": 1}, **options)
    feed.truth("train")  # opening may wait, an epoch may not
    return feed


@pytest.mark.parametrize("loss", LOSSES)
def test_a_forward_pass_mixes_no_devices_and_copies_without_waiting(fake_gpu, loss):
    feed = _fake_feed(fake_gpu)
    backbone = Backbone(nn.Sequential(nn.Linear(144, 7), nn.Dropout(0.5)), 7)
    statistics = LabelStatistics(torch.tensor([0.0, 6.0, 3.0, 1.0, 2.0]), 6, 2.0)
    (conf,) = expand(f"loss={loss}", "optimizer=sgd")
    replica = build_replica(conf, "", Shared(feed.data, statistics, backbone, feed, {}, ()))
    with BlockingCopies():
        for batch in feed.epoch(0):
            outputs = forward(replica.model, batch, feed)
            assert replica.objective.mean(outputs, batch.targets, batch.mask).device == fake_gpu
            assert replica.objective.decide(outputs).device == fake_gpu
            assert replica.objective.scores(outputs).device == fake_gpu


def test_pixels_are_normalised_without_waiting(fake_gpu):
    feed = _fake_feed(fake_gpu, mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6))
    with BlockingCopies():
        assert {batch.features.device for batch in feed.epoch(0)} == {fake_gpu}
