"""The numbers of a diagnosis against scikit-learn and plain loops, and the verdict on each kind of model."""

import json
import math
from dataclasses import asdict

import numpy as np
import pytest
import torch
from made_scores import LABELS, SAMPLES, made, truth
from sklearn import metrics as sk

from mllc.data.scored import Scored
from mllc.diagnose import diagnose
from mllc.errors import DataError
from mllc.report.findings import findings

SCORED = [label for label in range(LABELS) if label != 3]
"""The labels that have positives."""


def f1s(targets, decisions):
    return {
        "micro_f1": sk.f1_score(targets, decisions, average="micro"),
        "macro_f1": sk.f1_score(targets, decisions, average="macro", labels=SCORED, zero_division=0),
        "sample_f1": sk.f1_score(targets, decisions, average="samples", zero_division=0),
        "hamming_loss": sk.hamming_loss(targets, decisions),
        "labels_per_sample": decisions.sum(1).mean(),
        "never_predicted": (decisions.sum(0) == 0).mean(),
    }


def halves(samples, seed):
    order = torch.randperm(samples, generator=torch.Generator().manual_seed(seed)).numpy()
    return order[: samples // 2], order[samples // 2 :]


def best_cut(scores, targets):
    """The threshold of largest F1 of flat arrays, by scikit-learn's curve: midway to the next lower score."""
    precision, recall, cuts = sk.precision_recall_curve(targets, scores)
    with np.errstate(invalid="ignore"):
        f1 = np.nan_to_num(2 * precision * recall / (precision + recall))[:-1]
    best = cuts[np.flatnonzero(f1 >= f1.max() - 1e-12).max()]
    lower = scores[scores < best]
    return (best + lower.max()) / 2 if len(lower) else best - 1


def shrunk(scores, targets, globally, m=10):
    positives = targets.sum(0)
    own = [best_cut(scores[:, c], targets[:, c]) if n else 0.0 for c, n in enumerate(positives)]
    return np.where(positives, (positives * own + m * globally) / (positives + m), globally)


@pytest.mark.parametrize("unit", ["logits", "probabilities"])
def test_every_figure_equals_scikit_learn_s(unit):
    scored, seed = made("timid"), 5
    z, targets = scored.scores, scored.targets
    if unit == "probabilities":
        scored = Scored.of(1 / (1 + np.exp(-z)), targets, unit=unit)
    found = diagnose(scored, seed=seed)
    ap = sk.average_precision_score(targets[:, SCORED], z[:, SCORED], average=None)
    expected = {
        "map": ap.mean(),
        "map_all": ap.sum() / LABELS,
        "labels_scored": LABELS - 1,
        "labels_skipped": 1,
        "lrap": sk.label_ranking_average_precision_score(targets, z),
        "p_at_1": targets[np.arange(SAMPLES), z.argmax(1)].mean(),
        "score_spread": math.sqrt(z.var(0).mean()),
        **f1s(targets, z > 0),
    }
    tuned, per_label = np.zeros(z.shape, bool), np.zeros(z.shape, bool)
    for mine, other in (halves(SAMPLES, seed), halves(SAMPLES, seed)[::-1]):
        cut = best_cut(z[other].ravel(), targets[other].ravel())
        tuned[mine] = z[mine] > cut
        per_label[mine] = z[mine] > shrunk(z[other], targets[other], cut)
    top = np.zeros(z.shape, bool)
    np.put_along_axis(top, (-z).argsort(1)[:, :3], True, axis=1)
    for way, decisions in (("_tuned", tuned), ("_per_label", per_label), ("_top_k", top)):
        expected |= {name + way: value for name, value in f1s(targets, decisions).items()}
    assert {name: found.metrics[name] for name in expected} == pytest.approx(expected, abs=1e-9)
    assert found.k == 3

    cut = best_cut(z.ravel(), targets.ravel())
    each = shrunk(z, targets, cut)
    if unit == "probabilities":
        cut, each = 1 / (1 + np.exp(-cut)), 1 / (1 + np.exp(-each))
    assert found.thresholds["own"] == (0.5 if unit == "probabilities" else 0.0)
    assert found.thresholds["tuned"] == pytest.approx(cut, abs=1e-9)
    assert found.thresholds["per_label"] == pytest.approx(each.tolist(), abs=1e-9)


def test_baselines_equal_scikit_learn_s():
    targets = truth()
    targets[:, 7] = np.arange(SAMPLES) < 300  # more often true than not: the prior predicts it
    found = diagnose(made("timid", targets=targets)).baselines
    share = targets.mean(0)
    constants = {"all_zeros": np.zeros(LABELS), "all_ones": np.ones(LABELS), "label_prior": share > 0.5}
    for name, decision in constants.items():
        decisions = np.broadcast_to(decision.astype(bool), targets.shape)
        figures = {key: found[name][key] for key in f1s(targets, decisions)}
        assert figures == pytest.approx(f1s(targets, decisions), abs=1e-9)
        prior = np.broadcast_to(share, targets.shape)[:, SCORED]
        assert found[name]["map"] == pytest.approx(
            sk.average_precision_score(targets[:, SCORED], prior, average="macro")
        )
    order = share.argsort()[::-1]
    best = 0.0
    for m in range(1, LABELS + 1):
        same = np.zeros(targets.shape, bool)
        same[:, order[:m]] = True
        best = max(best, sk.f1_score(targets, same, average="micro"))
    assert found["label_prior"]["micro_f1_tuned"] == pytest.approx(best, abs=1e-9)


def test_per_label_figures():
    scored = made("timid")
    rows = diagnose(scored).labels
    assert [row["index"] for row in rows] == list(range(LABELS))
    assert [row["positives"] for row in rows] == scored.targets.sum(0).tolist()
    assert [row["predicted"] for row in rows] == (scored.scores > 0).sum(0).tolist()
    assert (rows[3]["ap"], rows[3]["ranks"]) == (None, None)
    assert rows[4]["ap"] == pytest.approx(sk.average_precision_score(scored.targets[:, 4], scored.scores[:, 4]))


def test_unknown_targets_count_nowhere():
    scored = made("timid")
    known = np.random.default_rng(3).random(scored.targets.shape) < 0.7
    known[:20] = False  # samples of which nothing is known
    targets = np.where(known, scored.targets.astype(float), np.nan)
    found = diagnose(Scored.of(scored.scores, targets, unit="logits"))
    t, z = scored.targets, scored.scores
    ap = [sk.average_precision_score(t[known[:, c], c], z[known[:, c], c]) for c in SCORED]
    assert found.metrics["map"] == pytest.approx(np.mean(ap), abs=1e-9)
    assert found.metrics["micro_f1"] == pytest.approx(sk.f1_score(t[known], z[known] > 0), abs=1e-9)
    assert found.metrics["labels_per_sample"] == pytest.approx((known & (z > 0))[20:].sum(1).mean())
    assert found.baselines["all_ones"]["micro_precision"] == pytest.approx(t[known].mean())
    share = [t[known[:, c], c].mean() for c in SCORED]
    assert found.baselines["label_prior"]["map"] == pytest.approx(np.mean(share))
    assert found.unknown == (~known).sum()


@pytest.mark.parametrize(
    ("kind", "collapsed", "ranks"),
    [
        ("healthy", None, True),
        ("timid", None, True),
        ("silent but ranks", "silent", True),
        ("silent", "silent", False),
        ("silent and constant", "silent", False),
        ("constant", "constant", False),
        ("constant but ranks", "constant", True),
        ("chance", None, False),
        ("inverted", None, False),
        ("moved columns", None, False),
        ("free level", None, False),
    ],
)
def test_the_verdict_on_each_kind(kind, collapsed, ranks):
    found = diagnose(made(kind))
    assert (found.collapsed, found.ranks) == (collapsed, ranks)
    assert found.inverted == (kind == "inverted")
    assert (len(found.columns) > 20) == (kind == "moved columns")
    assert found.look is None


@pytest.mark.parametrize(("kind", "ranks"), [("flood but ranks", True), ("flood", False)])
def test_flood_needs_sparse_labels(kind, ranks):
    targets = (np.random.default_rng(0).random((SAMPLES, LABELS)) < 0.05).astype(np.uint8)
    found = diagnose(made(kind, targets=targets))
    assert (found.collapsed, found.ranks) == ("flood", ranks)


def test_a_tuned_gain_is_honest():
    """On noise, thresholds chosen and measured on the same samples seem to help; held out they do not."""
    draw = np.random.default_rng(0)
    targets = (draw.random((60, 40)) < 0.1).astype(np.uint8)
    scores = draw.normal(size=targets.shape)
    found = diagnose(Scored.of(scores, targets, unit="logits")).metrics
    flattering = np.mean(
        [sk.f1_score(t, s > best_cut(s, t)) for s, t in zip(scores.T, targets.T, strict=True) if t.any()]
    )
    everything = sk.f1_score(targets, np.ones_like(targets), average="micro")
    assert flattering > 1.3 * everything
    assert found["micro_f1_tuned"] < 1.1 * everything
    assert found["macro_f1_per_label"] < 1.1 * everything


def test_the_seed_chooses_the_halves():
    scored = made("timid")
    assert diagnose(scored, seed=1) == diagnose(scored, seed=1)
    assert diagnose(scored, seed=1).metrics["micro_f1_tuned"] != diagnose(scored, seed=2).metrics["micro_f1_tuned"]


def test_probabilities_of_0_and_1_keep_their_order():
    targets = np.array([[1, 0], [1, 0], [0, 1], [0, 0]])
    scores = np.array([[1.0, 0.0], [0.9, 1e-30], [0.5, 1e-20], [0.0, 0.0]])
    found = diagnose(Scored.of(scores, targets, unit="probabilities"))
    assert found.metrics["map"] == 1.0
    assert 1e-30 < found.thresholds["per_label"][1] < 1
    assert all(0 <= value <= 1 for value in found.thresholds["per_label"])


def test_probabilities_that_are_nothing_but_0_and_1():
    found = diagnose(Scored.of([[0.0, 1.0], [1.0, 0.0], [0.0, 0.0]], [[0, 1], [1, 0], [0, 1]], unit="probabilities"))
    assert found.look == "decisions"
    assert 0 < found.thresholds["tuned"] < 1


@pytest.mark.parametrize(
    ("unit", "threshold"), [("probabilities", 1.5), ("probabilities", -0.1), ("logits", math.inf), ("logits", math.nan)]
)
def test_a_threshold_that_cannot_be_is_refused(unit, threshold):
    scored = Scored.of([[0.1, 0.4], [0.3, 0.9]], [[0, 1], [1, 0]], unit=unit)
    with pytest.raises(DataError, match=f"is none for {unit}; that of a sigmoid is 0"):
        diagnose(scored, threshold=threshold)


def test_a_threshold_is_taken_in_the_precision_of_the_scores():
    """As numpy and torch compare a float32 array with a number: float32(.1) > .1 is not true."""
    scores = np.array([[0.1, 0.3], [0.2, 0.1]], dtype=np.float32)
    found = diagnose(Scored.of(scores, [[0, 1], [1, 0]], unit="probabilities"), threshold=0.1)
    assert [row["predicted"] for row in found.labels] == [1, 1]


def test_a_label_that_is_true_in_one_half_only():
    targets = np.zeros((40, 3), np.uint8)
    targets[0] = 1
    scores = np.random.default_rng(0).normal(size=(40, 3))
    found = diagnose(Scored.of(scores, targets, unit="logits"))
    assert found.metrics["micro_f1_tuned"] == 0.0  # the half without positives has learned to predict none


def test_arrays_as_they_come():
    """Read-only, reversed, of another byte order, half precision: numpy has them all."""
    scored = made("timid")
    half = scored.scores.astype(np.float16)
    frozen, turned, swapped = half.copy(), half[::-1], half.astype(">f2")
    frozen.flags.writeable = False
    expected = diagnose(Scored.of(half, scored.targets, unit="logits"))
    assert diagnose(Scored.of(frozen, scored.targets, unit="logits")) == expected
    assert diagnose(Scored.of(swapped, scored.targets, unit="logits")) == expected
    assert diagnose(Scored.of(turned, scored.targets[::-1], unit="logits")).metrics["map"] == pytest.approx(
        expected.metrics["map"]
    )


def test_two_samples_are_enough():
    assert diagnose(Scored.of([[1.0, -1.0], [-1.0, 1.0]], [[1, 0], [0, 1]], unit="logits")).metrics["map"] == 1.0


def test_a_diagnosis_is_plain():
    found = diagnose(made("timid", notes=["a column was dropped"]))
    assert json.loads(json.dumps(asdict(found), allow_nan=False))["notes"] == ["a column was dropped"]
    assert all(isinstance(value, float) for value in found.metrics.values())


def with_decisions(decide):
    scored = made("timid")
    return Scored.of(scored.scores, scored.targets, unit="logits", decisions=decide(scored.scores))


def test_saved_decisions_that_a_threshold_makes_are_that_threshold():
    scored = with_decisions(lambda z: z > -1.5)
    found = diagnose(scored)
    assert ((scored.scores > found.thresholds["own"]) == scored.decisions).all()
    assert found.metrics["micro_f1"] == pytest.approx(
        sk.f1_score(scored.targets, scored.decisions, average="micro"), abs=1e-12
    )
    assert diagnose(scored, threshold=0.0).thresholds["own"] == 0, "what is typed goes first"


def test_saved_decisions_of_no_threshold_are_judged_as_they_are():
    scored = with_decisions(lambda z: z == z.max(1, keepdims=True))
    found = diagnose(scored)
    assert found.thresholds["own"] is None
    for name, value in f1s(scored.targets, scored.decisions).items():
        assert found.metrics[name] == pytest.approx(value, abs=1e-12), name
    assert "by the decisions saved beside the scores" in findings(found)["threshold"]
    assert "(as saved)" in findings(found)["collapse"]


@pytest.mark.parametrize("all_true", [True, False])
def test_saved_decisions_that_are_all_alike(all_true):
    scored = with_decisions(lambda z: np.full_like(z, all_true))
    found = diagnose(scored)
    assert found.collapsed == (None if all_true else "silent"), "more than 10 times as many there are not"
    assert found.metrics["labels_per_sample"] == LABELS * all_true
