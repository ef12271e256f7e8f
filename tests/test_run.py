"""Whole runs on a small sheet: pairing, resuming, skipping, selection before test, and what a folder holds."""

import csv
import importlib
import json
import pkgutil
import re
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
import yaml
from safetensors.torch import load_file
from torchvision import models

from mllc import preflight, run, sweep
from mllc.build import share
from mllc.config import compose as config
from mllc.errors import ConfigError, DataError, ModelError, StoreError
from mllc.result import RunResult
from mllc.score import best_epoch
from mllc.store import RunFolder

TINY = (
    "dataset.samples=240",
    "dataset.test_samples=80",
    "dataset.grid=3",
    "backbone.width=16",
    "backbone.bottleneck=8",
    "batch_size=64",
    "epochs=2",
)
SHEET = TINY[:3]
EVERYTHING_RANDOM = ("backbone.dropout=0.4", "dataset.augment.flip=0.5", "dataset.augment.crop=2", "schedule=one_cycle")
LOSSES = "loss=bce,weighted_bce,focal,asymmetric,zlpr,softmax_ce,softmax_count,abs_kl"


class Notes:
    """A screen that keeps what it is told."""

    def __init__(self):
        self.notes, self.cohorts, self.steps, self.epochs = [], [], 0, []

    def note_once(self, text):
        if text not in self.notes:
            self.note(text)

    def note(self, text):
        self.notes.append(text)

    def skip(self, name, folder):
        self.note(f"{name} is done ({folder}): skipped")

    def cohort(self, names, epochs, title):
        self.cohorts.append(list(names))

    def step(self, epoch, step, steps):
        self.steps += 1

    def epoch(self, name, epoch, metrics):
        self.epochs.append((name, epoch))


def configs_of(out, *overrides):
    """The tiny sheet with `overrides`; another backbone drops the settings of the patch network."""
    other = any(override.startswith("backbone=") for override in overrides)
    base = [override for override in TINY if not (other and override.startswith("backbone."))]
    return config.expand([*base, *overrides, f"out={out}"], None, preset=None)


def trained(out, *overrides, test=True, **options):
    screen = Notes()
    configs = configs_of(out, *overrides)
    return run.train(configs, score_test=test, screen=screen, **options), screen


def folder_of(out, result):
    (found,) = out.glob(f"*-{result.run_id}")
    return found


def state_of(out, result):
    """Weights of the best epoch, history without times, and all figures of a run."""
    folder = folder_of(out, result)
    with (folder / "history.csv").open() as file:
        history = [{key: value for key, value in row.items() if key != "seconds"} for row in csv.DictReader(file)]
    return load_file(folder / "checkpoint.safetensors"), history, replace(result, seconds=0.0)


def assert_identical(first, second):
    (weights, history, figures), (other_weights, other_history, other_figures) = first, second
    assert weights.keys() == other_weights.keys()
    assert all(torch.equal(weights[key], other_weights[key]) for key in weights)
    assert history == other_history
    assert figures == other_figures


@pytest.mark.slow
def test_a_trial_alone_and_in_a_cohort_of_eight_are_bit_identical(tmp_path):
    together, screen = trained(tmp_path / "together", LOSSES, *EVERYTHING_RANDOM)
    assert [len(names) for names in screen.cohorts] == [8]
    for loss in LOSSES.partition("=")[2].split(","):
        (alone,), _ = trained(tmp_path / "alone", f"loss={loss}", *EVERYTHING_RANDOM)
        (paired,) = [result for result in together if result.loss == loss]
        assert_identical(state_of(tmp_path / "together", paired), state_of(tmp_path / "alone", alone))


def test_optimizers_and_schedules_share_a_cohort_without_touching_each_other(tmp_path):
    optimizers = "optimizer=adam,adamw,adadelta,adagrad,rmsprop,sgd"
    together, screen = trained(tmp_path / "together", optimizers, "clip=1.0", test=False)
    assert [len(names) for names in screen.cohorts] == [6]
    (alone,), _ = trained(tmp_path / "alone", "optimizer=adagrad", "clip=1.0", test=False)
    (paired,) = [result for result in together if result.optimizer == "adagrad"]
    assert_identical(state_of(tmp_path / "together", paired), state_of(tmp_path / "alone", alone))


