"""Tuned sweeps on a small sheet: equal chances for every row, and whatever cuts a search off, the same end."""

import csv
import json
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest
from test_readme import write_features
from test_run import Notes

from mllc import cli, run, tune
from mllc.config import compose as config
from mllc.config.search import expand_tuned
from mllc.errors import ConfigError, StoreError
from mllc.folder import Folder
from mllc.report import load, render, rows
from mllc.study import Study

SHEET = (
    "dataset.samples=200",
    "dataset.test_samples=60",
    "dataset.grid=3",
    "backbone.width=8",
    "backbone.bottleneck=4",
    "batch_size=64",
    "epochs=1",
    "device=cpu",
)
SWEEP = ("loss=bce,zlpr", "seed=range(2)", "tune.trials=3", "epochs=2")
EVERYTHING_RANDOM = ("backbone.dropout=0.4", "dataset.augment.flip=0.5", "schedule=one_cycle")


def tuned(out, *overrides, by="loss", config_dir=None, allow=(), screen=None, force=False, data=SHEET):
    how, searches, fixed = expand_tuned([*data, *overrides, f"out={out}"], config_dir, None, by.split(","))
    screen = screen or Notes()
    return tune.sweep(searches, fixed, how, by=by, screen=screen, force=force, allow=allow)


def left(out):
    """All that lies in a folder, times and places apart."""
    found = {}
    for file in sorted(out.rglob("*")):
        name = str(file.relative_to(out))
        if file.name == "result.json":
            found[name] = json.loads(file.read_text()) | {"seconds": 0.0}
        elif file.name == "history.csv":
            with file.open() as lines:
                found[name] = [row | {"seconds": 0} for row in csv.DictReader(lines)]
        elif file.is_file() and file.name not in (".lock", "journal.log", "config.yaml", "environment.json"):
            found[name] = file.read_bytes()
    return found


