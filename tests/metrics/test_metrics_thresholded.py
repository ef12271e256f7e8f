"""Figures of decisions against scikit-learn (zero_division=0) and, under a mask, naive loops."""

import numpy as np
import pytest
import torch
from sklearn import metrics as sk

from mllc.metrics import kernels
from mllc.metrics.thresholded import count, decision_figures


def case(samples, labels, density, seed):
    g = torch.Generator().manual_seed(seed)
    targets = (torch.rand(samples, labels, generator=g) < density).to(torch.uint8)
    decisions = (torch.rand(samples, labels, generator=g) < density) | (
        targets.bool() & (torch.rand(samples, labels, generator=g) < 0.5)
    )
    targets[0], decisions[0] = 0, False  # an empty sample, rightly left empty
    targets[:, 1], decisions[:, 1] = 0, True  # a label without positives that is predicted
    targets[:, 2], decisions[:, 2] = 0, False
    return decisions, targets


@pytest.mark.parametrize(
    ("samples", "labels", "density"), [(60, 8, 0.3), (200, 50, 0.03), (30, 4, 0.9), (5, 3, 0.0), (1, 3, 0.5)]
)
def test_figures_equal_scikit_learn(samples, labels, density):
    decisions, targets = case(samples, labels, density, seed=samples)
    t, d = targets.numpy(), decisions.numpy().astype(int)
    found = decision_figures(decisions, targets)
    scored = np.flatnonzero(t.any(0))
    for name, score in (("f1", sk.f1_score), ("precision", sk.precision_score), ("recall", sk.recall_score)):
        for average in ("micro", "samples"):
            key = f"{average.removesuffix('s')}_{name}"
            assert found[key] == pytest.approx(score(t, d, average=average, zero_division=0), abs=1e-12), key
        if len(scored):
            macro = score(t, d, average="macro", labels=scored, zero_division=0)
            assert found[f"macro_{name}"] == pytest.approx(macro, abs=1e-12)
        else:
            assert found[f"macro_{name}"] is None
    expected = {
        "macro_f1_all": sk.f1_score(t, d, average="macro", zero_division=0),
        "hamming_loss": sk.hamming_loss(t, d),
        "element_accuracy": sk.accuracy_score(t.ravel(), d.ravel()),
        "subset_accuracy": sk.accuracy_score(t, d),
        "labels_per_sample": d.sum(1).mean(),
        "true_labels_per_sample": t.sum(1).mean(),
        "never_predicted": (d.sum(0) == 0).mean(),
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-12)


def test_a_mask_leaves_unknown_entries_out():
    decisions, targets = case(40, 9, 0.3, seed=3)
    mask = torch.rand(40, 9, generator=torch.Generator().manual_seed(1)) < 0.6
    mask[5] = False
    found = decision_figures(decisions, targets, mask)

    d, t, known = decisions.numpy(), targets.numpy().astype(bool), mask.numpy()
    tp, fp, fn = d & t & known, d & ~t & known, ~d & t & known

    def f1(tp, fp, fn):
        return 2 * tp / (2 * tp + fp + fn) if tp + fp + fn else 0.0

    columns = [f1(tp[:, c].sum(), fp[:, c].sum(), fn[:, c].sum()) for c in range(9)]
    scored = [c for c in range(9) if (t & known)[:, c].any()]
    rows = [i for i in range(40) if known[i].any()]
    expected = {
        "micro_f1": f1(tp.sum(), fp.sum(), fn.sum()),
        "macro_f1": np.mean([columns[c] for c in scored]),
        "macro_f1_all": np.mean(columns),
        "sample_f1": np.mean([f1(tp[i].sum(), fp[i].sum(), fn[i].sum()) for i in rows]),
        "hamming_loss": (fp | fn).sum() / known.sum(),
        "subset_accuracy": np.mean([not (fp | fn)[i].any() for i in rows]),
        "labels_per_sample": (d & known).sum() / len(rows),
        "true_labels_per_sample": (t & known).sum() / len(rows),
        "never_predicted": np.mean([not (d & known)[:, c].any() for c in range(9)]),
    }
    assert len(rows) == 39
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-12)


def test_counts_of_labels_and_of_samples_agree():
    decisions, targets = case(40, 9, 0.3, seed=4)
    by_label, by_sample = count(decisions, targets)
    assert by_label.tp.shape == (9,)
    assert by_sample.tp.shape == (40,)
    for name in ("tp", "fp", "fn", "known", "predicted", "true", "wrong"):
        assert getattr(by_label.total(), name) == getattr(by_sample.total(), name)
    assert by_label.total().known == 360


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("name", "value"), [*(("CHUNK", size) for size in (1, 20, 100)), ("BY_NUMPY", "nowhere")])
def test_neither_the_size_of_the_chunks_nor_numpy_changes_anything(monkeypatch, name, value, masked):
    decisions, targets = case(40, 9, 0.3, seed=5)
    mask = torch.rand(40, 9, generator=torch.Generator().manual_seed(1)) < 0.6 if masked else None
    whole = decision_figures(decisions, targets, mask)
    monkeypatch.setattr(kernels, name, value)
    assert decision_figures(decisions, targets, mask) == whole


@pytest.mark.parametrize("shape", [(70_000, 1), (1, 70_000)])
def test_counts_beyond_16_bits(shape):
    everything = torch.ones(shape, dtype=torch.bool)
    for one, axis in zip(count(everything, everything), (0, 1), strict=True):
        assert one.tp.tolist() == [shape[axis]] * shape[1 - axis]


def test_a_worked_example():
    targets = torch.tensor([[1, 1, 0], [0, 0, 1]])
    decisions = torch.tensor([[True, False, True], [False, False, True]])
    found = decision_figures(decisions, targets)
    assert found["micro_f1"] == pytest.approx(2 * 2 / (2 * 2 + 1 + 1))
    assert found["macro_f1"] == pytest.approx((1 + 0 + 2 / 3) / 3)
    assert found["sample_f1"] == pytest.approx((1 / 2 + 1) / 2)
    assert found["hamming_loss"] == pytest.approx(2 / 6)
    assert found["subset_accuracy"] == 0.5
    assert found["never_predicted"] == pytest.approx(1 / 3)


def test_nothing_known_is_undefined_not_zero():
    found = decision_figures(torch.ones(2, 2).bool(), torch.ones(2, 2), torch.zeros(2, 2).bool())
    assert found["hamming_loss"] is None
    assert found["sample_f1"] is None
    assert found["macro_f1"] is None
