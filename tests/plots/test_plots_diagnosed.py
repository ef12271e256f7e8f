"""The pictures of a diagnosis: what is drawn and said is what naive computations and scikit-learn find."""

import re

import numpy as np
import pytest
from made_scores import made, truth
from sklearn.metrics import average_precision_score, f1_score, precision_score, recall_score
from test_plots_drawing import drawn, vertical, xy

from mllc.data.scored import Scored
from mllc.diagnose import diagnose
from mllc.plots import score_histogram, style
from mllc.plots.diagnosed import MAKERS, figures
from mllc.plots.score_curves import Ranking

HOSTILE = ("$x_1$\n<b>", "a&b\"'", "名前", "x" * 300)


def sigmoid(scores):
    return 1 / (1 + np.exp(-scores))


def pictures(scored, **options):
    found = diagnose(scored, **options)
    shown, missing = figures(scored, found, "s.npy against t.npy")
    assert shown.keys() | missing.keys() == MAKERS.keys()
    return found, shown, missing


def odds(probability):
    return np.log(probability / (1 - probability))


# The histogram of scores


def test_bars_count_what_scores_above_the_left_edge_up_to_the_right_one():
    draw = np.random.default_rng(0)
    scores, true = draw.integers(-5, 6, 500) / 2, draw.random(500) < 0.3
    edges = np.array([-2.0, -1.0, 0.5, 1.5])
    found = Ranking(scores, true).counts(edges)
    for counts, kind in zip(found, (scores[true], scores[~true]), strict=True):
        naive = [sum(kind <= -1), sum((kind > -1) & (kind <= 0.5)), sum(kind > 0.5)]
        assert counts.tolist() == naive, "the outermost bars hold what lies beyond"


@pytest.mark.parametrize("cuts", [[0.0, -2.0], [30.0, 1.0], [-1e4, 0.0]])
def test_the_bars_reach_over_scores_and_cuts_and_one_ends_at_the_own_cut(cuts):
    draw = np.random.default_rng(0)
    scores = draw.normal(size=100_000)
    edges = score_histogram.edges(Ranking(scores, draw.random(100_000) < 0.01), cuts)
    assert score_histogram.BARS <= len(edges) <= score_histogram.BARS + 3
    assert np.diff(edges) == pytest.approx(edges[1] - edges[0])
    assert cuts[0] in edges
    assert edges[0] <= min(cuts)
    assert edges[-1] >= max(cuts)
    assert ((scores < edges[0]) | (scores > edges[-1])).mean() <= 2 * score_histogram.TAIL


def test_equal_scores_have_a_bar():
    edges = score_histogram.edges(Ranking(np.zeros(9), np.arange(9) < 2), [0.0])
    true, false = Ranking(np.zeros(9), np.arange(9) < 2).counts(edges)
    assert (true.max(), false.max()) == (2, 7)
    assert edges[0] < 0 < edges[-1]


@pytest.mark.parametrize("unit", ["logits", "probabilities"])
def test_the_scores_of_true_and_false_labels(unit):
    scored = made("timid")
    if unit == "probabilities":
        scored = Scored.of(sigmoid(scored.scores), scored.targets, unit=unit)
    found, shown, _ = pictures(scored)
    picture = shown["scores"]
    (axes,) = drawn(picture.figure).axes
    own, tuned = found.thresholds["own"], found.thresholds["tuned"]
    places = (own, tuned) if unit == "logits" else (odds(own), odds(tuned))
    assert sorted(vertical(axes)) == pytest.approx(sorted(places))
    true = scored.targets == 1
    for bars, kind in zip(axes.patches, (~true, true), strict=True):
        shares, edges, _ = bars.get_data()
        assert shares.sum() == pytest.approx(100)
        assert shares[edges[:-1] >= places[0] - 1e-9].sum() == pytest.approx(100 * (scored.scores[kind] > own).mean())
    assert axes.patches[1].get_hatch(), "told apart without colour"
    for cut in (own, tuned):
        above = [100 * (scored.scores[kind] > cut).mean() for kind in (true, ~true)]
        assert f"{above[0]:.3g} % of the true and {above[1]:.3g} % of the false ones are above" in picture.caption
    if unit == "probabilities":
        assert "probability" in axes.get_xlabel()
        assert "0.5" in [label.get_text() for label in axes.get_xticklabels()]


# The others


