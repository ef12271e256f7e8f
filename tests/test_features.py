"""Features of a frozen front kept on disk: computed once, the same in every run, verified, and left when in doubt."""

import csv
import logging
import os
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from test_run import Notes, folder_of
from torchvision import models

from mllc import run
from mllc.build import share
from mllc.config.compose import compose
from mllc.models.front import Front

SHEET = (
    "dataset.samples=60",
    "dataset.test_samples=20",
    "dataset.grid=4",
    "dataset.mean_filled=8",
    "device=cpu",
    "backbone=resnet18",
)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    file = tmp_path_factory.mktemp("weights") / "w.pth"
    torch.save(models.resnet18().state_dict(), file)
    return file


@pytest.fixture
def calls(monkeypatch):
    """How many rows went through a frozen front, call by call."""
    seen, forward = [], Front.forward

    def counted(front, rows):
        if front.is_frozen:
            seen.append(len(rows))
        return forward(front, rows)

    monkeypatch.setattr(Front, "forward", counted)
    return seen


def frozen(tmp_path, weights, *overrides):
    given = (f"backbone.weights={weights}", f"cache={tmp_path}/cache", "backbone.freeze=all")
    return compose([*SHEET, *given, *overrides])


def features_of(shared):
    return {split: torch.cat([b.features for b in shared.feed.split(split)]) for split in ("train", "val", "test")}


def files(tmp_path):
    return sorted((tmp_path / "cache").glob("features-*"))


def test_a_second_run_and_another_seed_never_run_the_front(tmp_path, weights, calls):
    shared = share(frozen(tmp_path, weights))
    first = features_of(shared)
    assert sum(calls) == 80, "every sample of the source once"
    assert max(calls) <= 128
    for split, features in first.items():
        torch.testing.assert_close(features, shared.feed.front(shared.data.split(split).inputs), rtol=1e-4, atol=1e-5)
    calls.clear()
    again = features_of(share(frozen(tmp_path, weights, "batch_size=7")))
    assert all(torch.equal(again[split], first[split]) for split in first)
    other = share(frozen(tmp_path, weights, "seed=1"))
    found = features_of(other)
    assert not calls
    assert len(files(tmp_path)) == 1
    for split, features in found.items():
        torch.testing.assert_close(features, other.feed.front(other.data.split(split).inputs), rtol=1e-4, atol=1e-5)


