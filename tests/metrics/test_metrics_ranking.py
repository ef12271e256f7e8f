"""Ranking figures against scikit-learn, with ties, masks, empty and full rows."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, label_ranking_average_precision_score

from mllc.metrics import kernels, ranking


def case(samples, labels, density, levels, seed, masked=False):
    """Scores with ties (`levels` distinct values; None: practically none), some labels and samples empty or full."""
    g = torch.Generator().manual_seed(seed)
    targets = (torch.rand(samples, labels, generator=g) < density).to(torch.uint8)
    targets[0], targets[1 % samples] = 0, 1
    targets[:, 0] = 0
    scores = torch.randn(samples, labels, generator=g) + targets
    if levels is not None:
        scores = (scores * levels / 4).round()
    mask = torch.rand(samples, labels, generator=g) < 0.7 if masked else None
    if mask is not None:
        mask[samples // 2] = False
    return scores, targets, mask


CASES = [
    pytest.param({"samples": 40, "labels": 7, "density": 0.3, "levels": None, "seed": 0}, id="dense"),
    pytest.param({"samples": 40, "labels": 7, "density": 0.3, "levels": 3, "seed": 1}, id="ties"),
    pytest.param({"samples": 300, "labels": 90, "density": 0.01, "levels": None, "seed": 2}, id="sparse"),
    pytest.param({"samples": 300, "labels": 90, "density": 0.01, "levels": 6, "seed": 3}, id="sparse ties"),
    pytest.param({"samples": 30, "labels": 5, "density": 0.5, "levels": 0, "seed": 4}, id="all equal"),
    pytest.param({"samples": 1, "labels": 1, "density": 1.0, "levels": None, "seed": 5}, id="single"),
    pytest.param({"samples": 3, "labels": 4, "density": 0.0, "levels": None, "seed": 6}, id="hardly any"),
]
MASKED = pytest.mark.parametrize("masked", [False, True], ids=["known", "masked"])


def known_columns(scores, targets, mask):
    for c in range(scores.shape[1]):
        keep = slice(None) if mask is None else mask[:, c]
        yield targets[keep, c].numpy(), scores[keep, c].numpy()


@MASKED
@pytest.mark.parametrize("made", CASES)
def test_average_precision_equals_scikit_learn(made, masked):
    scores, targets, mask = case(**made, masked=masked)
    values = ranking.average_precision(scores, targets, mask)
    assert values.dtype == torch.float64
    for value, (t, s) in zip(values.tolist(), known_columns(scores, targets, mask), strict=True):
        if t.any():
            assert value == pytest.approx(average_precision_score(t, s), abs=1e-12)
        else:
            assert math.isnan(value)


@MASKED
@pytest.mark.parametrize("made", CASES)
def test_micro_average_precision_equals_scikit_learn(made, masked):
    scores, targets, mask = case(**made, masked=masked)
    keep = torch.ones_like(targets).bool() if mask is None else mask
    value = ranking.micro_average_precision(scores, targets, mask).item()
    if targets[keep].any():
        assert value == pytest.approx(average_precision_score(targets[keep], scores[keep]), abs=1e-12)
    else:
        assert math.isnan(value)


@MASKED
@pytest.mark.parametrize("made", CASES[:5])
def test_label_ranking_average_precision_equals_scikit_learn(made, masked):
    scores, targets, mask = case(**made, masked=masked)
    value = ranking.of_samples(scores, targets, mask)["lrap"].item()
    if mask is None:
        expected = label_ranking_average_precision_score(targets.numpy(), scores.numpy())
    else:  # one row at a time, over its known labels
        rows = [
            label_ranking_average_precision_score(t[None, k].numpy(), s[None, k].numpy()) if len(set(t[k].tolist())) > 1
            else 1.0
            for s, t, k in zip(scores, targets, mask, strict=True) if k.any()
        ]  # fmt: skip
        expected = np.mean(rows)
    assert value == pytest.approx(expected, abs=1e-12)


@given(st.integers(0, 10**6), st.integers(1, 6), st.integers(1, 5), st.integers(1, 7))
@settings(max_examples=50, deadline=None)
def test_precision_at_is_the_mean_over_all_ways_to_break_ties(seed, labels, k, levels):
    g = torch.Generator().manual_seed(seed)
    scores = torch.randint(levels, (3, labels), generator=g).float()
    targets = torch.randint(2, (3, labels), generator=g)
    mask = torch.randint(4, (3, labels), generator=g) > 0
    mask[0] = True
    expected = []
    for s, t, known in zip(scores.tolist(), targets.tolist(), mask.tolist(), strict=True):
        if any(known):
            orders = itertools.permutations([j for j in range(labels) if known[j]])
            tops = [sorted(order, key=lambda j, s=s: -s[j])[:k] for order in orders]
            expected.append(np.mean([sum(t[j] for j in top) / k for top in tops]))
    assert ranking.of_samples(scores, targets, mask, at=[k])[f"p_at_{k}"].item() == pytest.approx(
        np.mean(expected), abs=1e-12
    )


@pytest.mark.parametrize(("positives", "known"), [(1, 1), (1, 5), (2, 5), (3, 6), (6, 6)])
def test_chance_is_the_mean_over_all_orders(positives, known):
    values = [
        average_precision_score([j in chosen for j in range(known)], -np.arange(known))
        for chosen in itertools.combinations(range(known), positives)
    ]
    targets = torch.tensor([[1]] * positives + [[0]] * (known - positives) + [[1]])
    mask = torch.tensor([[True]] * known + [[False]])
    assert ranking.chance_average_precision(targets, mask).item() == pytest.approx(np.mean(values), abs=1e-12)


def test_chance_of_a_label_without_positives_or_known_samples_is_undefined():
    assert ranking.chance_average_precision(torch.zeros(3, 1)).isnan().all()
    assert ranking.chance_average_precision(torch.ones(3, 1), torch.zeros(3, 1).bool()).isnan().all()


@pytest.mark.parametrize(("name", "value"), [*(("CHUNK", size) for size in (1, 7, 64)), ("BY_NUMPY", "nowhere")])
def test_neither_the_size_of_the_chunks_nor_numpy_changes_anything(monkeypatch, name, value):
    scores, targets, mask = case(50, 9, 0.2, 8, 11, masked=True)

    def figures():
        return [
            ranking.average_precision(scores, targets, mask),
            ranking.micro_average_precision(scores, targets, mask),
            *ranking.of_samples(scores, targets, mask).values(),
        ]

    whole = figures()
    monkeypatch.setattr(kernels, name, value)
    for a, b in zip(figures(), whole, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0, equal_nan=True)


def test_infinite_scores_are_the_lowest_and_the_highest():
    scores, targets, _ = case(60, 8, 0.3, 4, 12)
    scores[scores >= 1], scores[scores <= -1] = math.inf, -math.inf
    finite = scores.clamp(-9, 9)
    for function in (ranking.average_precision, ranking.micro_average_precision, ranking.of_samples):
        torch.testing.assert_close(function(scores, targets), function(finite, targets), equal_nan=True)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("masked", [False, True])
def test_scores_of_any_precision(dtype, masked):
    scores, targets, mask = case(60, 8, 0.3, None, 13, masked)
    scores = scores.to(dtype)
    for function in (ranking.average_precision, ranking.micro_average_precision, ranking.of_samples):
        torch.testing.assert_close(
            function(scores, targets, mask), function(scores.double(), targets, mask), rtol=0, atol=0, equal_nan=True
        )


def test_scores_that_only_float64_tells_apart():
    scores, targets = torch.tensor([[1.0], [1.0 - 1e-12]], dtype=torch.float64), torch.tensor([[0], [1]])
    assert ranking.average_precision(scores, targets).item() == 0.5
    assert ranking.average_precision(scores, 1 - targets).item() == 1


@given(
    st.integers(0, 10**6), st.integers(1, 40), st.integers(1, 6), st.integers(1, 5), st.sampled_from([1, 5, 1 << 21])
)
@settings(max_examples=60, deadline=None)
def test_heavy_ties_equal_scikit_learn(seed, samples, labels, levels, chunk):
    g = torch.Generator().manual_seed(seed)
    scores = torch.randint(levels, (samples, labels), generator=g) * 1e30
    targets = (torch.rand(samples, labels, generator=g) < torch.rand(1, generator=g)).to(torch.uint8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernels, "CHUNK", chunk)
        values = ranking.average_precision(scores, targets).tolist()
        micro, samples_too = ranking.micro_average_precision(scores, targets), ranking.of_samples(scores, targets)
    for value, (t, s) in zip(values, known_columns(scores, targets, None), strict=True):
        assert math.isnan(value) if not t.any() else value == pytest.approx(average_precision_score(t, s), abs=1e-12)
    if targets.any():
        expected = average_precision_score(targets.numpy().ravel(), scores.numpy().ravel())
        assert micro.item() == pytest.approx(expected, abs=1e-12)
    if labels > 1:
        lrap = label_ranking_average_precision_score(targets.numpy(), scores.numpy())
        assert samples_too["lrap"].item() == pytest.approx(lrap, abs=1e-12)


def test_extreme_scores_are_ordinary_scores():
    scores = torch.tensor([[1e4], [-1e4], [1e4 - 1e-3], [0.0], [3.0e38]])
    targets = torch.tensor([[1], [0], [0], [1], [0]])
    expected = average_precision_score(targets[:, 0], scores[:, 0].double().numpy())
    assert ranking.average_precision(scores, targets).item() == pytest.approx(expected, abs=1e-12)


def test_unknown_entries_have_no_influence():
    scores, targets, mask = case(30, 6, 0.3, None, 7, masked=True)
    other_scores = torch.where(mask, scores, torch.full_like(scores, 99))
    other_targets = torch.where(mask, targets, 1 - targets)
    functions = [ranking.average_precision, ranking.micro_average_precision, ranking.of_samples]
    for function in functions:
        torch.testing.assert_close(
            function(scores, targets, mask), function(other_scores, other_targets, mask), equal_nan=True
        )


def test_the_arguments_stay_as_they_were():
    scores, targets, mask = case(20, 5, 0.3, 4, 8, masked=True)
    before = [t.clone() for t in (scores, targets, mask)]
    ranking.average_precision(scores, targets, mask)
    ranking.micro_average_precision(scores, targets, mask)
    ranking.of_samples(scores, targets, mask)
    assert all(torch.equal(a, b) for a, b in zip(before, (scores, targets, mask), strict=True))
