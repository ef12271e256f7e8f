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


def runs(name, values, **changes):
    """One run a seed; None: diverged."""
    ended = {"status": "diverged", "val": None, "test": None, "monitor_value": None}
    return [
        make(name, seed, value, **(changes | (ended if value is None else {}))) for seed, value in enumerate(values)
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
    assert "can reach" not in report.render(runs("bce", BCE) + runs("zlpr", BETTER), width=200), ".031 is below .05"


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
