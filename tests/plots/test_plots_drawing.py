"""What is drawn is what was given: the artists' data against naive computations."""

import warnings

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.text import Text
from run_folders import history, predictions

from mllc.plots import (
    critical_difference,
    intervals,
    label_frequency,
    precision_recall,
    style,
    threshold_curves,
    training_curves,
    tried_settings,
    verdict_matrix,
)
from mllc.plots.intervals import Estimate
from mllc.plots.score_curves import scored_run
from mllc.plots.tried_settings import Tried
from mllc.study import Range

ODD = ("$x_1$", "a_b^c", "löss 名前", "<&>", "a" * 80)


def columns(seed=0, epochs=5):
    rows = history(seed, epochs)
    return {name: np.array([float("nan" if row[name] == "" else row[name]) for row in rows]) for name in rows[0]}


@style.styled
def drawn(figure):
    """The figure, rendered once so that nothing waits; every axis that shows numbers has its label."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
        figure.draw_without_rendering()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            shown = [label for label in axis.get_ticklabels() if label.get_visible() and label.get_text()]
            shared = (
                axis.get_label_text() or not shown or any(other.get_label_text() for other in twins(figure, axes, axis))
            )
            assert shared or words(shown), axis
    return figure


def twins(figure, axes, axis):
    """The same axis of the panels that share it."""
    group = axes.get_shared_x_axes() if axis is axes.xaxis else axes.get_shared_y_axes()
    return [other.xaxis if axis is axes.xaxis else other.yaxis for other in group.get_siblings(axes)]


def words(labels):
    """Names of rows are labels enough."""
    return any(character.isalpha() for label in labels for character in label.get_text())


def line(axes, label):
    return next(one for one in axes.lines if one.get_label() == label)


def xy(one):
    return [pytest.approx(values) for values in one.get_data()]


def texts(axes):
    return {text.get_text() for text in axes.texts}


def vertical(axes):
    """Where the lines that cross the panel upright stand."""
    return {one.get_xdata()[0] for one in axes.lines if list(one.get_ydata()) == [0, 1]}


# Looks


def test_no_two_looks_are_the_same_in_greyscale():
    found = list(style.looks([str(i) for i in range(style.MOST)]).values())
    assert len({(str(look.dashes), look.marker) for look in found}) == style.MOST
    assert len({to_hex(look.color) for look in found}) == style.MOST


def test_more_rows_than_looks_are_grey_but_never_the_baseline():
    names = [str(i) for i in range(30)]
    found = style.looks(names, keep="29")
    assert [name for name, look in found.items() if look is not style.OTHER] == [*names[: style.MOST - 1], "29"]
    assert style.looks(names, keep="none")["7"] is not style.OTHER


@pytest.mark.parametrize("low", [1e-7, 0.3, 1.0, 40.0])
@pytest.mark.parametrize("span", [1.2, 2.0, 50.0, 1e6])
def test_a_log_scale_has_a_few_plain_ticks(low, span):
    _, [[axes]] = style.panels(1, 1, (4, 3), "")
    axes.plot([low, low * span], [1, 1])
    style.log_scale(axes)
    ticks = axes.get_xticks()
    assert 3 <= len(ticks) <= 12
    assert "$" not in "".join(label.get_text() for label in axes.get_xticklabels())


# Training curves


def test_the_curves_of_a_run():
    found = columns()
    collapse = {"verdict": "flood", "first_epoch": 4, "last_epoch": 5, "others": []}
    collapse["others"] = [{"verdict": "silent", "first_epoch": 1, "last_epoch": 2}]
    figure = drawn(
        training_curves.draw_run(
            found, title="t\nwhere", monitor="val_map", best_epoch=3, true_labels=2.0, collapse=collapse
        )
    )
    loss, quality, labels = figure.axes
    assert [found["epoch"], found["train_loss"]] == xy(line(loss, "training"))
    assert [found["epoch"], found["val_loss"]] == xy(line(loss, "validation"))
    assert [found["epoch"], found["val_micro_f1_tuned"]] == xy(line(quality, "micro-F1, tuned threshold"))
    assert [found["epoch"], found["val_labels_per_sample"]] == xy(line(labels, "own rule"))
    assert set(line(labels, "true number").get_ydata()) == {2.0}
    assert 3 in vertical(quality)
    spans = [(patch.get_x(), patch.get_x() + patch.get_width(), patch.get_hatch()) for patch in labels.patches]
    assert (0.5, 2.5, "//") in spans
    assert any(span[:2] == (3.5, 5.5) for span in spans)
    assert {"silent", "flood"} <= texts(labels)
    assert loss.get_ylabel() == "loss (per sample)"
    assert labels.get_ylabel() == "labels predicted (per sample)"


@pytest.mark.parametrize("epochs", [1, 2, 1000])
def test_short_and_long_histories(epochs):
    found = columns(epochs=epochs)
    figure = drawn(training_curves.draw_run(found, title="", monitor="val_loss", true_labels=None))
    assert len(figure.axes[0].lines[0].get_xdata()) == min(epochs, style.MOST_POINTS)
    drawn(training_curves.draw_rows({"a": [found], "b": [found]}, title="", monitor="val_map"))


def test_a_diverged_run_has_gaps():
    found = columns()
    found["train_loss"][3:] = np.nan
    found["val_labels_per_sample"][:] = np.nan
    drawn(training_curves.draw_run(found, title="", monitor="val_map", true_labels=2.0))
    drawn(training_curves.draw_rows({"a": [found]}, title="", monitor="val_map", true_labels=2.0))


def test_rows_are_means_over_runs_and_losses_relative_to_the_first_epoch():
    runs = [columns(seed) for seed in range(3)]
    figure = drawn(training_curves.draw_rows({"a": runs, "b": runs[:1]}, title="", monitor="val_map", true_labels=2.0))
    train, val, quality, labels = figure.axes
    mean = np.mean([run["val_map"] for run in runs], 0)
    assert [runs[0]["epoch"], mean] == xy(line(quality, "a"))
    assert [runs[0]["epoch"], runs[0]["val_map"]] == xy(line(quality, "b"))
    assert xy(line(train, "a"))[1] == runs[0]["train_loss"] / runs[0]["train_loss"][0]
    (band,) = quality.collections
    low, high = (summary([run["val_map"][2] for run in runs]) for summary in (min, max))
    assert {(3.0, low), (3.0, high)} <= {tuple(point) for point in band.get_paths()[0].vertices}
    assert val.get_ylabel() == "validation loss (of that in epoch 1)"
    assert set(line(labels, "true number").get_ydata()) == {2.0}


def test_runs_of_different_lengths():
    mean, low, high = training_curves.over_runs([np.array([1.0, 2.0, 4.0]), np.array([3.0])])
    assert [mean.tolist(), low.tolist(), high.tolist()] == [[2, 2, 4], [1, 2, 4], [3, 2, 4]]


# The comparison


def estimates():
    return [
        Estimate("zlpr", 0.9, (0.85, 0.95), (0.88, 0.92), (0.2, 0.15, 0.25), "better"),
        Estimate("bce", 0.7, (0.6, 1.4), (0.6, 0.8)),
        Estimate("focal", 0.5, None, (0.5,), (-0.2, None, None), "", "†"),
        Estimate("broken", None, mark="!"),
    ]


def test_estimates_stand_in_the_order_of_the_table():
    figure = drawn(
        intervals.draw(estimates(), title="t", axis="mAP on test (0 to 1)", baseline="bce", region=0.01, bounds=(0, 1))
    )
    values, differences = figure.axes
    assert [label.get_text() for label in values.get_yticklabels()] == ["zlpr", "bce", "focal †", "broken !"]
    assert values.get_ylim()[0] > values.get_ylim()[1]
    bars = [tuple(one.get_xdata()) for one in values.lines if one.get_linewidth() == 2]
    assert bars == [(0.85, 0.95), (0.6, 1.4)]
    means = [(one.get_xdata()[0], one.get_ydata()[0]) for one in values.lines if one.get_marker() == "o"]
    assert means == [(0.9, 0), (0.7, 1), (0.5, 2)]
    seeds = [list(one.get_xdata()) for one in values.lines if one.get_color() == "0.55"]
    assert seeds == [[0.88, 0.92], [0.6, 0.8], [0.5]]
    assert [to_hex(one.get_markerfacecolor()) for one in values.lines if one.get_marker() == "o"][2] == "#ffffff"
    assert 0.7 in vertical(values)
    assert {(patch.get_x(), patch.get_x() + patch.get_width()) for patch in values.patches} == {(0.69, 0.71)}
    assert values.get_xlim()[1] <= 1.02
    assert "no figures" in texts(values)
    legend = {text.get_text() for text in figure.legends[0].texts}
    assert {"baseline bce", "† on validation: not scored on test", "! seeds diverged or failed"} <= legend
    assert "better" in texts(differences)
    assert (0.15, 0.25) in [tuple(one.get_xdata()) for one in differences.lines if one.get_linewidth() == 2]
    assert differences.get_xlabel() == "difference to bce, paired by seed"


def test_without_a_baseline_there_is_one_panel():
    figure = drawn(intervals.draw([Estimate("a", 0.5), Estimate("b", 0.4)], title="", axis="mAP", region=0.01))
    assert len(figure.axes) == 1
    assert "one seed: no interval" in {text.get_text() for text in figure.legends[0].texts}


# Verdicts and ranks


def test_the_matrix_has_a_sign_and_a_difference_for_each_pair():
    verdicts = {("a", "b"): "better", ("b", "a"): "worse", ("a", "c"): "equivalent", ("c", "b"): "inconclusive"}
    figure = drawn(
        verdict_matrix.draw(
            ["a", "b", "c"], verdicts, title="", differences=dict.fromkeys(verdicts, -0.123), unit="mAP"
        )
    )
    (axes,) = figure.axes
    signs = [(round(one.get_xdata()[0]), round(one.get_ydata()[0] + 0.18)) for one in axes.lines[:4]]
    assert signs == [(1, 0), (0, 1), (2, 0), (1, 2)]
    markers = [str(one.get_marker()) for one in axes.lines[:4]]
    assert len(set(markers)) == 4
    assert [text.get_text() for text in axes.texts] == [f"{style.MINUS}12.3"] * 4
    assert [text.get_text() for text in figure.legends[0].texts] == list(verdict_matrix.SIGNS)
    assert "hundredths of mAP" in axes.get_xlabel()


def test_a_large_matrix_has_signs_alone():
    names = [f"row {i:02}" for i in range(30)]
    verdicts = {(a, b): "better" if a < b else "worse" for a in names for b in names if a != b}
    (axes,) = drawn(verdict_matrix.draw(names, verdicts, title="", differences=dict.fromkeys(verdicts, 0.1))).axes
    assert not axes.texts
    assert [len(one.get_xdata()) for one in axes.lines[:4]] == [435, 435, 0, 0]
    assert all(x > y for x, y in zip(*axes.lines[0].get_data(), strict=True))


def test_the_diagram_of_ranks():
    ranks = {"c": 2.9, "a": 1.2, "b": 1.9}
    figure = drawn(critical_difference.draw(ranks, [("a", "b"), ("c",)], title="t", note="Friedman p = 0.01"))
    (axes,) = figure.axes
    assert [one.get_xdata()[0] for one in axes.lines[:3]] == [1.2, 1.9, 2.9]
    bars = [one.get_xdata() for one in axes.lines if one.get_linewidth() == 4]
    assert [list(bar) for bar in bars] == [pytest.approx([1.2, 1.9], abs=0.02)]
    assert texts(axes) == {"a 1.20", "b 1.90", "2.90 c"}
    assert figure.get_supxlabel() == "Friedman p = 0.01"
    drawn(critical_difference.draw({"a": 1.0, "b": 2.0}, title=""))


# Thresholds, precision and recall


def scored(seed=0, **changes):
    options = {"tuned": -0.3, "own_cut": 0.0, "labels": (0, 7), "points": 30}
    return scored_run(predictions(seed), **options | changes)


def test_f1_against_the_threshold_with_own_tuned_and_half():
    runs = [scored(0), scored(1)]
    figure = drawn(
        threshold_curves.draw({"a": runs, "b": [scored(2)]}, title="", scales={"a": "logits", "b": "product"}, rules={})
    )
    first, second = figure.axes
    curves = [one for one in first.lines if len(one.get_xdata()) == 30]
    assert [[*run.f1] for run in runs] == [xy(one) for one in curves]
    tuned = [(one.get_xdata()[0], one.get_ydata()[0]) for one in first.lines if one.get_marker() == "o"]
    assert tuned == [run.tuned for run in runs]
    assert len([one for one in first.lines if list(one.get_ydata()) == [0, 1]]) == 2, "own at 0 and 0.5 at 0"
    assert len([one for one in second.lines if list(one.get_ydata()) == [0, 1]]) == 1, "no 0.5 for counts"
    assert (first.get_xlabel(), second.get_xlabel()) == ("threshold (logit)", "threshold (log of expected count)")
    assert first.get_ylabel() == "micro-F1 (0 to 1)"


def test_a_rule_that_is_no_threshold_is_a_level_with_its_name():
    run = scored(own_cut=None)
    (axes,) = drawn(threshold_curves.draw({"a": [run]}, title="", scales={"a": "softmax"}, rules={"a": "top_k"})).axes
    assert "top_k" in texts(axes)
    assert any(list(one.get_ydata()) == [run.own[1]] * 2 and list(one.get_xdata()) == [0, 1] for one in axes.lines)


def test_a_cut_far_from_every_score_is_an_arrow():
    found = predictions()
    silent = found._replace(scores=found.scores - 100, decisions=np.zeros_like(found.decisions))
    run = scored_run(silent, tuned=-100.0, own_cut=0.0)
    (axes,) = drawn(threshold_curves.draw({"a": [run]}, title="", scales={"a": "logits"}, rules={})).axes
    assert texts(axes) == {"own at 0 →", "0.5 at 0 →"}
    assert axes.get_xlim()[1] < -90


def test_precision_against_recall():
    runs = [scored(0), scored(1)]
    labels = {0: "head: x", 7: "tail: y"}
    micro, head, tail = drawn(precision_recall.draw({"a": runs, "b": runs}, title="", labels=labels)).axes
    recall, precision = runs[0].precision_recall
    first = micro.lines[0]
    assert first.get_drawstyle() == "steps-pre"
    assert [np.r_[0, recall], np.r_[precision[0], precision]] == xy(first)
    assert [one.get_linewidth() for one in micro.lines[:2]] == [1.5, 0.5]
    points = [one.get_data() for one in micro.lines if one.get_markersize() == 9]
    assert [(x[0], y[0]) for x, y in points] == [runs[0].own_point] * 2
    assert xy(tail.lines[0])[0] == np.r_[0, runs[0].labels[7][0]]
    assert len(head.lines) == 2, "of the first run of each row"
    assert head.get_title() == "head: x"
    assert (micro.get_xlabel(), micro.get_ylabel()) == ("recall (0 to 1)", "precision (0 to 1)")


# Labels


def test_the_running_median_is_that_of_the_neighbours():
    draw = np.random.default_rng(0)
    counts, values = draw.integers(1, 30, 200).astype(float), draw.random(200)
    values[:20] = np.nan
    x, y = label_frequency.running_median(counts, values)
    known = np.argsort(counts[20:], kind="stable")
    ordered, sorted_values = counts[20:][known], values[20:][known]
    for count, median in zip(x, y, strict=True):
        inside = np.flatnonzero(ordered == count)
        window = sorted_values[max(0, inside[0] - 18) : inside[-1] + 1 + 18]
        assert median == np.median(window)
    assert len(x) == len(np.unique(counts[20:]))


def test_thirds_of_the_labels():
    draw = np.random.default_rng(0)
    counts = draw.permutation(300).astype(float)
    values = draw.random(300)
    order = np.argsort(counts)
    expected = [values[part].mean() for part in np.array_split(order, 3)]
    assert label_frequency.by_group(counts, values) == pytest.approx(expected)
    assert np.isnan(label_frequency.by_group(np.ones(4), np.ones(4))[1:]).all(), "labels of one count are one group"


def test_labels_against_frequency():
    counts = np.array([0.0, 1, 2, 4, 8, 16, 32, 64, 128])
    values = np.linspace(0.1, 0.9, 9)
    values[3] = np.nan
    figure = drawn(label_frequency.draw({"a": values, "b": 1 - values}, counts, title="", axis="average precision"))
    curves, groups = figure.axes
    places = np.maximum(counts, label_frequency.NEVER)
    assert [*label_frequency.running_median(places, values)] == xy(curves.lines[0])
    assert xy(groups.lines[0])[1] == label_frequency.by_group(counts, values)
    assert curves.get_xscale() == "log"
    assert curves.get_xticklabels()[0].get_text() == "0"
    assert {"tail", "medium", "head"} <= texts(curves)
    assert curves.get_xlabel() == "training samples with the label (count)"
    single = drawn(label_frequency.draw({"a": values}, counts, title="", axis="F1"))
    assert single.axes[0].lines[0].get_marker() == ".", "the labels themselves"


@pytest.mark.parametrize("counts", [[3.0], [2.0, 2.0], [0.0, 0.0, 5.0]])
def test_few_labels(counts):
    drawn(label_frequency.draw({"a": np.full(len(counts), 0.5)}, np.array(counts), title="", axis="F1"))
    drawn(label_frequency.draw({"a": np.full(len(counts), np.nan)}, np.array(counts), title="", axis="F1"))


# Settings


def grid():
    return {
        "a": [Tried({"lr": lr, "clip": None, "gamma": g}, lr + g / 10, lr == 1.0) for lr in (0.1, 1.0) for g in (1, 2)],
        "b": [
            Tried({"lr": lr, "clip": clip}, None if lr == 10.0 else 0.5) for lr in (0.1, 10.0) for clip in (None, 1.0)
        ],
        "c": [Tried({"lr": 0.1, "clip": None}, 0.2)],
    }


def test_settings_that_vary_within_a_row_have_a_panel():
    assert tried_settings.varied(grid()) == ["lr", "clip", "gamma"]
    figure = drawn(tried_settings.draw(grid(), title="", axis="mAP on validation (0 to 1)"))
    lr, clip, gamma = figure.axes
    dots = lr.lines[0]
    assert xy(dots) == [[0.1, 0.1, 1.0, 1.0], [0.2, 0.3, 1.1, 1.2]]
    assert lr.get_xscale() == "log"
    assert [label.get_text() for label in clip.get_xticklabels()] == ["1", "none"]
    best = [list(zip(*one.get_data(), strict=True)) for one in lr.lines if one.get_linewidth() == 1.1]
    assert best == [[(0.1, pytest.approx(0.3)), (1.0, pytest.approx(1.2))], [(0.1, 0.5)]]
    crosses = [list(one.get_xdata()) for one in lr.lines if one.get_marker() == "x"]
    assert crosses == [[], [10.0, 10.0]]
    rings = [list(one.get_xdata()) for one in lr.lines if one.get_markersize() == 10]
    assert rings[0] == [1.0, 1.0]
    assert gamma.get_xlabel() == "gamma"
    legend = [text.get_text() for text in figure.legends[0].texts]
    assert legend == ["a", "b", "chosen", "diverged, failed or pruned"], "c tried nothing"


def test_a_row_may_have_trials_of_several_losses_and_of_none_that_ended():
    rows = {
        "sgd": [Tried({"loss": "focal", "gamma": g}, 0.1 * g) for g in (1, 2)] + [Tried({"loss": "bce"}, 0.5)],
        "adam": [Tried({"loss": "focal", "gamma": g}, None) for g in (1, 2)],
    }
    assert tried_settings.varied(rows) == ["gamma", "loss"]
    gamma, loss = drawn(tried_settings.draw(rows, title="", axis="mAP")).axes
    assert xy(gamma.lines[0]) == [[1, 2], [0.1, 0.2]]
    assert [label.get_text() for label in loss.get_xticklabels()] == ["bce", "focal"]


def test_the_ends_of_a_searched_range_are_drawn_and_its_trials_are_not_joined():
    trials = [Tried({"lr": lr}, lr, False) for lr in (0.02, 0.05, 0.4)]
    ranges = {"a": {"lr": Range(0.01, 1.0, log=True), "clip": Range(choices=("x",))}}
    (axes,) = drawn(tried_settings.draw({"a": trials}, title="", axis="mAP", ranges=ranges)).axes
    assert vertical(axes) == {0.01, 1.0}
    assert not [one for one in axes.lines if one.get_linewidth() == 1.1]


def test_what_is_no_number_of_the_scale_stands_left_of_it():
    trials = [
        Tried({"cap": cap, "decay": decay}, 0.5) for cap, decay in ((None, 0.0), (5, 1e-4), (20, 1e-3), (40, 0.1))
    ]
    ranges = {"a": {"cap": Range(5, 50), "decay": Range(1e-4, 1.0, log=True)}}
    cap, decay = drawn(tried_settings.draw({"a": trials}, title="", axis="mAP", ranges=ranges)).axes
    assert (cap.get_xscale(), decay.get_xscale()) == ("linear", "log")
    none, *rest = cap.lines[0].get_xdata()
    assert rest == [5, 20, 40]
    assert none < 5
    zero, *rest = decay.lines[0].get_xdata()
    assert rest == [1e-4, 1e-3, 0.1]
    assert 0 < zero < 1e-4
    shown = [[label.get_text() for label in axes.get_xticklabels()] for axes in (cap, decay)]
    assert [one[0] for one in shown] == ["none", "0"]
    assert {"10", "40"} <= set(shown[0])
    assert "0.01" in shown[1]


def test_the_profile_is_the_best_mean_over_the_other_settings():
    trials = [Tried({"lr": 0.1, "m": m}, value) for m, value in ((0, 0.5), (0, 0.7), (1, 0.65), (2, 0.9), (2, None))]
    assert tried_settings.profile("lr", trials) == {"0.1": pytest.approx(0.65)}
    assert tried_settings.profile("lr", trials, lower_is_better=True) == {"0.1": pytest.approx(0.6)}


# Any names, any number


@pytest.mark.parametrize("number", [1, pytest.param(30, marks=pytest.mark.slow)])
def test_any_names_and_any_number_of_rows(number):
    names = [*ODD, *(f"row {i}" for i in range(30))][:number] if number > 1 else [ODD[0]]
    found = columns()
    runs = [scored()]
    counts = np.arange(1.0, 9.0)
    pairs = {(a, b): "inconclusive" for a in names for b in names if a != b}
    figures = [
        training_curves.draw_rows(
            {name: [found, found] for name in names}, title=ODD[0], monitor="val_map", true_labels=2.0
        ),
        intervals.draw([Estimate(name, 0.5, (0.4, 0.6)) for name in names], title="", axis="mAP", baseline=names[0]),
        threshold_curves.draw(dict.fromkeys(names, runs), title="", scales={}, rules={}),
        precision_recall.draw(dict.fromkeys(names, runs), title="", labels=dict.fromkeys((0, 7), ODD[0])),
        label_frequency.draw(dict.fromkeys(names, np.linspace(0, 1, 8)), counts, title="", axis="F1"),
        tried_settings.draw({name: grid()["a"] for name in names}, title="", axis="mAP"),
        verdict_matrix.draw(names, pairs, title=""),
        critical_difference.draw({name: 1.0 + i for i, name in enumerate(names)}, [names], title=""),
    ]
    for figure in map(drawn, figures):
        assert not any(text.get_parse_math() for text in figure.findobj(Text) if text.get_text()), "a $ is a dollar"