def test_f1_against_the_threshold():
    scored = made("silent but ranks")
    found, shown, _ = pictures(scored)
    (axes,) = drawn(shown["f1_against_threshold"].figure).axes
    curve = next(one for one in axes.lines if len(one.get_xdata()) > 50)
    true = scored.targets.ravel()
    for threshold, value in list(zip(*curve.get_data(), strict=True))[::7]:
        expected = f1_score(true, (scored.scores > threshold).ravel(), zero_division=0)
        assert value == pytest.approx(expected)
    assert vertical(axes) == {0.0}, "the own threshold alone, and no mark of probability 0.5"
    (mark,) = (one for one in axes.lines if one.get_marker() == "o")
    best = f1_score(true, (scored.scores > found.thresholds["tuned"]).ravel())
    assert [one[0] for one in mark.get_data()] == [found.thresholds["tuned"], pytest.approx(best)]
    assert curve.get_ydata().max() == pytest.approx(best)
    assert min(curve.get_xdata()) < found.thresholds["tuned"] < 0 <= max(curve.get_xdata()), "it reaches to the own one"
    caption = shown["f1_against_threshold"].caption
    assert f"0.000 at the own threshold (z > 0), {best:.3f} at the tuned threshold" in caption
    assert f"{found.metrics['micro_f1_tuned']:.3f} where each half" in caption


def test_precision_against_recall():
    scored = made("timid", label_names=[f"n{i}" for i in range(30)])
    _, shown, _ = pictures(scored)
    micro, *single = drawn(shown["precision_recall"].figure).axes
    curve = max(micro.lines, key=lambda one: len(one.get_xdata()))
    recall, precision = curve.get_data()
    area = float(np.sum(np.diff(recall) * precision[1:]))
    assert area == pytest.approx(average_precision_score(scored.targets.ravel(), scored.scores.ravel()), abs=0.005)
    own = next(one for one in micro.lines if one.get_markersize() == 9)
    decided = (scored.scores > 0).ravel()
    expected = [recall_score(scored.targets.ravel(), decided), precision_score(scored.targets.ravel(), decided)]
    assert [one[0] for one in own.get_data()] == [pytest.approx(value) for value in expected]
    assert f"precision of {expected[1]:.3f} and a recall of {expected[0]:.3f}" in shown["precision_recall"].caption
    positives = scored.targets.sum(0)
    named = [re.fullmatch(r"(\w+): n(\d+) \((\d+) positives\)", panel.get_title()) for panel in single]
    assert [one[1] for one in named] == ["head", "medium", "tail"]
    assert [int(one[3]) for one in named] == [positives[int(one[2])] for one in named]
    assert int(named[0][3]) == positives.max()
    assert int(named[2][3]) == min(number for number in positives if number >= 3)


def test_average_precision_against_frequency():
    scored = made("timid")
    found, shown, _ = pictures(scored)
    curves, groups = drawn(shown["label_frequency"].figure).axes
    dots = next(one for one in curves.lines if one.get_linestyle() == "None")
    known = [i for i in range(30) if scored.targets[:, i].any()]
    ap = [average_precision_score(scored.targets[:, i], scored.scores[:, i]) for i in known]
    assert [scored.targets[:, known].sum(0), ap] == xy(dots)
    chance = [row["chance"] for row in found.labels if row["positives"]]
    assert found.labels[3]["chance"] is None
    assert np.mean(chance) == pytest.approx(found.metrics["map_chance"])
    dotted = [one for one in curves.lines if one.get_color() == style.CHANCE["color"]]
    assert any(min(chance) <= min(one.get_ydata()) and max(one.get_ydata()) <= max(chance) for one in dotted)
    assert len(groups.lines) == 2
    assert curves.get_xlabel() == "samples with the label (count)"
    assert f"a random order has {np.mean(chance):.3f}" in shown["label_frequency"].caption


def test_what_is_unknown_counts_nowhere():
    scored, draw = made("timid"), np.random.default_rng(0)
    known = draw.random(scored.targets.shape) < 0.7
    _, first, _ = pictures(Scored.of(scored.scores, scored.targets, mask=known, unit="logits"))
    spoiled = np.where(known, scored.scores, draw.normal(size=known.shape) - 3)
    _, second, _ = pictures(Scored.of(spoiled, scored.targets, mask=known, unit="logits"))
    for name in ("scores", "precision_recall", "label_frequency"):
        assert first[name].caption == second[name].caption
    bars = [one["scores"].figure.axes[0].patches[0].get_data() for one in (first, second)]
    assert bars[0].values.tolist() == bars[1].values.tolist()


