"""Sweeps in several processes: the results of one process bit for bit, whatever dies meanwhile."""

import pytest
import torch
from test_run import EVERYTHING_RANDOM, Notes, assert_identical, configs_of, state_of
from test_tune import left

from mllc.pack import Crew

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