def test_every_loss_starts_from_the_same_label_outputs_on_the_same_split(tmp_path):
    from mllc.build import build_replica, share

    configs = config.expand([*TINY, LOSSES], None, preset=None)
    shared = share(configs[0])
    replicas = [build_replica(conf, "", shared) for conf in configs]
    first = replicas[0].model.state_dict()
    for replica in replicas:
        state = replica.model.state_dict()
        assert all(torch.equal(state[key], first[key]) for key in first), "extra outputs add keys, they change none"
    again = share(configs[1])
    assert again.fingerprints == shared.fingerprints
    assert torch.equal(next(again.feed.epoch(0)).features, next(shared.feed.epoch(0)).features)
    other = share(config.compose([*TINY, "seed=1"]))
    assert other.fingerprints["split"] != shared.fingerprints["split"]
    assert other.fingerprints["data"] == shared.fingerprints["data"]


def test_stopped_after_any_epoch_it_continues_to_the_same_end(tmp_path, monkeypatch):
    overrides = ("epochs=3", "optimizer=adam", "loss=softmax_count,zlpr", *EVERYTHING_RANDOM)
    whole, _ = trained(tmp_path / "whole", *overrides)

    class Stops(Notes):
        def epoch(self, name, epoch, metrics):
            super().epoch(name, epoch, metrics)
            raise KeyboardInterrupt

    configs = config.expand([*TINY, *overrides, f"out={tmp_path / 'parts'}"], None, preset=None)
    for _ in range(6):  # one replica's epoch a time: the two are out of step on the way
        with pytest.raises(KeyboardInterrupt):
            run.train(configs, score_test=True, screen=Stops())
    screen = Notes()
    parts = run.train(configs, score_test=True, screen=screen)
    assert screen.epochs == []
    for one, other in zip(whole, parts, strict=True):
        assert_identical(state_of(tmp_path / "whole", one), state_of(tmp_path / "parts", other))


def test_finished_runs_are_skipped_and_force_runs_them_again(tmp_path):
    first, _ = trained(tmp_path, "loss=bce,zlpr")
    second, screen = trained(tmp_path, "loss=bce,zlpr,focal")
    assert screen.cohorts == [["focal"]]
    assert sum("skipped" in note for note in screen.notes) == 2
    assert second[:2] == first
    _, screen = trained(tmp_path, "loss=bce", force=True)
    assert screen.cohorts == [["bce"]]


