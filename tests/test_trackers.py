"""Trackers: what TensorBoard's own reader finds, and that no tracker can change or end a run."""

import csv
import importlib
import json
import sys

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata
from test_run import TINY, Notes, assert_identical, configs_of, folder_of, state_of, trained

from mllc import preflight, run
from mllc.build import share
from mllc.config import compose
from mllc.errors import ConfigError
from mllc.trackers.watch import Watch
from mllc.trial import trial_of

HPARAMS = metadata.SESSION_START_INFO_TAG


def read(folder):
    """What TensorBoard reads from a folder of event files."""
    found = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    found.Reload()
    return found


def scalars(folder):
    """tag -> [(step, value)]."""
    found = read(folder)
    return {tag: [(event.step, event.value) for event in found.Scalars(tag)] for tag in found.Tags()["scalars"]}


def history(folder):
    with (folder / "history.csv").open() as file:
        return list(csv.DictReader(file))


def train(configs):
    return run.train(configs, score_test=True, screen=Notes())


def check(configs):
    return list(preflight.check(configs))


def assert_logged_once(folder, epochs):
    """Each column of history.csv, and nothing twice."""
    found, rows = scalars(folder), history(folder)
    assert len(rows) == epochs
    for column in rows[0].keys() - {"epoch"}:
        split, _, name = column.partition("_")
        tag = f"{split}/{name}" if split in ("train", "val") else f"run/{column}"
        assert [step for step, _ in found[tag]] == list(range(1, epochs + 1)), tag
        assert [value for _, value in found[tag]] == pytest.approx([float(row[column]) for row in rows], rel=1e-6)
    return found


class TestTensorBoard:
    def test_every_epoch_the_figures_and_the_settings(self, tmp_path):
        results, screen = trained(tmp_path, "loss=bce,focal", "seed=0,1", "tracker=tensorboard")
        groups = set()
        for result in results:
            folder = folder_of(tmp_path, result)
            found = assert_logged_once(folder, 2)
            assert {"train/loss", "val/loss", "val/map", "run/lr"} <= found.keys()
            known = {name: value for name, value in result.test.items() if value is not None}
            for name, value in known.items():
                assert found[f"test/{name}"] == [(result.best_epoch, pytest.approx(value, rel=1e-6))]
            assert found["best/val_map"] == [(result.best_epoch, pytest.approx(result.monitor_value, rel=1e-6))]
            content = read(folder).SummaryMetadata(HPARAMS).plugin_data.content
            session = metadata.parse_session_start_info_plugin_data(content)
            assert session.hparams["loss"].string_value == result.loss
            assert session.hparams["optimizer.lr"].number_value == 0.001
            assert session.hparams["backbone.width"].number_value == 16
            assert "seed" not in session.hparams
            groups.add((result.loss, session.group_name))
        assert len(groups) == 2, "seeds of one setting are one row under HParams"
        assert not [note for note in screen.notes if "tracker" in note]

    def test_a_resumed_run_has_each_epoch_once_also_those_without_a_tracker(self, tmp_path):
        class Stops(Notes):
            def epoch(self, name, epoch, metrics):
                if epoch == self.last:
                    raise KeyboardInterrupt

        for last, tracker in ((1, "none"), (2, "tensorboard"), (3, "tensorboard")):
            screen = Stops()
            screen.last = last
            configs = configs_of(tmp_path, "epochs=4", f"tracker={tracker}")
            with pytest.raises(KeyboardInterrupt):
                run.train(configs, score_test=True, screen=screen)
        (result,) = train(configs)
        found = assert_logged_once(folder_of(tmp_path, result), 4)
        assert len(found["test/map"]) == 1

    def test_what_an_epoch_logged_that_has_to_be_repeated_is_taken_back(self, tmp_path, monkeypatch):
        configs = configs_of(tmp_path, "epochs=3", "tracker=tensorboard")

        log = Watch.epoch

        def dies_after_the_second(watch, row):
            log(watch, row)
            if row["epoch"] == 2:
                raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(Watch, "epoch", dies_after_the_second)
            with pytest.raises(KeyboardInterrupt):
                train(configs)
        next(tmp_path.glob("*/resume.safetensors")).unlink()
        (result,) = train(configs)
        assert_logged_once(folder_of(tmp_path, result), 3)

    def test_scored_later_the_figures_are_added(self, tmp_path):
        (result,), _ = trained(tmp_path, "tracker=tensorboard", test=False)
        folder = folder_of(tmp_path, result)
        assert not [tag for tag in scalars(folder) if tag.startswith("test/")]
        trained(tmp_path, "tracker=tensorboard")
        found = assert_logged_once(folder, 2)
        assert len(found["test/map"]) == len(found["best/val_map"]) == 1

    def test_force_begins_anew_here_and_elsewhere(self, tmp_path):
        for place in ("null", str(tmp_path / "elsewhere")):
            overrides = ("tracker=tensorboard", f"tracker.dir={place}")
            trained(tmp_path / "runs", *overrides, force=True)
            (result,), _ = trained(tmp_path / "runs", *overrides, "epochs=2", force=True)
            folder = folder_of(tmp_path / "runs", result)
            logged = folder if place == "null" else tmp_path / "elsewhere" / folder.name
            found = scalars(logged)
            assert [step for step, _ in found["val/map"]] == [1, 2]
            assert [value for _, value in found["val/map"]] == pytest.approx(
                [float(row["val_map"]) for row in history(folder)], rel=1e-6
            )
            assert bool([*folder.glob("events*")]) == (place == "null")

    def test_a_run_that_diverges_ends_without_figures(self, tmp_path):
        (result,), screen = trained(tmp_path, "loss=bce_naive", "optimizer.lr=10", "tracker=tensorboard")
        assert result.status == "diverged"
        found = scalars(folder_of(tmp_path, result))
        assert "train/loss" in found
        assert not [tag for tag in found if tag.startswith(("test/", "best/"))]
        assert not [note for note in screen.notes if "tracker" in note]

    @pytest.mark.parametrize("command", [train, check])
    def test_without_the_package_nothing_begins(self, tmp_path, monkeypatch, command):
        monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
        configs = configs_of(tmp_path, "tracker=tensorboard")
        with pytest.raises(ConfigError, match=r"tracker=tensorboard cannot work .*type: pip install tensorboard, or"):
            command(configs)
        assert not [*tmp_path.rglob("*.yaml")]


