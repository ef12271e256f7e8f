"""Sweeps in several processes: the results of one process bit for bit, whatever dies meanwhile."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from test_run import EVERYTHING_RANDOM, TINY, Notes, assert_identical, configs_of, state_of
from test_tune import left

from mllc import forkserver, tune
from mllc.config.compose import expand
from mllc.config.search import expand_tuned
from mllc.errors import StoreError
from mllc.pack import Crew
from mllc.plan import share_out
from mllc.preflight import Sharing
from mllc.store import RunFolder
from mllc.sweep import sweep
from mllc.workforce import _busy, _on_one_gpu, workforce

SWEEP = ("loss=bce,focal,zlpr", "seed=0,1,2", "epochs=2", "device=cpu")
"""Three cohorts of three: two workers train one each, and share the third."""


class Lanes(Notes):
    """A screen that keeps what it is told, and in which lane."""

    def __init__(self):
        super().__init__()
        self.lanes, self.used = {}, set()

    def cohort(self, names, epochs, title, lane=0):
        super().cohort(names, epochs, title)
        self.used.add(lane)

    def step(self, epoch, step, steps, lane=0):
        super().step(epoch, step, steps)

    def epoch(self, name, epoch, metrics, lane=0):
        super().epoch(name, epoch, metrics)

    def done(self, lane=0):
        pass


def trained(out, *overrides, test=True, force=False, allow=(), screen=None):
    """The results of a crew; where they are said to be, the runs' processes are gone."""
    screen, configs = screen or Lanes(), configs_of(out, *overrides)
    with Crew(screen, trials=len(configs), allow=allow) as crew:
        results = crew.train(configs, score_test=test, force=force)
        processes = [worker._process for worker in crew._workers.values()]
    assert not any(process.is_alive() for process in processes)
    return results, screen


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """A sweep in one process, with one thread."""
    assert torch.get_num_threads() == 1
    out = tmp_path_factory.mktemp("alone")
    results, _ = trained(out, *SWEEP, *EVERYTHING_RANDOM, "workers=1")
    return out, results


def assert_same(alone, out, results):
    other, expected = alone
    assert [result.run_id for result in results] == [result.run_id for result in expected]
    for mine, its in zip(results, expected, strict=True):
        assert_identical(state_of(out, mine), state_of(other, its))


def test_two_workers_give_the_results_of_one_process(tmp_path, alone):
    results, screen = trained(tmp_path, *SWEEP, *EVERYTHING_RANDOM, "workers=2")
    assert_same(alone, tmp_path, results)
    assert left(tmp_path).keys() == left(alone[0]).keys()
    assert screen.used == {0, 1}
    assert sorted(map(len, screen.cohorts)) == [1, 2, 3, 3]
    assert sorted(screen.epochs) == sorted((name, epoch) for name in ("bce", "focal", "zlpr") for epoch in (1, 2) * 3)
    again, screen = trained(tmp_path, *SWEEP, *EVERYTHING_RANDOM, "workers=2")
    assert again == results
    assert len([note for note in screen.notes if "skipped" in note]) == 9
    assert not screen.cohorts


OWN = """
import os, signal, time
from pathlib import Path

steps = 0

def own(logits, targets, *, marks, times):
    global steps
    steps += logits.requires_grad
    marks = Path(marks)
    state = lambda: list(marks.parent.glob("runs/*own*/resume.safetensors"))
    died = len(list(marks.iterdir()))
    if logits.requires_grad and died < times and (steps > 4 or state()):  # an epoch has 4
        while not state():  # a thread writes it
            time.sleep(0.01)
        (marks / str(died)).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return (logits.sigmoid() - targets) ** 2
"""
YAML = (
    "_target_: own_loss.own\nmarks: {marks}\ntimes: 0\nreduction: sum\nrule: above\nthreshold: 0.5\nk: null\n"
    "traits: {{formula: f, source: s, shape: element}}\n"
)


def dying(tmp_path, times):
    """What a crew makes of two trials; of one of them `times` workers die in its second epoch."""
    (tmp_path / "conf/loss").mkdir(parents=True)
    (tmp_path / "marks").mkdir()
    (tmp_path / "own_loss.py").write_text(OWN)
    (tmp_path / "conf/loss/own.yaml").write_text(YAML.format(marks=tmp_path / "marks"))
    overrides = [*TINY, "workers=2", "device=cpu", f"out={tmp_path / 'runs'}"]
    trials = ["loss=own", f"loss.times={times}"], ["loss=bce", "seed=1"]
    configs = [conf for one in trials for conf in expand([*overrides, *one], tmp_path / "conf", preset=None)]
    screen = Lanes()
    with Crew(screen, trials=len(configs), allow=("own_loss",)) as crew:
        return crew.train(configs, score_test=True), screen