def test_folds_find_their_features(tmp_path, weights, calls):
    features_of(share(frozen(tmp_path, weights)))
    calls.clear()
    shared = share(frozen(tmp_path, weights, "split.folds=3", "split.fold=1"))
    found = features_of(shared)
    assert not calls
    for split, features in found.items():
        torch.testing.assert_close(features, shared.feed.front(shared.data.split(split).inputs), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("freeze", ["all", "layer3"])
def test_runs_with_and_without_a_cache_at_hand_are_identical(tmp_path, weights, calls, freeze):
    histories = []
    for number in range(2):
        out = tmp_path / f"runs{number}"
        conf = frozen(tmp_path, weights, f"backbone.freeze={freeze}", "epochs=2", f"out={out}")
        (result,) = run.train([conf], score_test=True, screen=Notes())
        assert result.status == "done"
        with (folder_of(out, result) / "history.csv").open() as file:
            rows = [{key: value for key, value in row.items() if "second" not in key} for row in csv.DictReader(file)]
        histories.append((rows, result.test["map"]))
        assert bool(calls) == (number == 0)
        calls.clear()
    assert histories[0] == histories[1]


def test_large_features_stay_on_disk(tmp_path, weights, monkeypatch):
    first = features_of(share(frozen(tmp_path, weights)))
    monkeypatch.setattr("mllc.data.rows.TENSOR_LIMIT_BYTES", 0)
    again = features_of(share(frozen(tmp_path, weights)))
    assert all(torch.equal(again[split], first[split]) for split in first)


def cut_short(content):
    return content[:-100]


def without_digest(content):
    return content[:-16]


def changed_in_the_middle(content):
    return content[:5000] + bytes([content[5000] ^ 1]) + content[5001:]


def changed_digest(content):
    return content[:-1] + bytes([content[-1] ^ 1])


def reshaped(content):
    return content.replace(b"(80, 512)", b"(512, 80)", 1)


def of_a_few_bytes(content):
    return content[:7]


def empty(content):
    return b""


@pytest.mark.parametrize(
    "damage", [cut_short, without_digest, changed_in_the_middle, changed_digest, reshaped, of_a_few_bytes, empty]
)
def test_what_is_damaged_is_computed_again(tmp_path, weights, calls, caplog, damage):
    first = features_of(share(frozen(tmp_path, weights)))
    (file,) = files(tmp_path)
    sound = file.read_bytes()
    file.write_bytes(damage(sound))
    assert file.read_bytes() != sound
    calls.clear()
    again = features_of(share(frozen(tmp_path, weights)))
    assert sum(calls) == 80
    assert "damaged; computing them again" in caplog.text
    assert all(torch.equal(again[split], first[split]) for split in first)
    assert file.read_bytes() == sound


@pytest.mark.parametrize("what", ["disk", "folder"])
def test_without_room_on_the_disk_features_stay_in_memory(tmp_path, weights, monkeypatch, caplog, what):
    expected = features_of(share(frozen(tmp_path, weights)))
    if what == "disk":
        monkeypatch.setattr("mllc.features.shutil.disk_usage", lambda _: SimpleNamespace(free=2 * 80 * 512 * 4 - 2))
    else:
        (tmp_path / "second").mkdir()
        (tmp_path / "second" / "cache").write_text("a file")
    shared = share(frozen(tmp_path / "second", weights))
    found = features_of(shared)
    assert "cannot be kept" in caplog.text
    assert "damaged" not in caplog.text, "nothing was there"
    assert "type cache=FOLDER" in caplog.text
    for split in found:
        torch.testing.assert_close(found[split], expected[split], rtol=1e-4, atol=1e-5)
    assert not files(tmp_path / "second")
    assert not list((tmp_path / "second").glob("cache/.features*")), "nothing half written is left"


def test_in_memory_features_do_not_depend_on_the_batch_size(tmp_path, weights, monkeypatch, calls):
    """A run's id does not tell whether the disk had room, so its features should not either."""
    monkeypatch.setattr("mllc.features.shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
    shared = share(frozen(tmp_path, weights, "batch_size=7"))
    list(shared.feed.split("train"))
    assert calls == [80, 1, len(shared.data.train)], "the chunk that shows the size, one row of train, all at once"


@pytest.mark.parametrize("small", [0, 1 << 30])
def test_features_many_times_the_size_of_the_images_are_not_kept(tmp_path, weights, monkeypatch, caplog, calls, small):
    monkeypatch.setattr("mllc.features.SMALL_BYTES", small)
    monkeypatch.setattr("mllc.features.TIMES_INPUTS", 0.1)
    expected = features_of(share(frozen(tmp_path, weights)))
    assert bool(files(tmp_path)) == bool(small)
    assert caplog.text.count("so every run computes them anew; type a deeper backbone.freeze") == (not small)
    assert "164 kB, made of " in caplog.text or small
    calls.clear()
    again = features_of(share(frozen(tmp_path, weights)))
    assert bool(calls) == (not small)
    assert all(torch.equal(again[split], expected[split]) for split in again)


def test_what_a_killed_process_has_left_goes_a_day_later(tmp_path, weights):
    folder = tmp_path / "cache"
    folder.mkdir()
    for name, hours in ((".features-old", 25), (".features-now", 23), (".another", 25)):
        (folder / name).write_bytes(b"half")
        os.utime(folder / name, (time.time() - hours * 3600,) * 2)
    features_of(share(frozen(tmp_path, weights)))
    assert sorted(path.name for path in folder.glob(".*")) == [".another", ".features-now"]


def test_another_user_can_read_what_is_kept(tmp_path, weights):
    features_of(share(frozen(tmp_path, weights)))
    (file,), beside = files(tmp_path), tmp_path / "plain"
    beside.touch()
    assert file.stat().st_mode == beside.stat().st_mode


OWN = """
import torch
from torch import nn

from mllc.models.backbone import Backbone


class Scale(nn.Module):
    def __init__(self, s):
        super().__init__()
        self.s, self.weight = s, nn.Parameter(torch.ones(1))

    def forward(self, x):
        return self.weight * self.s * x.flatten(1)


def backbone(input_shape, *, s):
    size = int(torch.tensor(input_shape).prod())
    return Backbone(nn.Sequential(Scale(s)), size)
"""


def test_features_of_own_code_are_not_kept(tmp_path, weights, monkeypatch):
    """Neither the settings that its modules do not show nor its code can be told from the network."""
    (tmp_path / "features_of_mine.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    found = []
    for s in (1.0, 5.0):
        conf = frozen(tmp_path, weights)
        mine = {"_target_": "features_of_mine.backbone", "name": "mine", "s": s, "freeze": "all"}
        shared = share(conf | {"backbone": mine}, ("features_of_mine",))
        found.append(features_of(shared)["train"])
    torch.testing.assert_close(found[1], 5 * found[0])
    assert not files(tmp_path)


def test_settings_of_a_backbone_are_told_apart(tmp_path, weights):
    """Some of torchvision's change what the layers compute, and show neither in their names nor in their weights."""
    kept = share(frozen(tmp_path, weights)).feed.kept
    assert not {"freeze", "weights"} & set(kept.backbone)
    other = replace(kept, backbone={**kept.backbone, "stride": 2})
    assert other._key() != kept._key()


def test_gpus_and_their_precision_are_told_apart(tmp_path, weights, monkeypatch):
    keys = set()
    kept = share(frozen(tmp_path, weights)).feed.kept
    for gpu, precision in (("H100", "high"), ("H200", "high"), ("H200", "highest")):
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda _, gpu=gpu: gpu)
        monkeypatch.setattr(torch, "get_float32_matmul_precision", lambda precision=precision: precision)
        keys.add(replace(kept, device=torch.device("cuda", 0))._key())
    assert len(keys) == 3


def test_other_weights_and_another_depth_are_kept_apart(tmp_path, weights, caplog):
    caplog.set_level(logging.INFO, "mllc")
    features_of(share(frozen(tmp_path, weights)))
    assert "the frozen layers see each of 80 samples once" in caplog.text
    features_of(share(frozen(tmp_path, weights, "backbone.freeze=layer1")))
    torch.manual_seed(1)
    other = tmp_path / "other.pth"
    torch.save(models.resnet18().state_dict(), other)
    features_of(share(frozen(tmp_path, other)))
    features_of(share(frozen(tmp_path, weights, "dataset.samples=61")))
    features_of(share(frozen(tmp_path, weights, "channels_last=false")))
    assert len(files(tmp_path)) == 5
    assert {np.load(file, mmap_mode="r").ndim for file in files(tmp_path)} == {2, 4}


def test_random_or_augmented_features_are_not_kept(tmp_path, weights, calls):
    conf = frozen(tmp_path, weights)
    features_of(share(conf | {"backbone": conf["backbone"] | {"weights": None}}))
    shared = share(conf | {"dataset": conf["dataset"] | {"augment": {"flip": 0.5, "crop": 0}}})
    assert any("type dataset.augment.flip=0" in note for note in shared.data.notes)
    calls.clear()
    for epoch in range(2):
        list(shared.feed.epoch(epoch))
    assert sum(calls) == 2 * len(shared.data.train)
    assert not files(tmp_path)