def stop(out, rest, *overrides, **options):
    """Sweeps that are stopped after some cohorts and epochs, again and again; how often until one ends."""

    class Stops(Notes):
        events = 0

        def event(self):
            self.events += 1
            if self.events == self.last:
                raise KeyboardInterrupt

        def cohort(self, *about):
            super().cohort(*about)
            self.event()

        def epoch(self, *about):
            super().epoch(*about)
            self.event()

    for sessions in range(100):
        screen = Stops()
        screen.last = rest.randint(2, 9)  # a cohort and an epoch at least, or it would never end
        try:
            tuned(out, *overrides, screen=screen, **options)
        except KeyboardInterrupt:
            continue
        return sessions
    raise AssertionError


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A folder with a finished search of two losses, what it returned and said."""
    out, screen = tmp_path_factory.mktemp("whole"), Notes()
    results, studies = tuned(out, *SWEEP, screen=screen)
    return out, results, studies, screen


class TestATunedSweep:
    def test_every_row_has_the_same_trials_and_its_best_is_repeated(self, whole):
        _, results, studies, _ = whole
        assert [study.completed() for study in studies] == [3, 3]
        for study in studies:
            best = max(study.tries, key=lambda one: one.value)
            assert study.chosen == best.values
            repeats = [result for result in results if result.run_id in study.final]
            assert [(run.name, run.seed) for run in repeats] == [(study.name, 0), (study.name, 1)]
            for result in repeats:
                assert {key: result.settings[key] for key in study.chosen} == study.chosen

    def test_only_the_repeats_are_scored_on_test(self, whole):
        out, results, studies, _ = whole
        repeats = {run_id for study in studies for run_id in study.final}
        assert len(results) == 2 * 3 + 2 * 2
        assert {result.run_id for result in results if result.test is not None} == repeats
        assert {file.parent.name[-12:] for file in out.rglob("scores.safetensors")} == repeats
        assert {result.seed for result in results if result.test is None} == {1000}

    def test_the_trials_are_the_runs_that_the_settings_make(self, whole, tmp_path):
        out, _, (study, _), _ = whole
        one = study.tries[1]
        overrides = [f"{key}={value}" for key, value in one.values.items()]
        conf = config.compose([*SHEET, "epochs=2", "loss=bce", "seed=1000", *overrides, f"out={tmp_path}"])
        (result,) = run.train([conf], score_test=False, screen=Notes())
        assert (result.run_id, result.monitor_value) == (one.run_id, one.value)
        assert list(out.glob(f"*-{one.run_id}"))

    def test_a_round_of_all_rows_is_one_cohort(self, whole):
        *_, screen = whole
        assert [len(names) for names in screen.cohorts] == [2] * (3 + 2)

    def test_what_it_says(self, whole):
        *_, screen = whole
        assert any("bce: 3 trials, best val_map 0." in note and "with optimizer.lr=" in note for note in screen.notes)
        assert "scoring 4 of 4 runs on test: the settings selected on validation" in screen.notes

    def test_the_folder_holds_the_same(self, whole):
        out, results, studies, _ = whole
        found = load([out])
        assert sorted(found.studies, key=str) == sorted(studies, key=str)
        assert sorted(found.results, key=str) == sorted(results, key=str)
        assert {one.run_id: one for one in found.results} == {one.run_id: one for one in results}

    def test_the_report_is_of_the_repeats(self, whole):
        out, *_ = whole
        found = load([out])
        trained = [row for row in rows(found.results, studies=found.studies) if row.runs]
        assert {(row.name, row.seeds, row.tried, row.trials, row.split) for row in trained} == {
            (name, (0, 1), 3, 5, "test") for name in ("bce", "zlpr")
        }
        text = render(found.results, studies=found.studies, width=1000)
        assert "Trials: those that a search on validation completed, with seed 1000." in text
        assert "holds out" not in text, "the sheet has one test split for all seeds"

    def test_run_folders_bring_the_searches_beside_them(self, whole):
        """As the shell lists them: mllc report runs/digits-*."""
        found = load(out := sorted(whole[0].glob("digits-*")))
        assert len(found.results) == len(out)
        assert sorted(found.studies, key=str) == sorted(load([whole[0]]).studies, key=str)
        assert {row.split for row in rows(found.results, studies=found.studies) if row.runs} == {"test"}

    def test_typed_again_it_trains_nothing_and_returns_the_same(self, whole):
        out, results, studies, _ = whole
        before, screen = left(out), Notes()
        assert tuned(out, *SWEEP, screen=screen) == (results, studies)
        assert screen.cohorts == []
        assert left(out) == before

    def test_other_seeds_search_nothing_and_join_the_repeats(self, whole, tmp_path):
        out = tmp_path / "out"
        shutil.copytree(whole[0], out)
        screen = Notes()
        _, studies = tuned(out, *SWEEP, "seed=2", screen=screen)
        assert [sorted(names) for names in screen.cohorts] == [["bce", "zlpr"]]
        assert [len(study.final) for study in studies] == [3, 3]
        found = load([out])
        assert all(row.seeds == (0, 1, 2) for row in rows(found.results, studies=found.studies) if row.runs)

    def test_another_run_in_the_folder_changes_no_row(self, whole, tmp_path):
        out = tmp_path / "out"
        shutil.copytree(whole[0], out)
        conf = config.compose([*SHEET, "epochs=2", "loss=bce", "optimizer.lr=0.02", "seed=0", f"out={out}"])
        run.train([conf], score_test=True, screen=Notes())
        before, after = load([whole[0]]), load([out])
        assert len(after.results) == len(before.results) + 1
        for old, new in zip(*(rows(one.results, studies=one.studies) for one in (before, after)), strict=True):
            assert (old.name, old.runs, old.tried) == (new.name, new.runs, new.tried)

    def test_more_trials_go_on_where_it_was(self, whole, tmp_path):
        longer = tmp_path / "longer"
        shutil.copytree(whole[0], longer)
        screen = Notes()
        _, studies = tuned(longer, *SWEEP, "tune.trials=5", screen=screen)
        assert [study.completed() for study in studies] == [5, 5]
        assert sum(len(names) == 2 for names in screen.cohorts[:2]) == 2, "two rounds more"
        _, at_once = tuned(tmp_path / "at_once", *SWEEP, "tune.trials=5")
        assert studies == at_once

    def test_force_starts_anew(self, whole, tmp_path):
        out, _, studies, first = whole
        copy, screen = tmp_path / "copy", Notes()
        shutil.copytree(out, copy)
        tuned(copy, *SWEEP, "tune.trials=4")
        _, again = tuned(copy, *SWEEP, screen=screen, force=True)
        assert again == studies
        assert screen.cohorts == first.cohorts

    def test_a_study_that_is_in_use_is_left_alone(self, whole, tmp_path):
        out = tmp_path / "out"
        shutil.copytree(whole[0], out)
        (folder, *_) = sorted(out.glob("studies/*"))
        with Folder(folder).locked(), pytest.raises(StoreError, match=r"studies/.* is in use by process \d+; wait"):
            tuned(out, *SWEEP)

    def test_a_damaged_journal_is_told_and_a_damaged_study_written_again(self, whole, tmp_path):
        out = tmp_path / "out"
        shutil.copytree(whole[0], out)
        (journal, *_) = out.glob("studies/*/journal.log")
        (journal.parent / "study.json").write_text('{"format": 1, "name": "b')
        with pytest.raises(
            StoreError, match=r"study.json: .*\nMove the folder of a damaged run away and type its command again"
        ):
            load([out])
        tuned(out, *SWEEP)
        assert left(out) == left(whole[0])
        journal.write_text("nonsense\n" + journal.read_text())
        with pytest.raises(StoreError, match=r"journal.log is damaged"):
            tuned(out, *SWEEP)
        shutil.rmtree(journal.parent)
        screen = Notes()
        tuned(out, *SWEEP, screen=screen)
        assert screen.cohorts == [], "every run was there"
        assert left(out) == left(whole[0])

    def test_a_trial_whose_folder_was_removed_is_not_missed(self, whole, tmp_path):
        out = tmp_path / "out"
        shutil.copytree(whole[0], out)
        _, _, (study, _), _ = whole
        (gone,) = out.glob(f"*-{study.tries[0].run_id}")
        shutil.rmtree(gone)
        results, studies = tuned(out, *SWEEP)
        assert len(results) == len(whole[1]) - 1
        assert studies == whole[2]


MOODY = """import torch
def moody(logits, targets, *, mood):
    if mood > 0.8:
        raise ValueError("in no mood")
    if mood > 0.6 and len(logits) > 3:
        raise ValueError("tired already")
    return torch.nn.functional.softplus(-(2 * targets - 1) * logits) * (1 if mood > 0.3 else float("nan"))
