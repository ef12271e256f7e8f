"""Thresholds: exhaustive search is the oracle; shrinking must pay on held-out data."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from mllc.errors import ConfigError
from mllc.metrics import kernels
from mllc.metrics.thresholded import decision_figures
from mllc.metrics.thresholds import best_f1, decide, tune_thresholds


def f1(predicted, true):
    tp = (predicted & true).sum()
    return 2 * tp / (predicted.sum() + true.sum()) if (predicted.sum() + true.sum()) else 0.0


def naive(scores, true):
    """The best F1 of all distinct cuts, and the midpoint below the highest cut that reaches it."""
    distinct = np.unique(scores)[::-1].astype(float)
    values = [f1(scores >= cut, true) for cut in distinct]
    at = int(np.argmax(np.round(values, 12)))
    lower = distinct[at + 1] if at + 1 < len(distinct) else distinct[at] - 2
    return values[at], (distinct[at] + lower) / 2


@given(st.integers(0, 10**6), st.integers(1, 30), st.integers(1, 4), st.integers(1, 40), st.booleans())
@settings(max_examples=80, deadline=None)
def test_thresholds_are_the_best_of_all_cuts(seed, samples, labels, levels, masked):
    g = torch.Generator().manual_seed(seed)
    scores = torch.randint(levels, (samples, labels), generator=g).float() / 4
    targets = torch.rand(samples, labels, generator=g) < 0.3
    mask = torch.rand(samples, labels, generator=g) < 0.7 if masked else None
    known = torch.ones(samples, labels).bool() if mask is None else mask
    found = tune_thresholds(scores, targets.to(torch.uint8), mask, shrinkage=0)
    if (targets & known).any():
        best, threshold = naive(scores[known].numpy(), targets[known].numpy())
        assert found.global_ == threshold
        assert decision_figures(decide(scores, found.global_), targets, mask)["micro_f1"] == pytest.approx(best)
        assert best_f1(scores, targets, mask).item() == pytest.approx(best)
    else:
        assert not (decide(scores, found.global_) & known).any()
        assert best_f1(scores, targets, mask) == 0
    for c in range(labels):
        keep = known[:, c]
        if targets[keep, c].any():
            best, threshold = naive(scores[keep, c].numpy(), targets[keep, c].numpy())
            assert found.per_label_raw[c] == found.per_label[c] == threshold
            assert f1(decide(scores[keep, c], threshold), targets[keep, c]) == pytest.approx(best)
        else:
            assert found.per_label_raw[c].isnan()
            assert found.per_label[c] == found.global_


def test_the_best_threshold_reaches_its_f1_by_scikit_learn():
    g = torch.Generator().manual_seed(0)
    targets = (torch.rand(200, 40, generator=g) < 0.05).to(torch.uint8)
    scores = torch.randn(200, 40, generator=g) + 2 * targets
    found = tune_thresholds(scores, targets)
    reached = f1_score(targets.numpy(), decide(scores, found.global_).numpy(), average="micro")
    grid = [f1_score(targets.numpy(), (scores > t).numpy(), average="micro") for t in np.linspace(-3, 5, 81)]
    assert reached == pytest.approx(best_f1(scores, targets).item(), abs=1e-12)
    assert reached >= max(grid)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("name", "value"), [*(("CHUNK", size) for size in (1, 7, 64)), ("BY_NUMPY", "nowhere")])
def test_neither_the_size_of_the_chunks_nor_numpy_changes_anything(monkeypatch, name, value, masked):
    scores, targets = sparse_problem(3, 70, labels=9)
    targets |= torch.rand(70, 9, generator=torch.Generator().manual_seed(1)) < 0.02  # few enough for several chunks
    mask = torch.rand(70, 9, generator=torch.Generator().manual_seed(2)) < 0.7 if masked else None
    whole, f1 = tune_thresholds(scores, targets, mask), best_f1(scores, targets, mask)
    monkeypatch.setattr(kernels, name, value)
    parts = tune_thresholds(scores, targets, mask)
    assert parts.global_ == whole.global_
    assert best_f1(scores, targets, mask) == f1
    for name in ("per_label", "per_label_raw"):
        torch.testing.assert_close(getattr(parts, name), getattr(whole, name), rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_scores_of_any_precision(dtype):
    scores, targets = sparse_problem(4, 200, labels=20)
    scores = scores.to(dtype)
    found, expected = tune_thresholds(scores, targets), tune_thresholds(scores.double(), targets)
    assert found.global_ == pytest.approx(expected.global_)
    assert torch.equal(decide(scores, found.global_), decide(scores.double(), expected.global_))
    cuts = [one.per_label_raw.nan_to_num() for one in (found, expected)]
    assert torch.equal(decide(scores, cuts[0]), decide(scores.double(), cuts[1]))


def test_shrinking_weighs_by_positives():
    scores = torch.tensor([[3.0, 8.0, 1.0], [2.0, 6.0, 0.0], [0.0, 4.0, 0.5], [-1.0, 2.0, 0.25]])
    targets = torch.tensor([[1, 1, 0], [1, 1, 0], [0, 0, 0], [0, 0, 0]])
    found = tune_thresholds(scores, targets, shrinkage=10)
    assert found.per_label_raw[:2].tolist() == [1.0, 5.0]
    expected = [(2 * raw + 10 * found.global_) / 12 for raw in (1.0, 5.0)]
    assert found.per_label.tolist() == pytest.approx([*expected, found.global_])


@pytest.mark.parametrize("shrinkage", [-1.0, float("nan")])
def test_negative_shrinkage_is_refused(shrinkage):
    with pytest.raises(ConfigError, match="shrinkage is"):
        tune_thresholds(torch.zeros(2, 2), torch.ones(2, 2), shrinkage=shrinkage)


@pytest.mark.parametrize("magnitude", [1.0, 1e4, 3e38])
def test_neighbouring_floats_are_still_separated(magnitude):
    upper = torch.tensor(magnitude)
    lower = torch.nextafter(upper, torch.tensor(0.0))
    for low, high in ((lower, upper), (-upper, -lower), (-upper, upper)):
        scores, targets = torch.stack([low, high])[:, None], torch.tensor([[0], [1]])
        found = tune_thresholds(scores, targets)
        assert decide(scores, found.global_).tolist() == [[False], [True]]
        assert decide(scores, found.per_label).tolist() == [[False], [True]]


@pytest.mark.parametrize("value", [0.0, 1e4, -1e4, 1e30, -3e38])
def test_constant_scores_predict_everything(value):
    scores, targets = torch.full((4, 2), value), torch.tensor([[1, 0], [0, 0], [0, 1], [0, 0]])
    found = tune_thresholds(scores, targets)
    assert decide(scores, found.global_).all()
    assert decide(scores, found.per_label).all()


def test_no_known_positive_predicts_nothing():
    scores, targets = torch.tensor([[1.0, 5.0], [2.0, 9.0]]), torch.tensor([[0, 0], [0, 1]])
    mask = torch.tensor([[True, True], [True, False]])
    found = tune_thresholds(scores, targets, mask)
    assert found.global_ == 5.0
    assert found.per_label.tolist() == [5.0, 5.0]


def sparse_problem(seed, samples, labels=120):
    """Scores of a trained model on sparse data: rare labels, noisy scores, each label's offset slightly off."""
    g = torch.Generator().manual_seed(seed)
    prior = -5.5 + 0.8 * torch.randn(labels, generator=g)
    signal = 2.0 * torch.randn(samples, labels, generator=g)
    truth = prior + signal
    targets = (torch.rand(samples, labels, generator=g) < truth.sigmoid()).to(torch.uint8)
    scores = truth + 0.5 * torch.randn(labels, generator=g) + 0.5 * torch.randn(samples, labels, generator=g)
    return scores, targets


def test_shrinking_beats_per_label_thresholds_on_held_out_data():
    """The reason for shrinking: with some ten validation positives a label, its own best cut is mostly noise."""
    gains = {"micro_f1": [], "macro_f1": []}
    for seed in range(8):
        scores, targets = sparse_problem(seed, 2500)
        val, test = slice(0, 500), slice(500, None)
        found = tune_thresholds(scores[val], targets[val], shrinkage=10)
        shrunk = decision_figures(decide(scores[test], found.per_label), targets[test])
        raw = decision_figures(decide(scores[test], found.per_label_raw.nan_to_num(nan=found.global_)), targets[test])
        for name, values in gains.items():
            values.append(shrunk[name] - raw[name])
    for name, values in gains.items():
        assert min(values) > 0, (name, values)
        assert np.mean(values) > 0.01, (name, values)