OWN = """
import json, sys

class Own:
    def __init__(self, *, where, fails="no"):
        self.where, self.fails = where, fails
        self.call("init")

    def begin(self, run):
        self.call("begin", run.folder.name, run.settings["loss"], run.epochs, len(run.history()))

    def epoch(self, row):
        step = int(row["epoch"])
        row.clear()  # it is the tracker's own copy
        self.call("epoch", step)

    def end(self, result):
        self.call("end", result and result.status)

    def call(self, method, *what):
        with open(self.where, "a") as file:
            print(json.dumps([method, *what]), file=file)
        if self.fails == method:
            ERROR
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Runs with the user's own tracker; the calls that it got, the results and the screen."""
    (tmp_path / "conf/tracker").mkdir(parents=True)
    yaml = f"_target_: own_tracker.Own\nwhere: {tmp_path / 'calls'}\nfails: 'no'\n"
    (tmp_path / "conf/tracker/own.yaml").write_text(yaml)
    monkeypatch.syspath_prepend(tmp_path)

    def call(out, *overrides, error="raise RuntimeError('no network')", screen=None, code=OWN):
        (tmp_path / "own_tracker.py").write_text(code.replace("ERROR", error))
        (tmp_path / "calls").write_text("")
        monkeypatch.delitem(sys.modules, "own_tracker", raising=False)
        importlib.invalidate_caches()
        screen = screen or Notes()
        overrides = [*TINY, f"out={out}", "tracker=own", *overrides]
        configs = compose.expand(overrides, tmp_path / "conf", preset=None)
        results = run.train(configs, score_test=True, screen=screen, allow=("own_tracker",))
        return results, screen, calls()

    def calls():
        return [json.loads(line) for line in (tmp_path / "calls").read_text().splitlines()]

    call.calls = calls
    yield call
    sys.modules.pop("own_tracker", None)


def test_a_tracker_of_the_users_own_is_told_of_each_run_in_order(own, tmp_path):
    results, _, calls = own(tmp_path / "runs", "loss=bce,zlpr")
    for result in results:
        name = folder_of(tmp_path / "runs", result).name
        assert ["begin", name, result.loss, 0, 0] in calls
    names = [call[0] for call in calls]
    assert names == ["init", "begin"] * 2 + ["epoch"] * 4 + ["end"] * 2
    assert [call[1] for call in calls if call[0] == "epoch"] == [1, 1, 2, 2]
    assert [call for call in calls if call[0] == "end"] == [["end", "done"]] * 2
    assert own(tmp_path / "runs", "loss=bce,zlpr")[2] == [], "nothing is told of what was done before"