def test_a_damaged_checkpoint_starts_over(tmp_path, monkeypatch):
    (whole,), _ = trained(tmp_path / "whole")
    (again,), _ = trained(tmp_path / "again")
    folder = folder_of(tmp_path / "again", again)
    (folder / "result.json").unlink()
    (folder / "resume.safetensors").write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00{damaged")
    (again,), screen = trained(tmp_path / "again")
    assert len(screen.epochs) == 2
    (note,) = [note for note in screen.notes if "resume.safetensors" in note]
    assert re.match(r"bce: .*/resume.safetensors is damaged \(.+\): starting over", note)
    assert_identical(state_of(tmp_path / "whole", whole), state_of(tmp_path / "again", again))


def test_a_sweep_scores_only_the_selected_settings_on_test(tmp_path):
    configs = config.expand([*TINY, "loss=bce,zlpr", "optimizer.lr=0.0001,0.01", "seed=0,1", f"out={tmp_path}"], None)
    results = sweep.sweep(configs, by="loss", screen=Notes())
    assert len(results) == 8
    for loss in ("bce", "zlpr"):
        mine = [result for result in results if result.loss == loss]
        means = {
            lr: sum(r.monitor_value for r in mine if r.settings["optimizer.lr"] == lr) / 2 for lr in (0.0001, 0.01)
        }
        for result in mine:
            selected = result.settings["optimizer.lr"] == max(means, key=means.get)
            assert (result.test is not None) == selected
            assert (folder_of(tmp_path, result) / "scores.safetensors").exists() == selected
            stored = RunResult.from_json((folder_of(tmp_path, result) / "result.json").read_text())
            assert stored == result


def test_a_sweep_with_one_setting_a_row_scores_each_run_as_it_ends(tmp_path, monkeypatch):
    configs = config.expand([*TINY, "loss=bce,zlpr", "seed=0,1", f"out={tmp_path}"], None)
    monkeypatch.setattr("mllc.sweep.score_selected", None)
    results = sweep.sweep(configs, by="loss", screen=Notes())
    assert [result.test is not None for result in results] == [True] * 4


def test_scoring_later_gives_the_figures_of_scoring_at_once(tmp_path):
    (at_once,), _ = trained(tmp_path / "at_once", *EVERYTHING_RANDOM)
    (later,), _ = trained(tmp_path / "later", *EVERYTHING_RANDOM, test=False)
    assert later.test is None
    (later,), screen = trained(tmp_path / "later", *EVERYTHING_RANDOM)
    assert screen.epochs == []
    assert later.test == at_once.test
    assert later.baselines == at_once.baselines


def test_what_a_run_folder_holds(tmp_path):
    from sklearn.metrics import average_precision_score, f1_score

    (result,), _ = trained(tmp_path)
    folder = folder_of(tmp_path, result)
    assert sorted(p.name for p in folder.iterdir()) == [
        ".lock",
        "checkpoint.safetensors",
        "config.yaml",
        "environment.json",
        "history.csv",
        "model.json",
        "per_label.csv",
        "result.json",
        "scores.safetensors",
        "split.csv",
    ]
    found = {key: value.numpy() for key, value in load_file(folder / "scores.safetensors").items()}
    labels = found["targets"].any(0)
    oracle = average_precision_score(found["targets"][:, labels], found["scores"][:, labels], average="macro")
    assert result.test["map"] == pytest.approx(oracle, abs=1e-9)
    own = f1_score(found["targets"], found["decisions"], average="micro", zero_division=0)
    assert result.test["micro_f1"] == pytest.approx(own, abs=1e-9)
    tuned = f1_score(found["targets"], found["scores"] > result.threshold, average="micro", zero_division=0)
    assert result.test["micro_f1_tuned"] == pytest.approx(tuned, abs=1e-9)
    with (folder / "per_label.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 90
    scored = [float(row["ap"]) for row in rows if row["ap"]]
    assert sum(scored) / len(scored) == pytest.approx(result.test["map"], abs=1e-9)
    assert yaml.safe_load((folder / "config.yaml").read_text())["loss"]["name"] == "bce"
    environment = json.loads((folder / "environment.json").read_text())
    assert environment["packages"]["torch"] == torch.__version__
    assert set(result.baselines) == {"val", "test"}
    assert result.baselines["test"]["all_zeros"]["micro_f1"] == 0.0


def test_a_trial_that_diverges_is_a_result_and_leaves_the_others_alone(tmp_path):
    overrides = ("optimizer=sgd", "loss=weighted_bce", "optimizer.momentum=0", "optimizer.lr=1e30,0.01")
    (diverged, kept), screen = trained(tmp_path / "both", *overrides)
    assert (diverged.status, diverged.test, diverged.monitor_value) == ("diverged", None, None)
    assert any("diverged" in note for note in screen.notes)
    assert kept.status == "done"
    (alone,), _ = trained(tmp_path / "alone", *overrides[:-1], "optimizer.lr=0.01")
    assert_identical(state_of(tmp_path / "both", kept), state_of(tmp_path / "alone", alone))
    _, screen = trained(tmp_path / "both", *overrides)
    assert screen.cohorts == [], "a diverged run is done"


def test_a_trial_that_answers_nothing_is_called_silent(tmp_path):
    overrides = ("loss=bce", "loss.reduction=mean", "optimizer=sgd", "epochs=6", "batch_size=16")
    (result,), screen = trained(tmp_path, *overrides)
    assert result.collapse["verdict"] == "silent"
    assert result.val["labels_per_sample"] < 0.01 * result.val["true_labels_per_sample"]
    assert any("silent" in note for note in screen.notes)


def test_a_collapse_is_told_once_and_taken_back():
    shared = SimpleNamespace(true_labels_per_sample=2.0)
    (conf,) = config.expand(["dataset=digits", "seed=3"], None, preset=None)
    history, screen = [], Notes()
    for epoch, labels in enumerate((0, 0, 0, 2, 0, 2, 2, 2, 0, 90, 90), 1):
        history.append({"val_labels_per_sample": float(labels)})
        replica = SimpleNamespace(name="bce", failure="", diverged=False, history=history, epoch=epoch)
        run._warn(replica, SimpleNamespace(config=conf), shared, screen)
    assert screen.notes == [
        "digits, seed 3: bce is silent: by its own rule it predicts 0 labels a sample where 2 are true",
        "digits, seed 3: bce is no longer silent since epoch 6",
        "digits, seed 3: bce is flood: by its own rule it predicts 90 labels a sample where 2 are true",
    ]


def test_the_second_process_stops(tmp_path):
    (result,), _ = trained(tmp_path)
    folder = folder_of(tmp_path, result)
    (folder / "result.json").unlink()
    with RunFolder(folder).locked(), pytest.raises(StoreError, match="is in use by process"):
        trained(tmp_path)


def test_the_best_epoch_is_the_first_best_one_in_the_direction_of_its_monitor():
    history = [{"val_map": 0.2, "val_loss": 3.0}, {"val_map": 0.4, "val_loss": 1.0}, {"val_map": 0.4, "val_loss": 2.0}]
    assert best_epoch(history, "val_map") == 2
    assert best_epoch(history, "val_loss") == 2
    assert best_epoch([{}, {"val_map": None}], "val_map") is None
    assert best_epoch([{}, {"val_map": 0.0}], "val_map") == 2


def test_a_cohort_too_large_for_the_gpu_is_halved_and_goes_on_from_its_checkpoints(tmp_path, monkeypatch):
    whole, _ = trained(tmp_path / "whole", "loss=bce,zlpr,focal")
    real = run.train_loop

    def small_gpu(replicas, *args, **options):
        for number, event in enumerate(real(replicas, *args, **options)):
            if len(replicas) > 1 and number == 6:
                raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 GiB")
            yield event

    monkeypatch.setattr(run, "train_loop", small_gpu)
    halved, screen = trained(tmp_path / "halved", "loss=bce,zlpr,focal")
    assert [len(names) for names in screen.cohorts] == [3, 2, 1, 1, 1][: len(screen.cohorts)]
    assert any("out of GPU memory with 3 trials at once: going on with 2" in note for note in screen.notes)
    for one, other in zip(whole, halved, strict=True):
        assert_identical(state_of(tmp_path / "whole", one), state_of(tmp_path / "halved", other))


def test_a_gpu_too_full_to_measure_one_trial_goes_on_one_by_one(tmp_path, monkeypatch):
    real, calls = run.build_replica, []

    def full_at_first(conf, title, shared):
        calls.append(title)
        if len(calls) == 1:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return real(conf, title, shared)

    monkeypatch.setattr(run, "build_replica", full_at_first)
    results, screen = trained(tmp_path, "loss=bce,zlpr")
    assert [result.status for result in results] == ["done", "done"]
    assert screen.cohorts == [["bce"], ["zlpr"]]


def test_a_gpu_too_full_for_the_frozen_front_fails_its_trials_and_spares_the_others(tmp_path, monkeypatch):
    wanted = ("loss=bce,zlpr", "seed=0,1", "backbone=mlp", "epochs=1")
    real = preflight.share

    def full(conf, allow):
        if conf["seed"] == 0 and conf["device"] != "cpu":
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 GiB")
        return real(conf, allow)

    with monkeypatch.context() as patch:
        patch.setattr(preflight, "share", full)
        results, screen = trained(tmp_path, *wanted)
    assert [result.status for result in results if result.seed == 0] == ["failed"] * 2
    assert [result.status for result in results if result.seed == 1] == ["done"] * 2
    assert "no memory left for the frozen backbone (CUDA out of memory" in results[0].message
    assert sum("failed: the GPU has no memory left" in note for note in screen.notes) == 2
    again, _ = trained(tmp_path, *wanted)
    assert [result.status for result in again] == ["done"] * 4


@pytest.mark.parametrize("place", ["share", "finish"])
def test_a_gpu_too_full_to_score_a_trained_run_leaves_it_trained(tmp_path, monkeypatch, place):
    trained(tmp_path, test=False)
    module = preflight if place == "share" else run
    real = getattr(module, place)

    def full(*args, **options):
        if place == "finish" or args[0]["device"] != "cpu":
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return real(*args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(module, place, full)
        (result,), _ = trained(tmp_path)
    assert result.status == "failed"
    (result,), screen = trained(tmp_path)
    assert (result.status, screen.epochs) == ("done", [])
    assert result.test is not None


def test_every_data_set_of_a_sweep_is_read_before_the_first_training(tmp_path):
    arff_file(tmp_path / "good.arff", unknown=False)
    (tmp_path / "bad.arff").write_text(ARFF + "1,2,0,1,x\n")
    files = f"dataset.train={tmp_path / 'good.arff'},{tmp_path / 'bad.arff'}"
    screen = Notes()
    with pytest.raises(DataError, match=r"bad\.arff, line 8: 'x' is not one of the declared values"):
        sweep.sweep(
            config.expand(["dataset=arff", files, "dataset.num_labels=-3", f"out={tmp_path / 'runs'}"], None),
            by="loss",
            screen=screen,
        )
    assert (screen.cohorts, screen.notes) == ([], [])
    assert not (tmp_path / "runs").exists()


def test_every_objective_of_a_sweep_is_built_before_the_first_training(tmp_path):
    screen = Notes()
    configs = configs_of(tmp_path / "runs", "dataset.grid=3,2", "loss.rule=top_k", "loss.k=50", "backbone=mlp")
    with pytest.raises(ConfigError, match=r"loss\.k=50: there are only 40 labels"):
        sweep.sweep(configs, by="loss", screen=screen)
    assert screen.cohorts == []


def test_one_trial_too_large_for_the_gpu_fails_and_is_tried_again_next_time(tmp_path, monkeypatch):
    def no_gpu(*_, **__):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 GiB")
        yield

    with monkeypatch.context() as patch:
        patch.setattr(run, "train_loop", no_gpu)
        (result,), _ = trained(tmp_path)
    assert result.status == "failed"
    assert "smaller batch_size" in result.message
    (result,), _ = trained(tmp_path)
    assert result.status == "done"


class TestFailures:
    """One trial raises: it is recorded as failed, the others are as if it had not been there."""

    OVERRIDES = ("loss=bce,zlpr", "optimizer=adam")

    @pytest.mark.parametrize("place", ["mllc.engine.sequential.train_step", "mllc.train.end_of_epoch"])
    def test_the_others_go_on(self, tmp_path, monkeypatch, place):
        real = pkgutil.resolve_name(place)

        def breaks(replica, *args):
            if replica.name == "bce" and replica.epoch == 1:
                raise TypeError("a loss with a mistake")
            return real(replica, *args)

        with monkeypatch.context() as patch:
            patch.setattr(place, breaks)
            (broken, kept), screen = trained(tmp_path / "both", *self.OVERRIDES)
        assert broken.status == "failed"
        assert "TypeError: a loss with a mistake" in broken.message
        assert any("bce failed" in note for note in screen.notes)
        (alone,), _ = trained(tmp_path / "alone", "loss=zlpr", "optimizer=adam")
        assert_identical(state_of(tmp_path / "both", kept), state_of(tmp_path / "alone", alone))

        (repaired, _), screen = trained(tmp_path / "both", *self.OVERRIDES)
        assert screen.epochs == [("bce", 2)], "it goes on from its last good epoch"
        (whole,), _ = trained(tmp_path / "whole", "loss=bce", "optimizer=adam")
        assert_identical(state_of(tmp_path / "whole", whole), state_of(tmp_path / "both", repaired))

    def test_the_users_own_error_ends_the_command(self, tmp_path, monkeypatch):
        def refuses(*_):
            raise DataError("a row that cannot be")

        monkeypatch.setattr("mllc.engine.sequential.train_step", refuses)
        with pytest.raises(DataError, match="a row that cannot be"):
            trained(tmp_path)


def test_force_holds_for_every_trial_of_a_cohort_that_is_halved(tmp_path, monkeypatch):
    losses = "loss=bce,zlpr,focal"
    trained(tmp_path, losses)
    real, calls = run.build_replica, []

    def small_gpu(conf, title, shared):
        calls.append(title)
        if len(calls) == 3:  # the first call only measures
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return real(conf, title, shared)

    monkeypatch.setattr(run, "build_replica", small_gpu)
    _, screen = trained(tmp_path, losses, force=True)
    assert {name for name, _ in screen.epochs} == {"bce", "zlpr", "focal"}


def test_a_loss_is_told_the_epoch(tmp_path):
    histories = []
    for name, overrides in {"bce": (), "large_loss": ("loss.rate=100",)}.items():
        (result,), _ = trained(tmp_path / name, f"loss={name}", *overrides, test=False)
        _, history, _ = state_of(tmp_path / name, result)
        histories.append([float(row["train_loss"]) for row in history])
    plain, without_negatives = histories
    assert without_negatives[0] == plain[0]
    assert without_negatives[1] < plain[1]


def test_clipping_bounds_each_replicas_own_step(tmp_path):
    from mllc.build import build_replica, share
    from mllc.engine.sequential import train_step

    overrides = [*TINY, "optimizer=sgd", "optimizer.momentum=0", "optimizer.lr=1.0", "loss=weighted_bce,bce"]
    configs = config.expand([*overrides, "clip=0.5"], None, preset=None)
    shared = share(configs[0])
    batch = next(shared.feed.epoch(0))
    for conf in configs:
        replica = build_replica(conf, "", shared)
        before = [p.detach().clone() for p in replica.model.parameters()]
        train_step(replica, batch, shared.feed, 0, 0.0)
        moved = torch.stack([(a - b).norm() for a, b in zip(before, replica.model.parameters(), strict=True)]).norm()
        assert moved.item() == pytest.approx(0.5, rel=1e-3)


def test_the_schedule_sets_the_learning_rate_of_each_step(tmp_path):
    from mllc.schedules import one_cycle

    (result,), _ = trained(tmp_path, "schedule=one_cycle", "optimizer.lr=0.01", "epochs=4")
    _, history, _ = state_of(tmp_path, result)
    steps = 4  # 204 samples, batches of 64
    for epoch, row in enumerate(history):
        last = (epoch + (steps - 0.5) / steps) / 4
        assert float(row["lr"]) == pytest.approx(0.01 * one_cycle(last))


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["adam", "adamw", "adadelta", "adagrad", "rmsprop", "sgd"])
def test_a_convolutional_network_continues_to_the_same_end(tmp_path, optimizer):
    overrides = (
        "backbone=resnet18",
        "dataset.grid=4",
        f"optimizer={optimizer}",
        "dataset.samples=150",
        "dataset.test_samples=20",
    )
    (whole,), _ = trained(tmp_path / "whole", *overrides)

    class Stops(Notes):
        def epoch(self, name, epoch, metrics):
            raise KeyboardInterrupt

    configs = configs_of(tmp_path / "parts", *overrides)
    with pytest.raises(KeyboardInterrupt):
        run.train(configs, score_test=True, screen=Stops())
    (parts,) = run.train(configs, score_test=True, screen=Notes())
    assert_identical(state_of(tmp_path / "whole", whole), state_of(tmp_path / "parts", parts))


ARFF = """@relation r
@attribute a numeric
@attribute b numeric
@attribute x {0,1}
@attribute y {0,1}
@attribute z {0,1}
@data
"""


def arff_file(path, unknown):
    draw = torch.Generator().manual_seed(0)
    rows = []
    for features in torch.randn(80, 2, generator=draw).tolist():
        labels = [int(features[0] > 0), int(features[1] > 0), int(sum(features) > 0)]
        known = [str(label) for label in labels]
        if unknown and len(rows) % 5 == 0:
            known[len(rows) % 3] = "?"
        rows.append(",".join([*(f"{x:.4f}" for x in features), *known]))
    path.write_text(ARFF + "\n".join(rows) + "\n")


def features_of(tmp_path, unknown):
    arff_file(tmp_path / "train.arff", unknown)
    arff_file(tmp_path / "test.arff", unknown)
    files = [f"dataset.{split}={tmp_path / split}.arff" for split in ("train", "test")]
    return ["dataset=arff", *files, "dataset.num_labels=-3", "epochs=3", "batch_size=8", f"out={tmp_path / 'runs'}"]


def test_unknown_targets_are_left_out_of_every_figure(tmp_path):
    from sklearn.metrics import f1_score

    (result,) = run.train([config.compose(features_of(tmp_path, unknown=True))], score_test=True, screen=Notes())
    found = load_file(folder_of(tmp_path / "runs", result) / "scores.safetensors")
    known = found["mask"].bool().numpy()
    assert (~known).sum() == 16
    targets, decisions = found["targets"].numpy()[known], found["decisions"].numpy()[known]
    assert result.test["micro_f1"] == pytest.approx(f1_score(targets, decisions), abs=1e-9)


def test_a_loss_that_cannot_leave_out_unknown_targets_is_refused_before_training(tmp_path):
    configs = config.expand([*features_of(tmp_path, unknown=True), "loss=bce,zlpr"], None, preset=None)
    screen = Notes()
    with pytest.raises(ConfigError, match=r"loss 'zlpr' .* use a loss of shape `element`"):
        run.train(configs, score_test=True, screen=screen)
    assert screen.epochs == []


def test_without_a_test_file_a_share_of_the_training_file_becomes_one(tmp_path):
    overrides = [o for o in features_of(tmp_path, unknown=False) if not o.startswith("dataset.test")]
    (result,) = run.train([config.compose(overrides)], score_test=True, screen=Notes())
    assert result.data["samples"] == {"train": 54, "val": 10, "test": 16}


def test_the_id_follows_the_users_own_code(tmp_path, monkeypatch):
    code, yaml_file = tmp_path / "own_loss.py", tmp_path / "conf/loss/own.yaml"
    yaml_file.parent.mkdir(parents=True)
    yaml_file.write_text(
        "_target_: own_loss.own\nreduction: sum\nrule: above\nthreshold: 0.5\nk: null\n"
        "traits: {formula: f, source: s, shape: element}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    ids = set()
    for factor in (1, 1, 2):
        code.write_text(f"def own(logits, targets):\n    return {factor} * (logits - targets) ** 2\n")
        monkeypatch.delitem(sys.modules, "own_loss", raising=False)
        importlib.invalidate_caches()
        conf = config.compose([*TINY, "loss=own", f"out={tmp_path / 'runs'}"], tmp_path / "conf")
        (result,) = run.train([conf], score_test=False, screen=Notes(), allow=("own_loss",))
        ids.add(result.run_id)
    assert len(ids) == 2


@pytest.mark.parametrize(
    ("hidden", "message"),
    [
        ("10000000000", r"does not fit into memory: .* lower backbone\.hidden, or the size of the samples"),
        ("10000000000000000", r"does not fit into memory: Storage size calculation overflowed"),
        ("100000000000000000000", r"does not fit into memory: .*Overflow"),
    ],
)
def test_a_backbone_too_large_for_memory_is_refused(hidden, message):
    with pytest.raises(ModelError, match=message):
        list(preflight.check([config.compose([*SHEET, "backbone=mlp", f"backbone.hidden=[{hidden}]"])]))


def test_label_outputs_too_large_for_memory_are_refused(monkeypatch):
    monkeypatch.setattr("mllc.device.available_bytes", lambda _: 300_000)
    wanted = config.compose([*SHEET, "dataset.samples=50", "dataset.test_samples=20", "backbone=mlp"])
    with pytest.raises(ConfigError, match=r"512 features x 90 labels among them: .* lower backbone\.hidden"):
        list(preflight.check([wanted]))


@pytest.mark.parametrize(
    ("expected", "words"), [("null", "diverges in its first epoch"), ("diverges", "as expected of this loss")]
)
def test_check_says_that_a_first_loss_is_not_finite(tmp_path, monkeypatch, expected, words):
    (tmp_path / "conf/loss").mkdir(parents=True)
    (tmp_path / "conf/loss/log0.yaml").write_text(
        "_target_: log0.log0\nreduction: sum\nrule: above\nthreshold: 0.5\nk: null\n"
        f"traits: {{formula: f, source: s, shape: element, expected: {expected}}}\n"
    )
    (tmp_path / "log0.py").write_text("def log0(logits, targets):\n    return (logits * 0).log()\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "log0", raising=False)
    conf = config.compose([*TINY, "loss=log0"], tmp_path / "conf")
    _, line = preflight.check([conf], allow=("log0",))
    assert "loss of the first batch -inf: not finite, so this trial diverges" in line
    assert words in line


@pytest.mark.parametrize(
    ("train", "val", "message"),
    [
        ("0", "1", "none of the 40 train samples has a true label: there is nothing to learn"),
        ("?", "1", "all labels of the 40 train samples are unknown: there is nothing to learn"),
        ("1", "0", r"none of the 10 val samples has a true label: monitor=val_map has nothing .* monitor=val_loss"),
        ("1", "?", r"all labels of the 10 val samples are unknown"),
    ],
)
def test_splits_without_a_true_label_are_refused_before_training(tmp_path, train, val, message):
    head = "@relation r\n@attribute x numeric\n@attribute y {0,1}\n@data\n"
    overrides = ["dataset=arff", "dataset.num_labels=-1", f"out={tmp_path / 'runs'}"]
    for split, label, samples in (("train", train, 40), ("val", val, 10), ("test", "1", 10)):
        (tmp_path / f"{split}.arff").write_text(head + "".join(f"{x},{label}\n" for x in range(samples)))
        overrides.append(f"dataset.{split}={tmp_path / split}.arff")
    screen = Notes()
    with pytest.raises(DataError, match=message):
        run.train([config.compose(overrides)], score_test=True, screen=screen)
    assert screen.epochs == []
    assert not (tmp_path / "runs").exists()
    if val == "0":
        (result,) = run.train([config.compose([*overrides, "monitor=val_loss"])], score_test=True, screen=screen)
        assert result.status == "done"


@pytest.mark.parametrize(
    ("overrides", "warned"),
    [
        (["backbone=resnet18", "backbone.freeze=2"], True),
        (["backbone=mlp", "backbone.freeze=all"], True),
        (["backbone=resnet18"], False),
        (["backbone=resnet18", "backbone.freeze=9"], False),
        (["backbone=resnet18", "backbone.freeze=2", "backbone.weights={file}"], False),
    ],
)
def test_freezing_random_weights_is_said(tmp_path, overrides, warned):
    torch.save(models.resnet18().state_dict(), tmp_path / "w.pth")
    conf = config.compose([*SHEET, "dataset.grid=4", *(text.format(file=tmp_path / "w.pth") for text in overrides)])
    notes = [note for note in share(conf).data.notes if "keep their random initial weights" in note]
    assert len(notes) == warned


def test_a_note_of_the_data_is_shown_once_and_kept_in_the_result(tmp_path):
    (first, _), screen = trained(tmp_path, "backbone=mlp", "backbone.freeze=all", "seed=0,1", "epochs=1")
    shown = [note for note in screen.notes if "keep their random initial weights" in note]
    assert len(shown) == 1
    assert shown[0] in first.data["notes"]


def test_a_share_that_is_not_used_does_not_count(tmp_path):
    given = [*features_of(tmp_path, unknown=False), "split.val=0.85"]
    assert share(config.compose(given)).data.split("val").targets.shape[0] > 60


def test_check_builds_everything_and_writes_nothing(tmp_path):
    configs = config.expand([*TINY, "loss=bce,softmax_count", f"out={tmp_path / 'runs'}"], None, preset=None)
    lines = list(preflight.check(configs))
    assert len(lines) == 3
    assert "loss of the first batch" in lines[1]
    assert not (tmp_path / "runs").exists()