def hopeless(logits, targets):
    if len(logits) > 3:
        raise ValueError("no hope")
    return torch.nn.functional.softplus(-(2 * targets - 1) * logits)
"""
MOODY_YAML = """_target_: moody.moody
mood: 0.5
reduction: sum
rule: above
threshold: 0.5
k: null
traits:
  formula: f
  source: s
  shape: element
  search: {mood: {low: 0.0, high: 1.0}}
  types: {mood: number >= 0 <= 1}
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A folder with losses that diverge and fail."""
    (tmp_path / "loss").mkdir()
    (tmp_path / "moody.py").write_text(MOODY)
    (tmp_path / "loss/moody.yaml").write_text(MOODY_YAML)
    (tmp_path / "loss/hopeless.yaml").write_text(
        "_target_: moody.hopeless\ndefaults: [bce]\ntraits: {formula: f, source: s, shape: element}\n"
    )
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    yield {"config_dir": tmp_path, "allow": ("moody",)}
    sys.modules.pop("moody", None)


def statuses(study):
    return [one.status for one in study.tries]


class TestWhateverBecomesOfTrials:
    def test_every_row_completes_the_same_number(self, own, tmp_path):
        overrides = ("loss=bce,moody,hopeless,bce_naive", "tune.trials=6", "tune.at_once=2", "tune.sampler=random")
        screen = Notes()
        results, studies = tuned(
            tmp_path / "out", *overrides, "optimizer.lr=interval(0.5,5)", "seed=0", screen=screen, **own
        )
        bce, moody, hopeless, naive = studies
        assert [study.completed() for study in studies] == [6, 6, 0, 6]
        assert {"done", "diverged", "failed"} <= set(statuses(moody))
        assert len(moody.tries) == 6 + statuses(moody).count("failed")
        assert set(statuses(bce)) <= {"done", "diverged"}
        assert statuses(hopeless) == ["failed"] * 6
        assert (hopeless.chosen, hopeless.final) == (None, ())
        assert "diverged" in statuses(naive)
        assert 0.3 < moody.chosen["loss.mood"] <= 0.6
        refused = [one for one in moody.tries if not one.run_id]
        assert {one.values["loss.mood"] > 0.8 for one in refused} == {True}
        assert any("moody failed: loss 'moody'" in note and "in no mood" in note for note in screen.notes)
        assert len(moody.final) == 1
        text = render(results, studies=studies, width=1000)
        assert f"with seed 1000, {6 + statuses(moody).count('failed')} more failed." in text
        assert "Unequal chances" in text

    def test_rows_without_a_sound_trial_are_shown(self, own, tmp_path):
        overrides = ("loss=bce,moody,hopeless", "tune.trials=2", "seed=0")
        results, studies = tuned(tmp_path / "out", *overrides, "loss.reduction=sum", **own)
        found = {row.name: row for row in rows(results, studies=studies) if row.runs}
        assert found["hopeless"].status == "failed"
        assert found["bce"].status == "done"

    def test_a_loss_that_never_runs_is_told_at_once(self, own, tmp_path):
        with pytest.raises(ConfigError, match=r"loss 'moody' .*in no mood"):
            tuned(tmp_path / "out", "loss=moody", "loss.mood=0.9", "tune.trials=2", **own)

    def test_a_first_trial_that_was_drawn_may_fail_as_any_other(self, own, tmp_path):
        """Only the YAMLs' own values, which a typed range may leave out, should go."""
        overrides = ("loss=moody", "loss.mood=interval(0.55,1)", "tune.trials=2", "tune.sampler=random", "seed=0")
        out = tmp_path / "out"
        _, (study,) = tuned(out, *overrides, "tune.seed=22", **own)
        assert (study.tries[0].run_id, statuses(study)) == ("", ["failed", "done", "failed"])

    def test_cut_off_in_the_midst_of_failures(self, own, tmp_path):
        overrides = ("loss=moody", "tune.trials=5", "tune.at_once=2", "tune.sampler=random", "epochs=2")
        tuned(tmp_path / "whole", *overrides, **own)
        assert stop(tmp_path / "parts", random.Random(1), *overrides, **own) > 1
        assert left(tmp_path / "parts") == left(tmp_path / "whole")


