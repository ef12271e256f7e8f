"""Generated features: a sample holds its labels' directions, and labels come as often as asked."""

import math
from itertools import permutations

import numpy as np
import pytest
import torch

from mllc.config.compose import expand
from mllc.data.synthetic import synthetic
from mllc.errors import ConfigError
from mllc.run import train
from mllc.screen import Screen

DEFAULTS = {
    "samples": 400,
    "test_samples": 100,
    "labels": 30,
    "mean_true": 2.0,
    "zipf": 1.0,
    "features": 16,
    "noise": 1.0,
    "seed": 0,
}


def make(**settings):
    return synthetic(**(DEFAULTS | settings))


def rows_of(split):
    return split.inputs[torch.arange(len(split))].double().numpy(), split.targets.double().numpy()


def test_shapes_and_names():
    data = make()
    assert (data.kind, data.input_shape, data.val) == ("features", (16,), None)
    assert data.label_names[:2] == ("label1", "label2")
    assert data.train.inputs[torch.arange(400)].dtype == torch.float32
    assert data.train.targets.shape == (400, 30)
    assert data.train.targets.dtype == torch.uint8
    assert data.test is not None
    assert (len(data.test), data.test.ids[7]) == (100, "test:7")


def test_a_sample_is_the_sum_of_its_labels_directions():
    data = make(noise=0.0, zipf=0.0)
    inputs, targets = rows_of(data.train)
    prototypes = np.linalg.lstsq(targets, inputs * math.sqrt(2), rcond=None)[0]
    assert np.square(prototypes).mean(axis=1) == pytest.approx(1, abs=1e-5)
    cosines = prototypes @ prototypes.T / 16
    assert cosines[~np.eye(30, dtype=bool)].std() == pytest.approx(1 / 4, rel=0.2)
    inputs, targets = rows_of(data.test)
    assert inputs == pytest.approx(targets @ prototypes / math.sqrt(2), abs=1e-5)
    assert (inputs[targets.sum(1) == 0] == 0).all()


def test_noise_and_scale():
    inputs, targets = rows_of(make(samples=5000, noise=3.0, mean_true=1.0).train)
    empty = inputs[targets.sum(1) == 0] * math.sqrt(1 + 9)
    assert len(empty) / 5000 == pytest.approx(math.exp(-1), abs=0.03)
    assert empty.std() == pytest.approx(3, rel=0.02)
    assert inputs.var() == pytest.approx(1, rel=0.05)


@pytest.mark.parametrize("mean", [0.5, 3.0])
def test_the_number_of_true_labels_is_poisson(mean):
    counts = make(samples=20_000, mean_true=mean).train.targets.sum(1).double()
    assert counts.mean().item() == pytest.approx(mean, abs=5 * math.sqrt(mean / 20_000))
    assert counts.var().item() == pytest.approx(mean, rel=0.06)


def test_the_number_of_true_labels_is_cut_at_the_labels():
    counts = make(labels=2, mean_true=2.0, samples=5000).train.targets.sum(1)
    assert counts.max() == 2
    assert (counts == 2).double().mean().item() == pytest.approx(1 - 3 * math.exp(-2), abs=0.03)
    assert make(labels=1, mean_true=1.0).train.targets.shape == (400, 1)


@pytest.mark.parametrize("zipf", [0.0, 1.0, 2.5])
def test_labels_are_drawn_one_after_another_by_their_odds(zipf):
    targets = make(samples=40_000, labels=4, zipf=zipf, mean_true=1.5).train.targets
    odds = [rank**-zipf for rank in range(1, 5)]
    for drawn in (1, 2, 3):
        rows = targets[targets.sum(1) == drawn]
        expected = np.zeros(4)
        for order in permutations(range(4), drawn):  # of every way to draw so many labels, its probability
            chance, left = 1.0, sum(odds)
            for label in order:
                chance, left = chance * odds[label] / left, left - odds[label]
            expected[list(order)] += chance
        assert rows.double().mean(0).numpy() == pytest.approx(expected, abs=4.5 * 0.5 / math.sqrt(len(rows)))


def test_one_seed_one_data_set():
    data = make()
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    assert make().fingerprint == data.fingerprint
    torch.set_num_threads(threads)
    for other in ({"seed": 1}, {"noise": 2.0}, {"zipf": 0.5}, {"mean_true": 2.1}):
        assert make(**other).fingerprint != data.fingerprint


def test_more_than_the_memory_holds():
    with pytest.raises(ConfigError, match=r"16 features and 30 labels: 444 TB of memory needed, .* lower dataset\.lab"):
        make(samples=10**12 - 100)


@pytest.mark.parametrize(
    ("setting", "value", "allowed"),
    [
        *(("samples", 0, "1 or more"), ("test_samples", -1, "1 or more"), ("labels", 0, "1 or more")),
        *(("mean_true", 0.0, "above 0"), ("mean_true", 31.0, r"above 0, at most the number of labels \(30\),")),
        *(("zipf", -0.1, "from 0 to 10"), ("features", 0, "1 or more"), ("noise", -1.0, "from 0 to 1000")),
        *(("mean_true", math.nan, "above 0"), ("noise", math.inf, "from 0 to 1000")),
    ],
)
def test_settings_out_of_range(setting, value, allowed):
    with pytest.raises(ConfigError, match=rf"dataset\.{setting}={value}: {allowed}.* is needed"):
        make(**{setting: value})


@pytest.mark.parametrize("override", ["labels=0", "labels=2.5", "mean_true=0", "zipf=11", "noise=-1", "features=x"])
def test_settings_out_of_range_are_refused_before_torch_is_imported(override):
    with pytest.raises(ConfigError, match=rf"dataset\.{override} is not allowed: type a"):
        expand(["dataset=synthetic", f"dataset.{override}"], preset=None)


@pytest.mark.slow
def test_the_default_set_shows_the_problem(tmp_path):
    configs = expand(["dataset=synthetic", "loss=bce,weighted_bce,zlpr", f"out={tmp_path}"])
    with Screen(total_trials=3, plain=True) as screen:
        bce, *others = train(configs, score_test=True, screen=screen)
    assert bce.test["labels_per_sample"] < 1.2, "of 2 true ones: bce predicts too few"
    assert bce.test["map"] < 0.2
    for result in others:
        assert result.test["map"] > 0.5
        assert result.test["micro_f1_tuned"] > bce.test["micro_f1_tuned"] + 0.1
