import numpy as np
import pytest
from run_folders import predictions
from sklearn.metrics import average_precision_score, f1_score, precision_recall_curve

from mllc.plots.score_curves import WIDEST, Ranking, scored_run
from mllc.plots.threshold_curves import own_cut


def known(found):
    keep = np.ones_like(found.targets) if found.mask is None else found.mask
    return found.scores[keep], found.targets[keep]


@pytest.mark.parametrize("mask", [False, True])
def test_f1_is_scikit_learns_at_every_cut_ties_included(mask):
    found = predictions(mask=mask)
    scores, targets = known(found)
    thresholds = np.r_[np.unique(scores), -9.0, 9.0, 0.05]
    expected = [f1_score(targets, scores > np.float32(cut), zero_division=0) for cut in thresholds]
    ranking = Ranking(found.scores, found.targets, found.mask)
    np.testing.assert_allclose(ranking.f1(thresholds), expected, rtol=1e-12)


@pytest.mark.parametrize("mask", [False, True])
def test_precision_and_recall_are_points_of_scikit_learns_curve_and_enclose_the_average_precision(mask):
    found = predictions(1, mask=mask)
    scores, targets = known(found)
    recall, precision = Ranking(found.scores, found.targets, found.mask).precision_recall()
    expected = {(round(r, 9), round(p, 9)) for p, r in zip(*precision_recall_curve(targets, scores)[:2], strict=True)}
    assert {(round(r, 9), round(p, 9)) for r, p in zip(recall, precision, strict=True)} <= expected
    assert np.all(np.diff(recall) > 0)
    assert recall[-1] == 1
    assert np.sum(np.diff(np.r_[0, recall]) * precision) == pytest.approx(average_precision_score(targets, scores))


def test_a_curve_of_f1_reaches_from_far_too_many_labels_to_far_too_few_and_to_the_tuned_threshold():
    draw = np.random.default_rng(0)
    true = np.arange(20_000) < 100
    ranking = Ranking(draw.normal(size=20_000) + true, true)
    thresholds, values = ranking.f1_curve(50)
    assert len(thresholds) == len(values) == 50
    ends = [np.sum(ranking.scores > end) for end in (thresholds[0], thresholds[-1])]
    assert ends[0] > WIDEST * 100
    assert ends[1] < 100 / WIDEST + 1
    assert max(values[0], values[-1]) < 0.1
    assert ranking.f1_curve(50, include=[-30.0])[0][0] < -30
    assert ranking.f1_curve(50, include=[30.0])[0][-1] > 30


@pytest.mark.parametrize(
    ("scores", "true"),
    [
        (np.zeros(5), np.array([1, 0, 0, 0, 0], bool)),
        (np.arange(4.0), np.zeros(4, bool)),
        (np.ones(1), np.ones(1, bool)),
    ],
    ids=["all tie", "nothing is true", "one item"],
)
def test_lists_without_a_shape(scores, true):
    ranking = Ranking(scores, true)
    thresholds, values = ranking.f1_curve(10)
    assert np.all(np.diff(thresholds) > 0)
    assert np.all(np.isfinite(values))
    assert len(ranking.precision_recall()[0]) == true.any()


def test_a_scored_run_has_the_figures_of_its_decisions():
    found = predictions(2, cut=0.35, mask=True)
    keep = found.mask
    run = scored_run(found, tuned=-0.4, own_cut=0.35, labels=(0, 7), points=20)
    true, decided = found.targets[keep], found.decisions[keep]
    assert run.own == (0.35, pytest.approx(f1_score(true, decided)))
    assert run.tuned == (-0.4, pytest.approx(f1_score(true, found.scores[keep] > np.float32(-0.4))))
    assert run.own_point == (pytest.approx(decided[true].mean()), pytest.approx(true[decided].mean()))
    assert run.chance == pytest.approx(true.mean())
    assert len(run.f1[0]) == 20
    assert len(run.precision_recall[0]) <= 20
    recall, precision = run.labels[7]
    column = keep[:, 7]
    area = average_precision_score(found.targets[column, 7], found.scores[column, 7])
    assert np.sum(np.diff(np.r_[0, recall]) * precision) == pytest.approx(area)


def test_a_cut_that_the_decisions_deny_is_not_believed():
    found = predictions(3, cut=0.35)
    assert scored_run(found, tuned=None, own_cut=1.0).own[0] is None
    top = found._replace(decisions=found.scores >= found.scores.max(1, keepdims=True))
    run = scored_run(top, tuned=None, own_cut=0.0)
    assert run.own == (None, pytest.approx(f1_score(found.targets.ravel(), top.decisions.ravel())))
    silent = found._replace(decisions=np.zeros_like(found.decisions))
    assert scored_run(silent, tuned=None, own_cut=50.0).own == (50.0, 0.0)
    assert scored_run(silent, tuned=None, own_cut=50.0).own_point == (0.0, 0.0)


def test_a_label_without_positives_has_no_curve():
    found = predictions()
    found.targets[:, 1] = False
    assert scored_run(found, tuned=0.0, own_cut=None, labels=(0, 1)).labels.keys() == {0}


def test_where_the_rules_cut():
    assert own_cut({"loss.rule": "above", "loss.threshold": 0.8}, None) == pytest.approx(np.log(4))
    assert own_cut({"loss.rule": "softmax_above"}, 2.0) == pytest.approx(np.log(0.25 / 0.75))
    assert own_cut({"loss.rule": "product_above"}, 2.0) == pytest.approx(np.log(0.5))
    assert own_cut({"loss.rule": "softmax_above"}, None) is None
    assert own_cut({"loss.rule": "softmax_above"}, 0.3) is None
    assert own_cut({"loss.rule": "top_count"}, 2.0) is None
    assert own_cut({}, 2.0) is None