PRUNED = ("loss=bce,zlpr", "tune.trials=8", "tune.pruning=median", "tune.sampler=random", "epochs=3", "seed=0")


@pytest.fixture(scope="module")
def pruned(tmp_path_factory):
    out = tmp_path_factory.mktemp("pruned")
    return out, *tuned(out, *PRUNED)


class TestPruning:
    def test_it_spares_epochs_and_is_counted_apart(self, pruned):
        _, results, studies = pruned
        given_up = {one.run_id for study in studies for one in study.tries if one.status == "pruned"}
        assert given_up
        assert [study.completed() for study in studies] == [8, 8]
        assert {result.status for result in results if result.run_id in given_up} == {"pruned"}
        assert all(result.epochs < 3 for result in results if result.run_id in given_up)
        assert all(result.epochs == 3 for result in results if result.run_id not in given_up)
        assert f"with seed 1000, {len(given_up)} more pruned." in render(results, studies=studies, width=1000)

    def test_a_trial_is_pruned_where_it_was_worse_than_the_median(self, pruned):
        """By hand, from what lies in the folders."""
        out, _, studies = pruned

        def history(one):
            (folder,) = out.glob(f"*-{one.run_id}")
            with (folder / "history.csv").open() as lines:
                return [float(row["val_map"]) for row in csv.DictReader(lines)]

        for study in studies:
            for one in study.tries:
                before = [history(other) for other in study.tries[: one.number] if other.status == "done"]
                for epoch in range(1, 3):
                    mine = history(one)[:epoch]
                    if len(before) >= 5 and len(mine) == epoch:
                        middle = sorted(other[epoch - 1] for other in before)
                        half = len(middle) // 2
                        median = middle[half] if len(middle) % 2 else (middle[half - 1] + middle[half]) / 2
                        assert (max(mine) < median) == (one.status == "pruned" and epoch == len(history(one)))

    @pytest.mark.slow
    def test_cut_off_it_prunes_the_same(self, pruned, tmp_path):
        assert stop(tmp_path, random.Random(2), *PRUNED) > 5
        assert left(tmp_path) == left(pruned[0])

    def test_pruned_trials_are_trained_where_nothing_is_pruned(self, pruned, tmp_path):
        shutil.copytree(pruned[0], tmp_path / "out")
        _, studies = tuned(tmp_path / "out", *PRUNED, "tune.pruning=none")
        assert {status for study in studies for status in statuses(study)} == {"done"}