@pytest.fixture
def _own_path(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("_own_path")
class TestAWorkerThatDies:
    def test_its_part_goes_on_in_another(self, tmp_path):
        results, screen = dying(tmp_path, 1)
        assert [result.status for result in results] == ["done", "done"]
        assert [result.epochs for result in results] == [2, 2]
        (note,) = [note for note in screen.notes if "worker process was" in note]
        assert note == "a worker process was killed by SIGKILL: going on with its 1 trial in another"
        assert any("continuing after epoch 1" in note for note in screen.notes)

    def test_twice_its_trials_have_failed_and_the_others_go_on(self, tmp_path):
        results, _ = dying(tmp_path, 3)
        assert [result.status for result in results] == ["failed", "done"]
        failed = results[0]
        assert "killed by SIGKILL twice" in failed.message
        assert "workers=1" in failed.message
        (folder,) = (tmp_path / "runs").glob(f"*-{failed.run_id}")
        assert RunFolder(folder).result() == failed


def test_an_error_for_the_user_ends_the_sweep_with_its_text(tmp_path):
    configs = configs_of(tmp_path, *SWEEP, "workers=2")
    (result,), _ = trained(tmp_path, "loss=bce", "seed=0", "epochs=2", "device=cpu", test=False)
    (folder,) = tmp_path.glob(f"*-{result.run_id}")
    with RunFolder(folder).locked(), pytest.raises(StoreError, match="is in use by process") as caught:
        sweep(configs, by="loss", screen=Lanes(), force=True)
    assert caught.value.exit_code == 2


def test_a_tuned_sweep_with_pruning_is_the_same(tmp_path):
    found = {}
    for workers in (1, 2):
        words = ["loss=bce,zlpr,focal", "seed=0,1", "tune.trials=3", "tune.pruning=median", "epochs=3", "device=cpu"]
        out = tmp_path / str(workers)
        how, searches, fixed = expand_tuned([*TINY, *words, f"workers={workers}", f"out={out}"], None, None, ["loss"])
        results, studies = tune.sweep(searches, fixed, how, by="loss", screen=Lanes())
        found[workers] = [[result.run_id for result in results], studies, left(out)]
    for one, two in zip(found[1], found[2], strict=True):
        assert one == two


def workers_of(pid):
    """The processes that descend from another."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            parents[int(stat.parent.name)] = int(fields[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def gone(pids, seconds=10):
    until = time.monotonic() + seconds
    while alive := [pid for pid in pids if Path(f"/proc/{pid}").exists() and "Z" not in status_of(pid)]:
        if time.monotonic() > until:
            return alive
        time.sleep(0.05)
    return []


def status_of(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").exists(), reason="looks for processes in /proc")
def test_stopped_or_killed_nothing_is_left_running_and_the_same_command_ends_it(tmp_path, alone):
    words = [*TINY, *SWEEP, *EVERYTHING_RANDOM, "workers=2", f"out={tmp_path}"]
    for number, status in ((signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)):
        process = subprocess.Popen(
            [sys.executable, "-m", "mllc", "sweep", *words],
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        before = len(list(tmp_path.glob("*/history.csv")))
        while len(list(tmp_path.glob("*/history.csv"))) <= before and process.poll() is None:
            time.sleep(0.005)
        children = workers_of(process.pid)
        assert len(children) >= 3, "two workers and the process that starts them"
        if number == signal.SIGINT:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        _, err = process.communicate(timeout=60)
        assert process.returncode == status
        assert "Traceback" not in err
        assert gone(children) == []
    results, _ = trained(tmp_path, *SWEEP, *EVERYTHING_RANDOM, "workers=2")
    assert_same(alone, tmp_path, results)


def test_what_is_done_needs_no_workers(tmp_path):
    overrides = ("loss=bce,zlpr", "device=cpu", "epochs=2", "workers=2")
    first, _ = trained(tmp_path, *overrides)
    screen = Lanes()
    configs = configs_of(tmp_path, *overrides)
    with Crew(screen, trials=len(configs)) as crew:
        again = crew.train(configs, score_test=True)
        assert crew._workers == {}
    assert again == first
    assert all("skipped" in note for note in screen.notes)


class TestWorkforce:
    def of(self, tmp_path, *overrides, trials=80):
        configs = configs_of(tmp_path, "device=cpu", *overrides)
        return workforce([configs], trials, Sharing(()))

    def test_one_where_the_user_says_so_there_is_one_trial_or_little_to_do(self, tmp_path, monkeypatch):
        monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)))
        monkeypatch.setattr("mllc.workforce._worker_bytes", lambda *_: 1)
        assert self.of(tmp_path, "workers=1", "epochs=10000").workers == 1
        assert self.of(tmp_path, "epochs=10000", trials=1).workers == 1
        assert self.of(tmp_path).workers == 1
        assert self.of(tmp_path, "epochs=10000").workers == 8
        assert self.of(tmp_path, "epochs=10000", trials=3).workers == 3

    def test_as_many_as_memory_holds(self, tmp_path, monkeypatch):
        monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)))
        monkeypatch.setattr("mllc.workforce._worker_bytes", lambda *_: 1000)
        monkeypatch.setattr("mllc.workforce.available_bytes", lambda _: 3500)
        assert self.of(tmp_path, "epochs=10000").workers == 3
        monkeypatch.setattr("mllc.workforce.available_bytes", lambda _: 10)
        assert self.of(tmp_path, "epochs=10000").workers == 1

    @pytest.mark.parametrize(("busy", "free", "expected"), [(0.5, 1 << 40, 1), (0.01, 1 << 40, 4), (0.01, 2 << 30, 2)])
    def test_on_one_gpu_as_many_as_it_idles_for_and_has_memory_for(self, tmp_path, monkeypatch, busy, free, expected):
        conf = configs_of(tmp_path, "device=cpu")[0]
        shared, _ = Sharing(()).of(conf)
        monkeypatch.setattr("mllc.workforce._busy", lambda step, batches, _: step(batches[0]) is None or busy)
        monkeypatch.setattr("mllc.workforce.available_bytes", lambda _: free)
        for name, value in (("reset_peak_memory_stats", None), ("max_memory_allocated", 100 << 20)):
            monkeypatch.setattr(torch.cuda, name, lambda _, value=value: value)
        assert _on_one_gpu(shared, conf, 8) == expected

    def test_heads_on_one_gpu_are_stacked_in_one_process(self, tmp_path):
        conf = configs_of(tmp_path, "device=cpu", "backbone=mlp")[0]
        assert _on_one_gpu(Sharing(()).of(conf)[0], conf, 8) == 1

    @pytest.mark.parametrize(("left", "busy"), [(0.0, 0.0), (60.0, 0.75)])
    def test_a_gpu_that_computes_on_when_all_is_launched_is_busy(self, monkeypatch, left, busy):
        clock = [0.0]

        def takes(seconds):
            clock[0] += seconds

        monkeypatch.setattr(torch.cuda, "synchronize", lambda _: takes(left))
        monkeypatch.setattr("mllc.workforce.time.perf_counter", lambda: clock[0])
        assert _busy(lambda _: takes(2.0), [None] * 10, torch.device("cpu")) == busy

    def test_a_cohort_is_not_cut_where_its_batches_are_computed(self, tmp_path):
        assert self.of(tmp_path, "workers=2").cut
        assert not self.of(tmp_path, "workers=2", "backbone.freeze=all").cut


@pytest.mark.parametrize("workers", range(1, 9))
@pytest.mark.parametrize("number", range(1, 9))
def test_every_trial_is_in_one_part_and_none_is_much_longer(workers, number):
    cohorts = [[(seed, trial) for trial in range(24)] for seed in range(number)]
    parts = share_out(cohorts, workers, cut=True)
    assert sorted(trial for part in parts for trial in part) == sorted(trial for cohort in cohorts for trial in cohort)
    assert len({len({seed for seed, _ in part}) for part in parts}) == 1
    ends = [0] * workers
    for part in parts:
        ends[ends.index(min(ends))] += len(part)
    assert max(ends) <= -(-24 * number // workers) + workers


@pytest.mark.parametrize(
    ("trials", "settings", "started"),
    [
        (25, {}, True),
        (24, {}, False),
        (1, {"epochs": 1000}, False),
        (25, {"workers": 1}, False),
        (25, {"workers": 2}, True),
        (25, {"device": "cuda:1"}, False),
    ],
)
def test_a_long_sweep_has_pytorch_imported_for_its_workers_while_it_reads(monkeypatch, trials, settings, started):
    calls = []
    monkeypatch.setattr("multiprocessing.forkserver.ensure_running", lambda: calls.append(True))
    conf = {"epochs": 2, "workers": "auto", "device": "auto"} | settings
    forkserver.start_early(conf, trials)
    assert bool(calls) == started


def test_workers_are_forked_from_what_has_all_imports_and_their_parent_has_no_more_than_it_needs():
    code = "import sys, mllc.{}; print(*sorted({{'torch._dynamo', 'torchvision', 'mllc.worker'}} & sys.modules.keys()))"
    parent, server = (
        subprocess.run([sys.executable, "-c", code.format(name)], capture_output=True, text=True, check=True).stdout
        for name in ("sweep", "preload")
    )
    assert parent.split() == ["mllc.worker"]
    assert server.split() == ["mllc.worker", "torch._dynamo"]
