"""From run folders to pictures: which are drawn, of what, and what is said of the others."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from run_folders import LABELS, about, comparison, predictions, save
from sample_runs import make
from sklearn.metrics import f1_score

from mllc.errors import ConfigError, StoreError
from mllc.plots import figures
from mllc.plots.folders import read_scores
from mllc.plots.gather import MOST_RUNS, gather
from mllc.report import load, rows
from mllc.report.loading import Finished
from mllc.report.verdicts import Question
from mllc.study import Range, Study, Try

EVERY = {
    *("comparison", "verdicts", "training_curves", "f1_against_threshold", "precision_recall", "label_frequency"),
    *("settings", "critical_difference"),
}


def gathered(finished, metric="map", **options):
    return gather(rows(finished.results, "loss", metric), finished, "loss", metric, **options)


# What is drawn


def test_a_comparison_has_every_picture_but_that_of_several_data_sets(tmp_path):
    pictures, missing = figures(comparison(tmp_path))
    assert pictures.keys() == EVERY - {"critical_difference"}
    assert missing == {"critical_difference": "it takes several data sets, each compared once, that share two rows"}
    for name, picture in pictures.items():
        assert picture.name == name
        assert picture.caption.startswith(picture.title)
        assert picture.caption.endswith(".")


def test_the_captions_tell_what_is_seen(tmp_path):
    captions = {name: picture.caption for name, picture in figures(comparison(tmp_path))[0].items()}
    assert captions["comparison"].startswith("mAP on test of 2 rows, from zlpr (0.9")
    assert captions["comparison"].endswith("against bce: zlpr better.")
    assert "1 pair of 2 rows, 1 differ" in captions["verdicts"]
    assert "(2.00 are true)" in captions["training_curves"]
    assert "label_0 (" in captions["precision_recall"]
    assert "optimizer.lr; 12 runs, the chosen ringed" in captions["settings"]


def test_one_run_has_its_own_curves(tmp_path):
    collapse = {"verdict": "silent", "first_epoch": 1, "last_epoch": 2, "ranks": True, "others": []}
    run = about(make("bce", settings={"loss.rule": "above"}, collapse=collapse))
    pictures, missing = figures(Finished([run], {run.run_id: save(tmp_path, run)}))
    assert pictures.keys() == {"training_curves", "f1_against_threshold", "precision_recall", "label_frequency"}
    assert missing["comparison"] == "there is one row: nothing to compare"
    assert missing["settings"] == "every row tried one setting only"
    training = pictures["training_curves"]
    assert training.title == "Training curves of bce, seed 0"
    assert training.caption.endswith("; the run is silent.")
    assert len(training.figure.axes) == 3


def test_one_seed_has_no_verdict(tmp_path):
    pictures, missing = figures(comparison(tmp_path, seeds=1))
    assert missing["verdicts"] == "it takes two rows on test with two seeds in common"
    assert "none is better or worse for sure" in pictures["comparison"].caption


def test_one_row_of_several_seeds(tmp_path):
    pictures, missing = figures(comparison(tmp_path, names=("bce",)))
    assert pictures.keys() == EVERY - {"comparison", "verdicts", "critical_difference"}
    assert missing["comparison"] == "there is one row: nothing to compare"


def test_runs_that_were_not_scored_on_test(tmp_path):
    finished = comparison(tmp_path)
    untested = [replace(run, test=None) for run in finished.results]
    pictures, missing = figures(replace(finished, results=untested))
    assert pictures.keys() == {"comparison", "training_curves", "settings"}  # validation chose: no verdicts
    assert pictures["comparison"].title == "mAP on validation"
    assert "scored on test" in missing["precision_recall"]


def test_seeds_of_other_splits_do_not_pair_in_pictures_either(tmp_path):
    finished = comparison(tmp_path)
    apart = [replace(run, data=run.data | {"split": run.name}) for run in finished.results]
    pictures, missing = figures(replace(finished, results=apart))
    assert pictures["comparison"].caption.endswith("against bce: none is better or worse for sure.")
    assert missing["verdicts"] == "it takes two rows on test with two seeds in common"


def test_the_matrix_says_of_which_rows_it_is_and_what_it_adjusts_for(tmp_path):
    found = comparison(tmp_path, names=("zlpr", "bce", "focal"), lrs=(0.1,))
    apart = [replace(run, data=run.data | {"split": "other"}) if run.name == "focal" else run for run in found.results]
    pictures, _ = figures(replace(found, results=apart))
    assert "of 1 pair of 2 rows of 3, " in pictures["verdicts"].caption
    assert "p is adjusted for all these pairs, in the table for those with" in pictures["verdicts"].caption


def test_a_row_whose_score_files_are_gone_is_left_out(tmp_path):
    finished = comparison(tmp_path)
    for run in finished.results:
        if run.name == "bce":
            (finished.folders[run.run_id] / "scores.safetensors").unlink(missing_ok=True)
            (finished.folders[run.run_id] / "per_label.csv").unlink(missing_ok=True)
    pictures, _ = figures(finished)
    assert len(pictures["f1_against_threshold"].figure.axes) == 1
    assert "1 row of 2" in pictures["f1_against_threshold"].caption


def test_diverged_and_failed_runs(tmp_path):
    finished = comparison(tmp_path, names=("zlpr", "bce", "focal"))
    results, folders = list(finished.results), dict(finished.folders)
    for seed, status in enumerate(("diverged", "failed", "diverged")):
        run = make("broken", seed, None, lr=0.3, status=status, val=None, test=None, run_id=f"x{seed}", best_epoch=None)
        run = replace(run, shared=results[0].shared)
        results.append(run)
        folders[run.run_id] = save(tmp_path, run)
    pictures, _ = figures(Finished(results, folders))
    labels = [label.get_text() for label in pictures["comparison"].figure.axes[0].get_yticklabels()]
    assert labels[-1].startswith("broken")
    pictures["comparison"].svg()
    alone, missing = figures(Finished(results[-3:], {run.run_id: folders[run.run_id] for run in results[-3:]}))
    assert alone.keys() == {"training_curves"}
    assert set(missing) == EVERY - {"training_curves"}
    alone["training_curves"].svg()


def test_several_data_sets_are_told_apart_and_ranked(tmp_path):
    results, folders = [], {}
    for data in ("ab", "cd", "ef"):
        found = comparison(tmp_path / data, names=("zlpr", "bce", "focal"))
        for run in found.results:
            facts = {**run.data, "fingerprint": data, "files": {"train": f"{data}.arff"}}
            renamed = replace(run, run_id=f"{data}{run.run_id}", dataset="arff", data=facts)
            results.append(renamed)
            folders[renamed.run_id] = found.folders[run.run_id]
    pictures, missing = figures(Finished(results, folders))
    assert not missing
    assert {"comparison-arff_ab", "settings-arff_cd", "critical_difference"} <= pictures.keys()
    caption = pictures["critical_difference"].caption
    assert "3 data sets: zlpr 1.00, bce 2.00, focal 3.00; 3 data sets are too few for a test" in caption


@pytest.mark.slow
def test_names_in_any_script(tmp_path):
    finished = comparison(tmp_path, names=("$a_b$", "löss 名前", "<&>"))
    pictures, _ = figures(finished, asked=Question(baseline="<&>"))
    assert "against <&>: $a_b$ better" in pictures["comparison"].caption
    for picture in pictures.values():
        assert "löss" in picture.svg()


@pytest.mark.slow
def test_thirty_rows_of_seven_seeds_stay_small(tmp_path):
    names = tuple(f"a_loss_with_a_long_name_{i}" for i in range(29))
    pictures, _ = figures(comparison(tmp_path, names=(*names, "bce"), seeds=7, lrs=(0.1,)))
    size = sum(len(picture.svg().encode()) for picture in pictures.values())
    assert size < 1_500_000
    assert "30 rows (1 seed each)" in pictures["precision_recall"].caption.replace("30 rows of 30", "30 rows")


# What is gathered


def test_the_scores_are_those_of_the_files(tmp_path):
    finished = comparison(tmp_path)
    scored = gathered(finished).scored
    assert [len(runs) for runs in scored.values()] == [3, 3]
    found = predictions(1)
    tuned = f1_score(found.targets.ravel(), found.scores.ravel() > np.float32(-0.3))
    assert scored["zlpr"][1].tuned == (-0.3, pytest.approx(tuned))
    assert scored["zlpr"][1].own == (0.0, pytest.approx(f1_score(found.targets.ravel(), found.decisions.ravel())))


def test_labels_of_unknown_targets(tmp_path):
    run = about(make("bce", settings={"loss.rule": "softmax_above"}))
    finished = Finished([run], {run.run_id: save(tmp_path, run, scale="softmax", mask=True)})
    data = gathered(finished)
    assert data.scales() == {"bce": "softmax"}
    known = predictions(0, mask=True)
    assert data.scored["bce"][0].chance == pytest.approx(known.targets[known.mask].mean())


def test_head_medium_and_tail_are_chosen_and_others_on_request(tmp_path):
    finished = comparison(tmp_path)
    positives = predictions(0).targets.sum(0)
    chosen = gathered(finished).chosen_labels()
    assert [text.partition(":")[0] for text in chosen.values()] == ["head", "medium", "tail"]
    head, medium, tail = chosen
    assert positives[head] == positives.max()
    assert positives[tail] == positives.min()
    assert positives[tail] <= positives[medium] <= positives[head]
    assert gathered(finished, wanted=["label_5"]).chosen_labels() == {5: "label_5"}
    with pytest.raises(ConfigError, match="'label_55' is not a label of this data; did you mean 'label_5'"):
        figures(finished, labels=["label_55"])


@pytest.mark.parametrize(
    ("metric", "column"), [("map", "ap"), ("macro_f1", "f1"), ("micro_f1_tuned", "f1_tuned"), ("lrap", "ap")]
)
def test_the_figure_of_the_labels_follows_the_metric(tmp_path, metric, column):
    assert gathered(comparison(tmp_path, seeds=1), metric).label_column == column


def test_labels_without_a_figure_stay_without(tmp_path):
    means = gathered(comparison(tmp_path)).mean_labels()["bce"]
    assert np.isnan(means.figures).tolist() == [i == 2 for i in range(LABELS)]
    assert means.training[0] == np.mean([5 * predictions(seed).targets.sum(0)[0] for seed in range(3)])


def test_the_scores_of_many_runs_are_not_all_read(tmp_path):
    names = tuple(f"n{i}" for i in range(20))
    finished = comparison(tmp_path, names=names, seeds=4, lrs=(0.1,))
    drawn = gathered(finished).drawn
    assert [len(runs) for runs in drawn.values()] == [MOST_RUNS // 20] * 20
    assert {run.seed for run in drawn["n3"]} == {0, 1}
    large = [replace(run, data={**run.data, "samples": {"test": 10**7}}) for run in finished.results]
    assert {len(runs) for runs in gathered(replace(finished, results=large)).drawn.values()} == {1}


def test_every_trial_of_a_row_is_told_and_those_of_its_study(tmp_path):
    finished = comparison(tmp_path)
    known = finished.results[0]
    tries = (
        Try(0, known.run_id, {"optimizer.lr": 0.1}, "done", 0.5),
        Try(1, "gone", {"optimizer.lr": 0.7}, "done", 0.4),
        Try(2, "lost", {"optimizer.lr": 0.9}, "diverged"),
    )
    space = {"optimizer.lr": Range(0.01, 1.0, log=True)}
    final = tuple(run.run_id for run in finished.results if run.name == known.name and run.test)
    chosen = tries[0].values
    study = Study("s", known.name, {"loss": known.loss}, "val_map", 0, "", "tpe", 3, space, tries, chosen, final)
    tried, ranges = gathered(replace(finished, studies=[study])).tried()
    assert ranges == {known.name: space}
    told = [(one.value, one.chosen) for one in tried[known.name]]
    assert told == [(0.5, True), (0.4, False), (None, False)], "its repeats have other validation samples"
    assert len(tried["bce"]) == 6


def test_scores_of_other_labels_are_refused(tmp_path):
    with pytest.raises(StoreError, match=r"scores.safetensors does not hold the scores"):
        read_scores(save(tmp_path, about(make("bce"))), 5)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("history.csv", "epoch,val_map\n1,abc\n", "history.csv is damaged"),
        ("history.csv", "epoch,val_map\n1\n", "history.csv is damaged"),
        (
            "per_label.csv",
            "label,ap,test_positives,train_positives\na,0,1,1\n",
            "per_label.csv has 1 labels and should",
        ),
        ("per_label.csv", "index,label\n0,a\n", "per_label.csv has no column ap, test_positives, train_positives"),
        ("scores.safetensors", "nonsense", "scores.safetensors cannot be read"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, name, content, message):
    finished = comparison(tmp_path)
    run = next(run for run in finished.results if run.test)
    (finished.folders[run.run_id] / name).write_text(content)
    with pytest.raises(StoreError, match=message) as caught:
        figures(finished)
    assert str(finished.folders[run.run_id]) in str(caught.value)
    assert "type its command again" in str(caught.value)


# The command


def test_the_command_writes_and_says_what(run_cli, tmp_path):
    comparison(tmp_path / "runs")
    code, out, err = run_cli(
        "report", str(tmp_path / "runs"), "--format", "json", "--plots", str(tmp_path / "pictures")
    )
    assert code == 0
    assert json.loads(out)
    assert f"7 pictures in {tmp_path / 'pictures'}, each as PNG and SVG: comparison, verdicts, training_curves" in err
    assert "nothing to draw: critical_difference (it takes several data sets" in err
    files = {file.name for file in (tmp_path / "pictures").iterdir()}
    assert files == {f"{name}.{ending}" for name in EVERY - {"critical_difference"} for ending in ("png", "svg")}


def test_bad_words_of_the_command(run_cli, tmp_path):
    comparison(tmp_path / "runs", seeds=1)
    runs, file = str(tmp_path / "runs"), tmp_path / "file"
    file.write_text("")
    for words, message in (
        (["--plots", str(file)], "is a file; type the name of a folder"),
        (["--plots", str(file / "a")], "cannot be written"),
        (["--plots", str(tmp_path / "p"), "--label", "nobody"], "--label 'nobody' is not a label of this data"),
        (["--label", "label_1"], "type --plots DIR as well"),
        (["--plots", str(tmp_path / "p"), "--metric", "mapp"], "did you mean 'map'"),
    ):
        code, _, err = run_cli("report", runs, *words)
        assert (code, message in err, "Traceback" in err) == (2, True, False), words


def test_pictures_need_neither_torch_nor_pyplot():
    code = "import sys, mllc.plots; sys.exit(any(name in sys.modules for name in ('torch', 'matplotlib.pyplot')))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_what_load_finds_is_what_figures_take(tmp_path):
    finished = comparison(tmp_path)
    found = load([tmp_path])
    assert sorted(found.folders) == sorted(finished.folders)
    assert figures(found)[0].keys() == figures(finished)[0].keys()


def test_runs_whose_files_are_gone_are_named(tmp_path):
    finished = comparison(tmp_path)
    tested = [run for run in finished.results if run.name == "zlpr" and run.test]
    for run in tested:
        (finished.folders[run.run_id] / "scores.safetensors").unlink()
    (finished.folders[tested[0].run_id] / "history.csv").unlink()
    missing = figures(finished)[1]
    assert set(missing["zlpr in some pictures"].removeprefix("gone: ").split(", ")) == {
        "history.csv of 1 run",
        f"scores.safetensors of {len(tested)} runs",
    }


def test_rows_that_diverged_before_any_validation_can_be_drawn(tmp_path):
    runs = [make("bce", seed) for seed in (0, 1)]
    runs += [make("naive", seed, None, status="diverged", test=None, val=None) for seed in (0, 1)]
    runs = [about(run) for run in runs]
    folders = {run.run_id: save(tmp_path, run) for run in runs}
    for run in runs[2:]:
        (folders[run.run_id] / "history.csv").write_text("epoch,train_loss,lr,seconds\n1,3.0,0.1,1.0\n")
    pictures, _ = figures(Finished(runs, folders))
    assert "training_curves" in pictures
