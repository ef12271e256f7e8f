"""The host never waits for the GPU inside an epoch. Without a GPU the same operators are watched on a CPU, and on the
tensors of a faked GPU, which have a device and a shape but no values.
"""

import warnings
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch
from test_gpu import CUDA, LOSSES, OPTIMIZERS, expand
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from mllc import network
from mllc.build import Shared, build_replica, share
from mllc.data.augment.rand_augment import GEOMETRIC, OPERATIONS, operate
from mllc.engine.sequential import forward
from mllc.evaluate import epoch_metrics
from mllc.feed import Feed
from mllc.models.backbone import Backbone
from mllc.models.front import Front
from mllc.train import EpochEnd, Step, train
from mllc.trial import titles
from mllc.types import Dataset, LabelStatistics, Split

READS = {"_local_scalar_dense", "is_nonzero", "equal", "nonzero", "masked_select", "_unique2", "unique_dim"}


@pytest.fixture(params=["cpu", CUDA])
def device(request):
    return request.param


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
    freeze = ("dataset.grid=4", "backbone.freeze=2") if backbone == "resnet18" else ()
    common = (f"backbone={backbone}", *freeze, f"device={device}", f"amp={amp}", "dataset.augment.flip=0.5")
    kinds = (f"loss={','.join(LOSSES)}", f"optimizer={','.join(OPTIMIZERS)}")
    augment = dict.fromkeys(("brightness", "contrast", "saturation", "hue", "mixup"), 0.2)
    augment |= {"crop": 2, "rand_augment": 2}
    common += ("clip=1.0", *(f"dataset.augment.{name}={value}" for name, value in augment.items()))
    configs = [conf for kind in kinds for conf in expand(*common, kind)]
    shared = share(configs[0])
    replicas = [build_replica(conf, title, shared) for conf, title in zip(configs, titles(configs), strict=True)]
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
    monkeypatch.setattr(network, "copy", SimpleNamespace(deepcopy=lambda stages: stages))  # fake storage has no copy
    monkeypatch.setattr("mllc.feed.available_bytes", lambda _: 1 << 40)
    with FakeTensorMode(allow_non_fake_inputs=True):
        yield torch.device("cuda", 0)


def _fake_feed(device, **options):
    split = Split(torch.zeros(6, 3, 8, 8, dtype=torch.uint8), torch.zeros(6, 5, dtype=torch.uint8), tuple("abcdef"))
    data = Dataset("images", tuple("abcde"), (3, 8, 8), split, split, split, "")
    stages = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten()).eval().requires_grad_(False)
    front = Front(stages, options.pop("mean", ()), options.pop("std", ()))
    augment = {"flip": 0.5, "crop": 1, "brightness": 0.2, "contrast": 0.2, "saturation": 0.2, "hue": 0.1}
    feed = Feed("fake", data, 0, 4, front.to(device), device, augment, **options)
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


@pytest.mark.parametrize("operation", [name for name in OPERATIONS if name not in ("identity", *GEOMETRIC)])
def test_an_operation_of_rand_augment_copies_without_waiting(fake_gpu, operation):
    images = torch.zeros(3, 3, 8, 8, dtype=torch.uint8, device=fake_gpu)
    with BlockingCopies():
        assert operate(images, operation, 1, 9).device == fake_gpu