@pytest.mark.parametrize("more", [(), ("tune.at_once=3", *EVERYTHING_RANDOM)])
def test_stopped_anywhere_it_ends_as_if_it_had_not_been(whole, tmp_path, more):
    reference = whole[0] if not more else tmp_path / "whole"
    if more:
        tuned(reference, *SWEEP, *more)
    assert stop(tmp_path / "parts", random.Random(0), *SWEEP, *more) > 2
    assert left(tmp_path / "parts") == left(reference)


def test_stopped_before_the_repeats_the_rows_say_so(whole, tmp_path):
    class Stops(Notes):
        def cohort(self, names, epochs, title):
            if self.stage == "repeats":
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tuned(tmp_path, *SWEEP, screen=Stops())
    found = load([tmp_path])
    trained = [row for row in rows(found.results, studies=found.studies) if row.runs]
    assert [(row.seeds, row.split, row.tried) for row in trained] == [((1000,), "val", 3)] * 2
    text = render(found.results, studies=found.studies, width=1000)
    assert "VALIDATION (nothing was scored on test)" in text
    for study in found.studies:
        (row,) = (row for row in trained if row.name == study.name)
        assert {key: row.settings[key] for key in study.chosen} == study.chosen
    both = load([tmp_path, whole[0]])
    assert {run.seed for row in rows(both.results, studies=both.studies) for run in row.runs} == {0, 1}


def test_stopped_between_the_repeats_those_that_are_there_stand_for_the_row(tmp_path):
    class Stops(Notes):
        def cohort(self, names, epochs, title):
            if title == "digits, seed 1":
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tuned(tmp_path, *SWEEP, screen=Stops())
    found = load([tmp_path])
    trained = [row for row in rows(found.results, studies=found.studies) if row.runs]
    assert [(row.seeds, row.split, row.tried) for row in trained] == [((0,), "val", 3)] * 2