def many_labels(number):
    draw = np.random.default_rng(0)
    targets = (draw.random((40, number)) < 0.02).astype(np.uint8)
    return Scored.of(draw.normal(size=targets.shape).astype(np.float32) + 3 * targets, targets, unit="logits")


ODD = {
    "two samples": (Scored.of([[1.0, 2], [0, 1]], [[1, 0], [0, 1]], unit="logits"), {}),
    "all equal": (Scored.of(np.zeros((50, 4)), truth()[:50, 20:24], unit="logits"), {}),
    "equal probabilities": (Scored.of(np.full((50, 4), 0.3), truth()[:50, 20:24], unit="probabilities"), {}),
    "only 0 and 1": (Scored.of(truth(1)[:, :9] * 1.0, truth()[:, :9], unit="probabilities"), {}),
    "a threshold of 0": (Scored.of(sigmoid(made("timid").scores), truth(), unit="probabilities"), {"threshold": 0.0}),
    "a threshold of 1": (Scored.of(sigmoid(made("timid").scores), truth(), unit="probabilities"), {"threshold": 1.0}),
    "a far threshold": (made("timid"), {"threshold": 1e6}),
    "half precision": (Scored.of(made("timid").scores.astype(np.float16), truth(), unit="logits"), {}),
    "large scores": (Scored.of(1e30 * made("timid").scores, truth(), unit="logits"), {}),
    "4000 labels": (many_labels(4000), {}),
    "hostile names": (made("timid", label_names=[*HOSTILE * 7, "a", "b"]), {}),
}


@pytest.mark.parametrize("kind", ODD)
def test_whatever_can_be_diagnosed_can_be_drawn(kind):
    scored, options = ODD[kind]
    found, shown, missing = pictures(scored, **options)
    assert not missing or kind == "two samples"
    for picture in shown.values():
        assert "nan" not in picture.caption
        svg = picture.svg()
        assert len(svg) < 200_000
        assert "<b>" not in svg
    own = found.metrics["micro_f1"]
    assert f": {own:.3f} at the own threshold" in shown["f1_against_threshold"].caption


def test_what_cannot_be_drawn_is_told():
    _, shown, missing = pictures(ODD["two samples"][0])
    assert missing == {"label_frequency": "2 labels with positives: it takes three"}
    assert len(drawn(shown["precision_recall"].figure).axes) == 1


@pytest.mark.parametrize(
    ("low", "high", "some"),
    [
        (-14, 5, {f"1e{style.MINUS}6", "0.5", "0.99"}),
        (-3, -1, {"0.1", "0.2"}),
        (0.36, 0.44, {"0.6"}),
        (10, 40, {f"1 {style.MINUS} 1e{style.MINUS}5"}),
        (-900, 900, {"0.5"}),
        (-5.1, -5, {"0.0062", "0.0066"}),
        (-1e-4, 1e-4, {"0.5"}),
    ],
)
def test_a_scale_of_probabilities_has_a_few_round_ticks(low, high, some):
    _, [[axes]] = style.panels(1, 1, (4, 3), "")
    axes.set_xlim(low, high)
    style.probability_scale(axes)
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert 2 <= len(labels) <= 9
    assert len(set(labels)) == len(labels)
    assert some <= set(labels)
    for place, label in zip(axes.get_xticks(), labels, strict=True):
        if not label.startswith("1 "):
            assert place == pytest.approx(odds(float(label.replace(style.MINUS, "-"))), abs=1e-6)


def test_a_scale_where_floats_end_has_no_ticks():
    _, [[axes]] = style.panels(1, 1, (4, 3), "")
    axes.set_xlim(-800, -790)
    style.probability_scale(axes)
    assert len(axes.get_xticks()) == 0


def test_the_line_of_a_random_order_is_in_the_legend():
    _, shown, _ = pictures(made("timid"))
    for name in ("precision_recall", "label_frequency"):
        (legend,) = drawn(shown[name].figure).legends
        assert "random order" in [text.get_text() for text in legend.get_texts()]


def test_decisions_of_no_threshold_are_drawn_as_a_level(tmp_path):
    scored = made("timid")
    scored = Scored.of(
        scored.scores,
        scored.targets,
        unit="logits",
        decisions=scored.scores == scored.scores.max(1, keepdims=True),
    )
    found, shown, missing = pictures(scored)
    assert not missing
    text = shown["f1_against_threshold"].caption
    assert f"{found.metrics['micro_f1']:.3f} with the own decisions (as saved)" in text
    assert "own decisions" not in shown["scores"].caption, "there is no cut to count above"
