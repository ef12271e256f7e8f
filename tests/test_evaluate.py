"""Every figure that a run reports, from predictions and thresholds, against scikit-learn."""

import importlib
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn import metrics as sk

from mllc.errors import DataError
from mllc.evaluate import THRICE, epoch_metrics, evaluate, evaluate_baselines, per_label
from mllc.metrics import kernels
from mllc.metrics.ranking import average_precision
from mllc.metrics.thresholds import tune_thresholds
from mllc.monitors import MONITORS
from mllc.types import LabelStatistics, Predictions

KEYS = {
    "map", "map_all", "map_micro", "map_chance", "labels_scored", "labels_skipped", "lrap", "p_at_1", "p_at_3",
    "p_at_5", "micro_f1", "macro_f1", "macro_f1_all", "sample_f1", "micro_precision", "macro_precision",
    "sample_precision", "micro_recall", "macro_recall", "sample_recall", "hamming_loss", "element_accuracy",
    "subset_accuracy", "labels_per_sample", "true_labels_per_sample", "never_predicted",
    *(f"{name}_{way}" for name in THRICE for way in ("tuned", "per_label")),
}  # fmt: skip


def predictions(samples=150, labels=30, density=0.05, seed=0, strength=2.0):
    g = torch.Generator().manual_seed(seed)
    targets = (torch.rand(samples, labels, generator=g) < density).to(torch.uint8)
    targets[:, 4] = 0
    scores = torch.randn(samples, labels, generator=g) + strength * targets - 1
    return Predictions(scores, scores > 0, targets)


@pytest.fixture
def val():
    return predictions(seed=1)


@pytest.fixture
def test():
    return predictions(seed=2)


@pytest.fixture
def thresholds(val):
    return tune_thresholds(val.scores, val.targets)


def test_every_name_is_there_and_every_figure_is_a_number(test, thresholds):
    found = evaluate(test, thresholds)
    assert found.keys() == KEYS
    assert all(isinstance(value, float) and math.isfinite(value) for value in found.values())
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_figures_equal_scikit_learn(test, thresholds):
    found = evaluate(test, thresholds)
    t, s = test.targets.numpy(), test.scores.numpy()
    scored = np.flatnonzero(t.any(0))
    expected = {
        "map": sk.average_precision_score(t[:, scored], s[:, scored], average="macro"),
        "map_all": sk.average_precision_score(t[:, scored], s[:, scored], average="macro") * len(scored) / t.shape[1],
        "map_micro": sk.average_precision_score(t, s, average="micro"),
        "lrap": sk.label_ranking_average_precision_score(t, s),
        "labels_scored": len(scored),
        "labels_skipped": t.shape[1] - len(scored),
    }
    for way, decisions in (
        ("", s > 0),
        ("_tuned", s > np.float32(thresholds.global_)),
        ("_per_label", s > thresholds.per_label.numpy()),
    ):
        expected |= {
            f"micro_f1{way}": sk.f1_score(t, decisions, average="micro"),
            f"macro_f1{way}": sk.f1_score(t, decisions, average="macro", labels=scored),
            f"sample_f1{way}": sk.f1_score(t, decisions, average="samples", zero_division=0),
            f"hamming_loss{way}": sk.hamming_loss(t, decisions),
            f"labels_per_sample{way}": decisions.sum(1).mean(),
        }
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-9)
    top = np.argsort(-s, axis=1)
    for k in (1, 3, 5):
        assert found[f"p_at_{k}"] == pytest.approx(np.take_along_axis(t, top[:, :k], 1).mean(), abs=1e-12)


def test_epoch_metrics_are_the_same_figures_by_the_same_names(val, thresholds):
    watched, whole = epoch_metrics(val), evaluate(val, thresholds)
    assert watched == pytest.approx({name: whole[name] for name in watched}, abs=1e-12)
    assert {f"val_{name}" for name in watched} | {"val_loss"} >= MONITORS.keys()


def test_a_split_without_positives_gives_none_not_nan(thresholds):
    empty = predictions()
    empty = replace(empty, targets=torch.zeros_like(empty.targets))
    found = evaluate(empty, thresholds)
    assert {name for name, value in found.items() if value is None} == {
        "map", "map_micro", "map_chance", "macro_f1", "macro_precision", "macro_recall", "macro_f1_tuned",
        "macro_f1_per_label",
    }  # fmt: skip
    assert found["map_all"] == 0
    assert found["labels_scored"] == 0


def test_a_mask_that_knows_everything_changes_nothing(test, thresholds):
    everything = torch.ones_like(test.decisions)
    assert evaluate(replace(test, mask=everything), thresholds) == pytest.approx(evaluate(test, thresholds), abs=1e-12)


def test_samples_without_known_labels_have_no_influence(test, thresholds):
    mask = torch.ones_like(test.decisions)
    mask[100:] = False
    first = Predictions(test.scores[:100], test.decisions[:100], test.targets[:100])
    assert evaluate(replace(test, mask=mask), thresholds) == pytest.approx(evaluate(first, thresholds), abs=1e-12)


@pytest.mark.parametrize("axis", [0, 1])
def test_the_order_of_samples_and_labels_has_no_influence(test, thresholds, axis):
    order = torch.randperm(test.targets.shape[axis], generator=torch.Generator().manual_seed(3))
    moved = Predictions(*(t.index_select(axis, order) for t in (test.scores, test.decisions, test.targets)))
    cuts = replace(thresholds, per_label=thresholds.per_label[order]) if axis else thresholds
    assert evaluate(moved, cuts) == pytest.approx(evaluate(test, thresholds), abs=1e-12)


