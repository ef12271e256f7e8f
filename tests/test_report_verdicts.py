"""The judged comparison: ranks, intervals, differences, words, and the sentence that concludes."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file
from sample_runs import figures, make
from scipy import stats
from sklearn.metrics import average_precision_score

from mllc import report
from mllc.errors import ConfigError, StoreError
from mllc.report import Question
from mllc.report.conclusion import conclusion
from mllc.report.verdicts import every_pair


def runs(name, values, start=0, **changes):
    """One run a seed; None: diverged."""
    ended = {"status": "diverged", "val": None, "test": None, "monitor_value": None}
    return [
        make(name, seed, value, **(changes | (ended if value is None else {})))
        for seed, value in enumerate(values, start)
    ]


BCE = [0.50, 0.52, 0.51, 0.49, 0.53, 0.50]
BETTER = [0.60, 0.61, 0.62, 0.60, 0.64, 0.60]


def judged(results, **asked):
    (block,) = report.compared(results, Question(**asked))
    return {row.name: row for row in block if row.runs}


def concluded(results, **asked):
    (block,) = report.compared(results, Question(**asked))
    return conclusion(block, Question(**asked))


def test_the_difference_is_that_of_paired_seeds():
    found = judged(runs("bce", BCE) + runs("zlpr", BETTER))
    differences = np.subtract(BETTER, BCE)
    test = stats.ttest_rel(BETTER, BCE)
    low, high = test.confidence_interval(0.95)
    difference = found["zlpr"].difference
    assert (difference.mean, difference.low, difference.high) == pytest.approx((differences.mean(), low, high))
    assert (difference.p, difference.wins, difference.n) == (pytest.approx(test.pvalue), 6, 6)
    assert difference.verdict == "better"
    assert found["bce"].difference is None
    assert (found["zlpr"].rank, found["bce"].rank) == (1, 2)
    half = stats.sem(BETTER) * stats.t.ppf(0.975, 5)
    assert found["zlpr"].interval == pytest.approx((np.mean(BETTER) - half, np.mean(BETTER) + half))


def test_a_lower_hamming_loss_is_better():
    results = runs("bce", BCE) + runs("zlpr", BETTER)
    found = judged(results, metric="hamming_loss", region=0.0)
    assert found["zlpr"].difference.mean < 0
    assert (found["zlpr"].difference.verdict, found["zlpr"].rank) == ("better", 1)


def test_hamming_is_told_in_figures_that_can_tell():
    results = runs("bce", BCE) + runs("zlpr", BETTER)
    text = " ".join(report.render(results, metric="hamming_loss", width=200).split())
    assert "zlpr .00178 ±.00003 -.00021 ±.00002 equivalent" in text
    assert "has the best hamming_loss of 2 rows: 0.00178 (0.00174 to 0.00181 at 95 %, 6 seeds)" in text
    assert (
        "Every hamming_loss is smaller than the region of equivalence (0.005), so that equivalent says nothing" in text
    )
    assert "says nothing" not in concluded(results, metric="hamming_loss", region=0.0001)
    assert "says nothing" not in concluded(results)


@pytest.mark.parametrize("metric", ["labels_per_sample", "labels_skipped", "true_labels_per_sample", "map_chance"])
def test_a_figure_that_only_describes_decides_nothing(metric):
    with pytest.raises(ConfigError, match=f"--metric '{metric}' has no better and worse. Known: .*map, micro_f1"):
        report.render(runs("bce", BCE), metric=metric)


def test_a_wide_region_calls_them_equivalent():
    found = judged(runs("bce", BCE) + runs("zlpr", BETTER), region=0.2)
    assert found["zlpr"].difference.verdict == "equivalent"


def test_another_baseline_turns_the_sign():
    found = judged(runs("bce", BCE) + runs("zlpr", BETTER), baseline="zlpr")
    assert found["bce"].difference.verdict == "worse"
    assert found["bce"].difference.mean == pytest.approx(-0.1033, abs=1e-3)


def test_a_diverged_seed_counts_as_the_worst():
    found = judged(runs("bce", BCE) + runs("zlpr", [*BETTER[:5], None]))
    values = [*BETTER[:5], 0.0]
    assert found["zlpr"].difference.mean == pytest.approx(np.subtract(values, BCE).mean())
    assert found["zlpr"].difference.n == 6
    assert found["zlpr"].difference.verdict == "inconclusive"
    hamming = judged(runs("bce", BCE) + runs("zlpr", [*BETTER[:5], None]), metric="hamming_loss")
    assert hamming["zlpr"].difference.mean > 0.1, "a Hamming loss of 1"


def test_only_seeds_that_all_rows_share_are_compared():
    found = judged(runs("bce", BCE) + runs("zlpr", BETTER[:4]))
    assert found["zlpr"].difference.n == 4
    assert found["zlpr"].difference.mean == pytest.approx(np.subtract(BETTER[:4], BCE[:4]).mean())


def test_a_row_that_always_diverged_counts_as_the_worst():
    results = runs("bce", BCE) + runs("zlpr", BETTER) + runs("naive", [None] * 6)
    found = judged(results)["naive"]
    assert (found.rank, found.difference.verdict, found.difference.n) == (None, "worse", 6)
    assert found.difference.mean == pytest.approx(-np.mean(BCE))
    text = concluded(results)
    assert "zlpr has the best mAP of 3 rows" in text
    assert "the other rows are worse: naive" in text
    nothing = runs("bce", [None] * 6) + runs("zlpr", BETTER) + runs("naive", [None] * 6)
    assert all(row.difference is None for row in judged(nothing).values())
    assert "No verdict: bce has no figures on test; --baseline NAME" in concluded(nothing)


def test_rows_that_both_always_diverged_are_no_pair():
    results = runs("zlpr", BETTER) + runs("a", [None] * 6) + runs("b", [None] * 6)
    (block,) = report.compared(results, Question())
    assert set(every_pair([row for row in block if row.runs], Question())) == {("zlpr", "a"), ("zlpr", "b")}


def test_the_conclusion_counts_the_seeds_of_its_interval():
    text = concluded(runs("bce", [*BCE[:5], None]) + runs("zlpr", [*BETTER[:5], None]))
    assert "(0.593 to 0.635 at 95 %, 5 of 6 seeds)" in text


def test_each_row_is_compared_over_the_seeds_that_it_shares_with_the_baseline():
    results = runs("bce", BCE) + runs("late", BETTER[3:], start=3) + runs("early", BETTER[:3]) + runs("once", [0.9])
    found = judged(results)
    assert [found[name].difference.n for name in ("late", "early", "once")] == [3, 3, 1]
    assert found["late"].difference.mean == pytest.approx(np.subtract(BETTER[3:], BCE[3:]).mean())
    assert found["late"].difference.p_holm == pytest.approx(2 * found["late"].difference.p)
    assert (found["once"].difference.verdict, found["late"].difference.verdict) == (None, "better")
    text = concluded(results)
    assert "once has the best mAP of 4 rows: 0.900; it does not compare with bce, for they have no two seeds" in text
    assert "Against bce, the other rows are better: late, early." in text
    notes = " ".join(report.render(results, width=200).split())
    assert "paired t-test over 3 seeds, Holm over 2 comparisons" in notes
    assert "Two rows are compared over those that both have." in notes


def test_the_conclusion_does_not_deny_what_it_lists():
    text = concluded(runs("bce", [*BCE, 0.9, 0.9, 0.9, 0.9]) + runs("zlpr", BETTER))
    assert "bce has the best mAP of 2 rows: 0.665" in text
    assert "Against bce, the other rows are better: zlpr." in text
    assert "No row is shown" not in text
    apart = concluded(runs("bce", BCE) + runs("focal", BCE) + runs("zlpr", BETTER, start=6))
    assert "it does not compare with bce" in apart
    assert "No row is shown" not in apart
    assert "equivalent: zlpr; not comparable: focal" in concluded(
        runs("bce", BETTER) + runs("zlpr", BETTER) + runs("focal", BCE, start=6)
    )


def test_the_spread_is_of_seeds_that_a_row_has():
    text = " ".join(report.render(runs("bce", [0.5]) + runs("zlpr", [0.6], start=1), width=200).split())
    assert "One seed a row: no spread is known" in text
    assert "interval of the mean" not in text


def test_a_row_without_the_setting_has_a_name():
    results = [make("focal", settings={"loss.gamma": 2.0}, run_id="f"), make("bce", value=0.9)]
    (block,) = report.compared(results, Question(), by="loss.gamma")
    assert conclusion(block, Question()).startswith("- has the best mAP of 2 rows")


def test_seeds_on_other_splits_do_not_pair():
    elsewhere = [make("zlpr", s, v, data={"fingerprint": "ab", "split": f"other{s}"}) for s, v in enumerate(BETTER)]
    found = judged(runs("bce", BCE) + elsewhere)
    assert found["zlpr"].difference is None
    assert "No verdict: no row has a seed and split in common with bce." in concluded(runs("bce", BCE) + elsewhere)


def test_a_baseline_that_is_no_row_is_refused_when_it_was_named():
    results = runs("focal", BCE) + runs("zlpr", BETTER)
    with pytest.raises(ConfigError, match=r"--baseline 'focl' is not a row; did you mean 'focal'\? .* focal, zlpr"):
        report.render(results, baseline="focl")
    assert "no row is called bce; --baseline NAME" in concluded(results)


def test_what_was_not_scored_on_test_has_no_verdict():
    results = runs("bce", BCE) + [make("zlpr", s, v, test=None) for s, v in enumerate(BETTER)]
    found = judged(results)
    assert (found["zlpr"].rank, found["zlpr"].difference) == (None, None)
    assert concluded([make("zlpr", test=None)]) == "No conclusion: nothing was scored on test."


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ({"zlpr": BETTER}, "zlpr has the best mAP of 2 rows: 0.612 (0.595 to 0.628 at 95 %, 6 seeds); better than bce"),
        ({"zlpr": BCE}, "Against bce, the other rows are equivalent: zlpr."),
        ({"zlpr": [0.3, 0.9, 0.5, 0.6, 0.7, 0.8]}, "6 seeds cannot tell it from bce (+0.125, "),
        (
            {"zlpr": [v - 0.1 for v in BCE]},
            "No row is shown to do better than bce. Against bce, the other rows are worse",
        ),
        ({"zlpr": BETTER, "focal": BETTER[::-1]}, "the other rows are better: zlpr."),
    ],
)
def test_the_conclusion(others, expected):
    results = runs("bce", BCE) + [run for name, values in others.items() for run in runs(name, values)]
    assert expected in concluded(results)
    assert "It holds for this data, network and budget" in concluded(results)


def test_the_scope_knows_whether_seeds_share_a_test_set():
    shared = [
        make(n, s, v[s], data={"split": str(s), "test_split": "t"})
        for n, v in (("bce", BCE), ("a", BETTER))
        for s in range(6)
    ]
    apart = [
        make(n, s, v[s], data={"split": str(s), "test_split": str(s)})
        for n, v in (("bce", BCE), ("a", BETTER))
        for s in range(6)
    ]
    assert "share one test set" in concluded(shared)
    assert "a test set of its own" in concluded(apart)


def test_one_seed_has_no_verdict():
    text = concluded([make("bce"), make("zlpr", value=0.9)])
    assert "zlpr has the best mAP of 2 rows: 0.900. No verdict: one seed" in text
    assert "There is nothing to compare it with" in concluded([make("bce")])


def test_json_tells_the_difference():
    rows = {
        row["name"]: row for row in json.loads(report.render(runs("bce", BCE) + runs("zlpr", BETTER), format="json"))
    }
    zlpr = rows["zlpr"]
    assert (zlpr["rank"], zlpr["verdict"], zlpr["wins"]) == (1, "better", 6)
    assert zlpr["difference"] == pytest.approx(np.subtract(BETTER, BCE).mean())
    assert zlpr["difference_low"] < zlpr["difference"] < zlpr["difference_high"]
    assert zlpr["low"] < zlpr["map"] < zlpr["high"]
    assert zlpr["difference_p_holm"] < 0.001
    assert rows["bce"]["difference"] is None
    assert rows["all_zeros"]["rank"] is None
    own = make(test=figures(0.5, 0.2, 0.6))
    assert json.loads(report.render([own], format="json"))[0]["threshold_gain"] == pytest.approx(0.4)


def test_the_notes_say_what_the_design_can_reach():
    six = report.render(runs("bce", BCE) + runs("zlpr", BETTER) + runs("focal", BCE), width=200)
    assert "paired t-test over 6 seeds, Holm over 2 comparisons with bce" in six
    assert "can reach no adjusted p below 0.062 with 6 seeds" in six
    assert "apart too" not in six, "which no row could be"
    two = " ".join(report.render(runs("bce", BCE) + runs("zlpr", BETTER), width=200).split())
    assert "no adjusted p below 0.031 with 6 seeds, and tells 1 of the 1 that are better or worse apart too." in two


def test_every_pair_is_compared():
    (block,) = report.compared(runs("bce", BCE) + runs("zlpr", BETTER) + runs("focal", BCE), Question())
    found = every_pair([row for row in block if row.runs], Question())
    assert len(found) == 3
    assert found["zlpr", "bce"].verdict == "better"


@pytest.mark.parametrize(("data_sets", "expected"), [(2, "no verdict"), (6, "zlpr before bce (p 0.031)")])
def test_several_data_sets_are_ranked(data_sets, expected):
    results = [
        make(
            name,
            seed,
            value,
            dataset=f"d{i}",
            data={"fingerprint": f"f{i}", "split": str(seed)},
            run_id=f"{name}{i}{seed}",
        )
        for i in range(data_sets)
        for name, value in (("bce", 0.2 + i / 20), ("zlpr", 0.3 + i / 20))
        for seed in range(2)
    ]
    text = " ".join(report.render(results, width=200).split())
    assert f"Over {data_sets} data sets, mean rank by mAP (1 is the best): zlpr 1.00, bce 2.00." in text
    assert expected in text
    for format in ("md", "latex"):
        assert f"Over {data_sets} data sets" in report.render(results, format=format)


def test_seeds_that_diverged_count_over_data_sets_too():
    results = []
    for i in range(6):
        data = {"dataset": f"d{i}", "data": {"fingerprint": f"f{i}", "split": "s"}}
        results += runs("bce", [0.2 + i / 20] * 3, **data) + runs("lucky", [0.9, None, None], **data)
        results += runs("sick", [None] * 3 if i == 2 else [0.8] * 3, **data)
        results += runs("new", [0.7] * 3, **data) if i else []
    text = " ".join(report.render(results, width=200).split())
    assert "mean rank by mAP (1 is the best): sick 1.33, bce 2.17, lucky 2.50." in text
    assert "Without figures on test of every data set, and so left out: new." in text


def test_blocks_of_one_data_set_are_not_several():
    results = [make(n, shared={"epochs": e}) for n in ("bce", "zlpr") for e in (2, 4)]
    assert "data sets" not in report.render(results)


def scored(folder, name, scores, targets, seed=0):
    """A run whose folder holds its test scores."""
    result = make(name, seed)
    (folder / name).mkdir()
    save_file(
        {"scores": scores, "targets": targets, "decisions": (scores > 0).astype(np.uint8)},
        folder / name / "scores.safetensors",
    )
    return result, {result.run_id: folder / name}


def test_one_seed_can_be_resampled_over_its_test_samples(tmp_path):
    rng = np.random.default_rng(0)
    targets = (rng.random((80, 6)) < 0.3).astype(np.uint8)
    noise = rng.normal(size=(2, 80, 6)).astype(np.float32)
    bce, folders = scored(tmp_path, "bce", noise[0], targets)
    zlpr, more = scored(tmp_path, "zlpr", noise[1] + 2 * targets.astype(np.float32), targets)
    text = " ".join(report.render([bce, zlpr], folders=folders | more).split())
    gain = np.mean([average_precision_score(targets[:, c], noise[1, :, c] + 2 * targets[:, c]) for c in range(6)])
    gain -= np.mean([average_precision_score(targets[:, c], noise[0, :, c]) for c in range(6)])
    assert f"against bce: zlpr {gain:+.3f} (" in text
    assert "bootstrap of the mAP of seed 0, 1000 resamples" in text
    assert "not about training again" in text
    assert "micro_f1 of seed 0, 10000" in " ".join(
        report.render([bce, zlpr], folders=folders | more, metric="micro_f1").split()
    )
    with pytest.raises(ConfigError, match="--bootstrap resamples map and micro_f1, not lrap"):
        report.render([bce, zlpr], folders=folders | more, metric="lrap")
    (tmp_path / "zlpr/scores.safetensors").write_bytes(b"x")
    with pytest.raises(StoreError, match=r"zlpr/scores.safetensors cannot be read .* --force"):
        report.render([bce, zlpr], folders=folders | more)


def test_the_bootstrap_takes_one_seed_and_names_who_lacks_it(tmp_path):
    rng = np.random.default_rng(0)
    targets = (rng.random((80, 6)) < 0.3).astype(np.uint8)
    results, folders = [], {}
    for name, seeds in (("bce", (0, 1, 2)), ("zlpr", (1, 2)), ("focal", (1, 2)), ("late", (0,)), ("other", (1,))):
        for seed in seeds:
            (tmp_path / name / str(seed)).mkdir(parents=True)
            truth = 1 - targets if name == "other" else targets
            scores = rng.normal(size=targets.shape).astype(np.float32)
            run, folder = scored(tmp_path / name / str(seed), name, scores, truth, seed)
            results, folders = [*results, run], folders | folder
    results.append(make("focal", 0, None, status="diverged", val=None, test=None))
    text = " ".join(report.render(results, folders=folders, width=200).split())
    assert "bootstrap of the mAP of seed 1," in text
    assert "zlpr " in text.partition("against bce: ")[2]
    assert "Left out, for lack of this seed on these samples: " in text
    assert set(text.partition("on these samples: ")[2].partition(".")[0].split(", ")) == {"late", "other"}