@pytest.mark.parametrize("error", ["raise RuntimeError('no network')", "sys.exit(3)"])
@pytest.mark.parametrize("method", ["init", "begin", "epoch", "end"])
def test_a_tracker_that_fails_is_said_once_left_alone_and_changes_nothing(own, tmp_path, method, error):
    (plain,), _ = trained(tmp_path / "plain")
    (result,), screen, calls = own(tmp_path / "runs", f"tracker.fails={method}", error=error)
    assert_identical(state_of(tmp_path / "runs", result), state_of(tmp_path / "plain", plain))
    folder, other = folder_of(tmp_path / "runs", result), folder_of(tmp_path / "plain", plain)
    assert {file.name for file in folder.iterdir()} == {file.name for file in other.iterdir()}
    for name in ("scores.safetensors", "per_label.csv", "checkpoint.safetensors"):
        assert (folder / name).read_bytes() == (other / name).read_bytes()
    (note,) = [note for note in screen.notes if "tracker" in note]
    assert note.startswith("tracker=own failed and is left out; the run folder has everything: ")
    assert f"{tmp_path}/own_tracker.py, line " in note
    assert calls[-1][0] == method, "left alone"
    assert [call[0] for call in calls].count(method) == 1


def test_the_same_failure_in_every_run_is_said_once(own, tmp_path):
    results, screen, _ = own(tmp_path, "loss=bce,zlpr", "tracker.fails=begin")
    assert [result.status for result in results] == ["done", "done"]
    assert len([note for note in screen.notes if "tracker" in note]) == 1


@pytest.mark.parametrize("method", ["init", "begin", "epoch", "end"])
def test_ctrl_c_in_a_tracker_is_ctrl_c(own, tmp_path, method):
    with pytest.raises(KeyboardInterrupt):
        own(tmp_path, f"tracker.fails={method}", error="raise KeyboardInterrupt")


def test_a_run_that_is_cut_off_ends_with_none_and_goes_on_where_it_was(own, tmp_path):
    class Stops(Notes):
        def epoch(self, name, epoch, metrics):
            if epoch == 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        own(tmp_path / "runs", "epochs=3", screen=Stops())
    assert [call for call in own.calls() if call[0] in ("epoch", "end")] == [["epoch", 1], ["end", None]]
    (result,), _, calls = own(tmp_path / "runs", "epochs=3")
    name = folder_of(tmp_path / "runs", result).name
    assert calls == [["init"], ["begin", name, "bce", 2, 2], ["epoch", 3], ["end", "done"]]


def test_the_id_is_the_same_whatever_the_tracker(own, tmp_path):
    (plain,), _ = trained(tmp_path / "plain")
    codes = (OWN, OWN + "\n# changed\n")
    ids = {own(tmp_path / f"runs{i}", code=code)[0][0].run_id for i, code in enumerate(codes)}
    (conf,) = configs_of(tmp_path, "tracker=tensorboard", "tracker.dir=x")
    assert {*ids, trial_of(conf, "", share(conf)).run_id} == {plain.run_id}


def test_a_setting_that_a_tracker_does_not_take_ends_the_command(own, tmp_path):
    (tmp_path / "conf/tracker/own.yaml").write_text("_target_: own_tracker.Own\nwhere: x\ncolour: red\n")
    with pytest.raises(ConfigError, match=r"own_tracker\.Own takes no 'colour'\. It takes where, fails"):
        own(tmp_path / "runs")


def test_it_is_nothing_to_compare_by(run_cli):
    status, _, err = run_cli("sweep", "loss=bce,focal", "tracker=none", "--by", "tracker")
    assert status == 2
    assert "--by tracker: 'tracker' is not a setting of these runs" in err


def test_a_tracker_from_elsewhere_has_to_be_allowed(own, tmp_path):
    own(tmp_path / "runs")
    conf = compose.compose([*TINY, f"out={tmp_path / 'other'}", "tracker=own"], tmp_path / "conf")
    with pytest.raises(ConfigError, match="if you trust it, type --allow-target own_tracker"):
        train([conf])