def test_baselines(val, test):
    train = predictions(samples=400, seed=5)
    statistics = LabelStatistics(train.targets.sum(0).float(), 400, train.targets.sum(1).float().mean().item())
    found = evaluate_baselines(val, test, statistics)
    assert list(found) == ["val", "test"]
    density = test.targets.double().mean().item()
    zeros, ones, prior = (found["test"][name] for name in ("all_zeros", "all_ones", "label_prior"))
    for way in ("", "_tuned", "_per_label"):
        assert zeros[f"hamming_loss{way}"] == pytest.approx(density)
        assert zeros[f"labels_per_sample{way}"] == 0
        assert ones[f"hamming_loss{way}"] == pytest.approx(1 - density)
        assert ones[f"micro_f1{way}"] == pytest.approx(2 * density / (1 + density))
    assert zeros["element_accuracy"] == pytest.approx(1 - density)
    assert zeros["map"] == ones["map"] == prior["map"]
    assert zeros["map"] == pytest.approx(test.targets.double().mean(0).sum().item() / zeros["labels_scored"])
    assert prior["micro_f1"] == 0
    assert prior["micro_f1_tuned"] > 0
    assert prior["p_at_1"] != zeros["p_at_1"]
    assert found["val"]["label_prior"]["micro_f1_tuned"] >= found["val"]["all_ones"]["micro_f1"]


def test_baselines_without_a_test_split(val):
    statistics = LabelStatistics(val.targets.sum(0).float(), 150, 1.0)
    assert list(evaluate_baselines(val, None, statistics)) == ["val"]


def test_a_chance_order_reaches_map_chance():
    g = torch.Generator().manual_seed(123)
    truth = predictions(samples=60, labels=4000, density=0.05)
    noise = torch.randn(truth.scores.shape, generator=g)
    found = evaluate(Predictions(noise, noise > 0, truth.targets), tune_thresholds(noise, truth.targets))
    assert found["map"] == pytest.approx(found["map_chance"], rel=0.05)
    assert found["map_chance"] > 1.5 * truth.targets.double().mean().item()


def test_per_label_rows(test, thresholds):
    names = [f"label {c}" for c in range(30)]
    counts = {"train": torch.arange(30.0), "test": test.targets.sum(0)}
    rows = per_label(test, thresholds, names, counts)
    assert list(rows[0]) == [
        "index", "label", "train_positives", "test_positives", "ap", "f1", "precision", "recall", "f1_tuned",
        "f1_per_label", "threshold",
    ]  # fmt: skip
    assert [row["label"] for row in rows] == names
    assert [row["train_positives"] for row in rows] == list(range(30))
    assert {rows[4][name] for name in ("ap", "f1", "precision", "recall", "f1_tuned", "f1_per_label")} == {None}
    assert rows[4]["threshold"] == pytest.approx(thresholds.global_)
    assert rows[7]["ap"] == pytest.approx(average_precision(test.scores, test.targets)[7].item())
    figures = evaluate(test, thresholds)
    for column, name in (
        ("ap", "map"), ("f1", "macro_f1"), ("precision", "macro_precision"), ("recall", "macro_recall"),
        ("f1_tuned", "macro_f1_tuned"), ("f1_per_label", "macro_f1_per_label"),
    ):  # fmt: skip
        assert np.mean([row[column] for row in rows if row[column] is not None]) == pytest.approx(figures[name])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scores": torch.zeros(150, 29)}, r"scores have the shape \(150, 29\) and targets \(150, 30\)"),
        ({"decisions": torch.zeros(150, 1).bool()}, r"decisions have the shape \(150, 1\)"),
        ({"mask": torch.ones(150).bool()}, r"mask have the shape \(150,\)"),
        ({"decisions": torch.zeros(150, 30)}, "decisions are torch.float32; give torch.bool"),
        ({"scores": torch.full((150, 30), float("nan"))}, "4500 of 4500 scores are NaN or infinite"),
    ],
)
def test_unsound_predictions_are_refused(test, thresholds, change, message):
    for function in (lambda p: evaluate(p, thresholds), epoch_metrics, lambda p: per_label(p, thresholds, [], {})):
        with pytest.raises(DataError, match=message):
            function(replace(test, **change))


def test_an_empty_split_is_refused(thresholds):
    empty = Predictions(torch.zeros(0, 3), torch.zeros(0, 3).bool(), torch.zeros(0, 3, dtype=torch.uint8))
    with pytest.raises(DataError, match=r"nothing to evaluate: the targets have the shape \(0, 3\)"):
        evaluate(empty, thresholds)


@pytest.mark.parametrize("masked", [False, True])
def test_memory_stays_below_three_times_the_scores(monkeypatch, masked):
    """With the scores, targets, decisions and mask that are given; at full size see benchmarks/metrics.py."""
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "benchmarks")
    storages = importlib.import_module("losses").Storages
    monkeypatch.setattr(kernels, "CHUNK", 1 << 13)
    large = predictions(samples=3000, labels=300, density=0.002)
    given = replace(large, mask=torch.ones_like(large.decisions) if masked else None)
    size = sum(part.nbytes for part in (given.scores, given.targets, given.decisions, given.mask) if part is not None)
    for measure in (
        lambda: evaluate(given, tune_thresholds(given.scores, given.targets, given.mask)),
        lambda: epoch_metrics(given),
    ):
        with storages() as counted:
            measure()
        assert counted.peak > 0
        assert size + counted.peak < 3 * given.scores.nbytes


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_gpu_gives_the_same_figures(val, test, thresholds):
    on_gpu = Predictions(test.scores.cuda(), test.decisions.cuda(), test.targets.cuda())
    tuned = tune_thresholds(val.scores.cuda(), val.targets.cuda())
    assert evaluate(on_gpu, tuned) == pytest.approx(evaluate(test, thresholds), abs=1e-12)