def test_beside_rows_that_are_done_one_that_was_cut_off_is_marked(whole, tmp_path):
    shutil.copytree(whole[0], tmp_path / "out")
    (other,) = (study for study in whole[2] if study.name == "zlpr")
    for run_id in other.final:
        (folder,) = (tmp_path / "out").glob(f"*-{run_id}")
        shutil.rmtree(folder)
    (file,) = (tmp_path / "out").glob("studies/zlpr-*/study.json")
    file.write_text(json.dumps(json.loads(file.read_text()) | {"final": []}))
    found = load([tmp_path / "out"])
    text = render(found.results, studies=found.studies, width=1000)
    assert "†: 1 row not scored on test" in text


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_as_if_it_had_not_been(tmp_path):
    overrides = [
        *SHEET,
        "loss=bce,softmax_count",
        "seed=0",
        "tune.trials=3",
        "tune.at_once=2",
        "epochs=6",
        "dataset.samples=1500",
    ]
    command = [sys.executable, "-m", "mllc", "sweep", *overrides]

    def start(out):
        return subprocess.Popen([*command, f"out={out}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    began = time.monotonic()
    assert start(tmp_path / "whole").wait(timeout=600) == 0
    lasts, draw, parts = time.monotonic() - began, random.Random(0), tmp_path / "parts"
    for _ in range(5):
        process = start(parts)
        while not list(parts.glob("*/config.yaml")) and process.poll() is None:
            time.sleep(0.01)
        time.sleep(draw.uniform(0.2, 0.6) * lasts)
        process.send_signal(signal.SIGKILL)
        process.wait()
        for journal in parts.glob("studies/*/journal.log"):  # as if it had been killed while it wrote a line
            content = journal.read_bytes()
            journal.write_bytes(content[: len(content) - draw.randint(0, 40)])
    assert start(parts).wait(timeout=600) == 0
    assert left(parts) == left(tmp_path / "whole")


class TestWhatIsCompared:
    def test_optimizers_each_with_its_own_range(self, tmp_path):
        results, studies = tuned(tmp_path, "optimizer=adam,sgd,adagrad", "tune.trials=2", "seed=0,1", by="optimizer")
        assert [study.fixed["optimizer"] for study in studies] == ["adam", "sgd", "adagrad"]
        assert len({study.space["optimizer.lr"] for study in studies}) == 3
        trained = [row for row in rows(results, "optimizer", studies=studies) if row.runs]
        assert {(row.optimizer, row.seeds, row.tried) for row in trained} == {
            (name, (0, 1), 2) for name in ("adam", "sgd", "adagrad")
        }

    def test_loss_by_optimizer(self, tmp_path):
        overrides = ("loss=bce,zlpr", "optimizer=adam,sgd", "tune.trials=2", "seed=0,1")
        results, studies = tuned(tmp_path, *overrides, by="loss,optimizer")
        assert len({study.study_id for study in studies}) == 4
        cells = [row for row in rows(results, "loss,optimizer", studies=studies) if row.runs]
        assert {(row.loss, row.optimizer, row.seeds, row.tried, row.split) for row in cells} == {
            (loss, optimizer, (0, 1), 2, "test") for loss in ("bce", "zlpr") for optimizer in ("adam", "sgd")
        }
        by_loss = [row for row in rows(results, "loss", studies=studies) if row.runs]
        assert [row.tried for row in by_loss] == [4, 4], "the optimizer is one more setting that was searched"

    def test_a_setting_that_is_compared_is_not_searched(self, tmp_path):
        overrides = ("loss=focal", "loss.gamma=1,3", "loss.alpha=0.5", "tune.trials=2", "seed=0,1")
        results, studies = tuned(tmp_path, *overrides, by="loss,loss.gamma")
        assert [study.fixed["loss.gamma"] for study in studies] == [1.0, 3.0]
        found = [row for row in rows(results, "loss,loss.gamma", studies=studies) if row.runs]
        assert {(row.group["loss.gamma"], row.tried, row.seeds) for row in found} == {
            (1.0, 2, (0, 1)),
            (3.0, 2, (0, 1)),
        }

    def test_a_row_with_nothing_to_search_is_trained_with_the_others_seeds(self, tmp_path):
        overrides = ("loss=bce,soft_f1", "optimizer.lr=0.01", "optimizer.weight_decay=0", "tune.trials=9", "seed=0,1")
        results, studies = tuned(tmp_path, *overrides)
        assert [(study.name, study.completed()) for study in studies] == [("soft_f1", 2)], "it has two settings"
        found = {row.name: row for row in rows(results, studies=studies) if row.runs}
        assert {name: (row.seeds, row.tried, row.split) for name, row in found.items()} == {
            "bce": ((0, 1), 1, "test"),
            "soft_f1": ((0, 1), 2, "test"),
        }

    def test_a_wider_range_adds_to_what_was_searched(self, whole, tmp_path):
        out = tmp_path / "out"
        shutil.copytree(whole[0], out)
        tuned(out, *SWEEP, "optimizer.lr=interval(0.001,0.3)")
        found = load([out])
        trained = [row for row in rows(found.results, studies=found.studies) if row.runs]
        assert [(len(row.studies), row.tried) for row in trained] == [(2, 6), (2, 6)]
        assert all(row.seeds == (0, 1) and row.split == "test" for row in trained)


def test_two_cohorts_and_two_backbones(tmp_path):
    write_features(tmp_path)
    data = ("dataset=arff", f"dataset.train={tmp_path}/train.arff", "dataset.num_labels=-3", "epochs=2", "device=cpu")
    overrides = ("loss=bce,zlpr", "backbone=linear,mlp", "tune.trials=2", "seed=0,1")
    results, studies = tuned(tmp_path / "out", *overrides, by="loss,backbone", data=data)
    assert [study.completed() for study in studies] == [2] * 4
    found = [row for row in rows(results, "loss,backbone", studies=studies) if row.runs]
    assert {(row.loss, row.backbone, row.seeds) for row in found} == {
        (loss, backbone, (0, 1)) for loss in ("bce", "zlpr") for backbone in ("linear", "mlp")
    }


def test_where_each_seed_holds_out_its_own_test_samples_the_report_says_so(tmp_path):
    write_features(tmp_path)
    data = ["dataset=arff", f"dataset.train={tmp_path}/train.arff", "dataset.num_labels=-3", "epochs=1", "device=cpu"]
    sentence = "Each seed holds out test samples of its own, most of which the search trained or validated on"
    overrides = ("loss=bce", "tune.trials=2", "seed=0")
    results, studies = tuned(tmp_path / "carved", *overrides, data=data)
    assert sentence in render(results, studies=studies, width=1000)
    results, studies = tuned(tmp_path / "given", *overrides, data=[*data, f"dataset.test={tmp_path}/test.arff"])
    assert sentence not in render(results, studies=studies, width=1000)


class TestTheCommand:
    @staticmethod
    def call(monkeypatch, capsys, *words):
        monkeypatch.setattr(sys, "argv", ["mllc", *words])
        with pytest.raises(SystemExit) as gone:
            cli.main()
        return (gone.value.code or 0, *capsys.readouterr())

    def test_sweep_and_report(self, monkeypatch, capsys, tmp_path):
        words = [*SHEET, "loss=bce,zlpr", "seed=0,1", "tune.trials=2", f"out={tmp_path}"]
        code, out, err = self.call(monkeypatch, capsys, "sweep", *words)
        assert code == 0, err
        assert "loss bce, zlpr (8 trials)" in err
        assert "search, trial 2: digits, seed 1000" in err
        assert "repeats: digits, seed 1" in err
        assert "Trials: those that a search on validation completed" in out.replace("\n  ", " ")
        code, again, _ = self.call(monkeypatch, capsys, "report", str(tmp_path))
        assert code == 0
        assert again == out

    def test_check_says_what_would_be_searched(self, monkeypatch, capsys, tmp_path):
        words = [*SHEET, "loss=bce,focal", "tune.trials=2", f"out={tmp_path}/out"]
        code, out, _ = self.call(monkeypatch, capsys, "check", *words)
        assert code == 0
        *_, ready, bce, focal = out.splitlines()
        assert ready == "2 trials ready to run"
        assert bce.startswith("bce: 2 trials in optimizer.lr=tag(log,interval(0.0001,0.03)) optimizer.weight_decay=")
        assert focal.endswith(" loss.gamma=interval(0.5,5) loss.alpha=interval(0.1,0.9)")
        assert not (tmp_path / "out").exists()

    def test_a_folder_in_use_is_told_in_a_line(self, monkeypatch, capsys, tmp_path):
        words = [*SHEET, "loss=bce,zlpr", "seed=0", "tune.trials=1", f"out={tmp_path}"]
        assert self.call(monkeypatch, capsys, "sweep", *words)[0] == 0
        (folder, *_) = tmp_path.glob("studies/bce-*")
        with Folder(folder).locked():
            code, _, err = self.call(monkeypatch, capsys, "sweep", *words)
        assert code == 2
        assert err.splitlines()[-1].startswith(f"mllc: error: {folder} is in use by process")
        assert "Traceback" not in err


def test_the_study_is_plain_json(whole):
    (file, *_) = whole[0].glob("studies/bce-*/study.json")
    study = Study.from_json(file.read_text())
    assert study.space["optimizer.lr"].ends == (0.0001, 0.03)
    assert (study.sampler, study.wanted, study.seed, study.monitor) == ("tpe", 3, 1000, "val_map")
    assert study.fixed["loss"] == "bce"
    assert "optimizer.lr" not in study.fixed
