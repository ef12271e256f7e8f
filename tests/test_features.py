"""Features of a frozen front kept on disk: computed once, the same in every run, verified, and left when in doubt."""

import csv
import json
import logging
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

SHEET = ("dataset.samples=60", "dataset.test_samples=20", "dataset.grid=2", "device=cpu", "backbone=resnet18")


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


def files(tmp_path, kind="npy"):
    return sorted((tmp_path / "cache").glob(f"features-*.{kind}"))


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
    monkeypatch.setattr("mllc.features.IN_MEMORY", 0)
    again = features_of(share(frozen(tmp_path, weights)))
    assert all(torch.equal(again[split], first[split]) for split in first)


def cut_short(array, about):
    array.write_bytes(array.read_bytes()[:-100])


def changed(array, about):
    content = bytearray(array.read_bytes())
    content[-1] ^= 1
    array.write_bytes(content)


def no_array(array, about):
    array.write_bytes(b"")


def untold(array, about):
    about.write_text("{")


def of_another(array, about):
    about.write_text(json.dumps({"digest": "0"}))


@pytest.mark.parametrize("damage", [cut_short, changed, no_array, untold, of_another])
def test_what_is_damaged_is_computed_again(tmp_path, weights, calls, caplog, damage):
    first = features_of(share(frozen(tmp_path, weights)))
    ((array,), (about,)) = files(tmp_path), files(tmp_path, "json")
    sound = array.read_bytes()
    damage(array, about)
    calls.clear()
    again = features_of(share(frozen(tmp_path, weights)))
    assert sum(calls) == 80
    assert "damaged; computing them again" in caplog.text
    assert all(torch.equal(again[split], first[split]) for split in first)
    assert array.read_bytes() == sound


@pytest.mark.parametrize("what", ["disk", "folder"])
def test_without_room_on_the_disk_features_stay_in_memory(tmp_path, weights, monkeypatch, caplog, what):
    expected = features_of(share(frozen(tmp_path, weights)))
    if what == "disk":
        monkeypatch.setattr("mllc.features.shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
    else:
        (tmp_path / "second").mkdir()
        (tmp_path / "second" / "cache").write_text("a file")
    shared = share(frozen(tmp_path / "second", weights))
    found = features_of(shared)
    assert "cannot be kept" in caplog.text
    assert "type cache=FOLDER" in caplog.text
    for split in found:
        torch.testing.assert_close(found[split], expected[split], rtol=1e-4, atol=1e-5)
    assert not files(tmp_path / "second")
    assert not list((tmp_path / "second").glob("cache/.features*")), "nothing half written is left"


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
    assert len(files(tmp_path)) == 4
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
