"""Proposals: what is asked is answered the same number of times, whatever becomes of it, and cut off or not."""

import math
import statistics

import optuna
import pytest

from mllc.config.search import Search, Tune
from mllc.errors import StoreError
from mllc.proposals import Proposals
from mllc.study import Range

LR = Range(1e-4, 0.1, log=True)
SPACE = {
    "optimizer.lr": LR,
    "loss.gamma": Range(0.0, 5.0),
    "loss.average": Range(choices=("label", "sample", 3.0, None)),
}
FIRST = {"optimizer.lr": 0.001, "loss.gamma": 2.0, "loss.average": "label"}
SAMPLERS = ("tpe", "random", "sobol")


def tune(trials=8, sampler="tpe", at_once=1, pruning="none", seed=1000):
    return Tune(trials=trials, seed=seed, space="all", sampler=sampler, at_once=at_once, pruning=pruning)


def opened(folder, space=SPACE, first=FIRST, maximize=True, trials=8, **options):
    search = Search({}, dict(space), dict(first), trials, (0,))
    return Proposals(folder / "journal.log", search, tune(trials, **options), maximize=maximize)


def score(values):
    """What the trials of these tests find: best at lr .01, gamma 3."""
    lr, gamma = values.get("optimizer.lr", 0.01), values.get("loss.gamma", 3.0)
    return 1 - abs(math.log10(lr) + 2) / 4 - abs(gamma - 3) / 20


def status_of(number):
    """Every fourth trial fails or is pruned, every fourth diverges."""
    return ("done", "diverged", "done", "failed" if number % 8 == 3 else "pruned")[number % 4]


def answer(proposals, proposed, status="done"):
    value = score(proposed.values) if status == "done" else None
    proposals.tell(proposed, f"run{proposed.number}", status, value, [0.1, 0.2])


def searched(proposals, status=lambda number: "done"):
    """All trials of a search, answered."""
    while asked := proposals.ask():
        for proposed in asked:
            answer(proposals, proposed, status(proposed.number))
    return proposals.tries()


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("at_once", [1, 3])
class TestEverySampler:
    def test_the_same_search_again_and_within_its_ranges(self, tmp_path, sampler, at_once):
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
        first, again = (
            searched(opened(tmp_path / name, sampler=sampler, at_once=at_once), status_of) for name in ("a", "b")
        )
        assert first == again
        assert [one.number for one in first] == list(range(len(first)))
        assert all(one.values[key] in SPACE[key] for one in first for key in SPACE)
        assert all(list(one.values) == list(SPACE) for one in first)
        assert sum(one.status in ("done", "diverged") for one in first) == 8
        other = searched(opened(tmp_path / "b", sampler=sampler, at_once=at_once, seed=7, trials=20))
        assert {one.values["optimizer.lr"] for one in other[len(first) :]}.isdisjoint(
            {one.values["optimizer.lr"] for one in first}
        )

    def test_cut_off_anywhere_it_goes_on_as_if_it_had_not_been(self, tmp_path, sampler, at_once):
        (tmp_path / "whole").mkdir()
        whole = searched(opened(tmp_path / "whole", sampler=sampler, at_once=at_once), status_of)
        (tmp_path / "parts").mkdir()
        while asked := opened(tmp_path / "parts", sampler=sampler, at_once=at_once).ask():
            proposals = opened(tmp_path / "parts", sampler=sampler, at_once=at_once)
            (proposed, *_) = proposals.ask()
            assert proposed.values == asked[0].values, "asked twice, it proposes the same"
            answer(proposals, proposed, status_of(proposed.number))  # and of the round, only the first is answered
        assert opened(tmp_path / "parts").tries() == whole

    def test_more_trials_later_continue_the_search(self, tmp_path, sampler, at_once):
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
        whole = searched(opened(tmp_path / "one", sampler=sampler, at_once=at_once, trials=12))
        searched(opened(tmp_path / "two", sampler=sampler, at_once=at_once, trials=7))
        assert searched(opened(tmp_path / "two", sampler=sampler, at_once=at_once, trials=12)) == whole


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_first_trial_is_what_it_should_be(tmp_path, sampler):
    (first,) = opened(tmp_path, sampler=sampler).ask()
    assert first.values == FIRST


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_first_trial_may_lie_outside_and_the_search_goes_on(tmp_path, sampler):
    """A weight decay of 0 on a log scale, a weight that is null."""
    space = {"optimizer.lr": LR, "decay": Range(1e-6, 1e-2, log=True), "cap": Range(1.0, 9.0)}
    first = {"optimizer.lr": 0.001, "decay": 0.0, "cap": None}
    tries = searched(opened(tmp_path, space, first, sampler=sampler, trials=10))
    assert tries[0].values == first
    assert all(one.values[key] in space[key] for one in tries[1:] for key in space)
    assert opened(tmp_path, space, first, sampler=sampler, trials=10).tries() == tries


def test_what_the_first_trial_leaves_open_is_drawn(tmp_path):
    (first,) = opened(tmp_path, first={"loss.gamma": 2.0}).ask()
    assert first.values["loss.gamma"] == 2.0
    assert first.values["optimizer.lr"] in LR


def test_rows_with_the_same_ranges_begin_with_the_same_draws(tmp_path):
    for name in ("bce", "focal"):
        (tmp_path / name).mkdir()
    bce = opened(tmp_path / "bce", {"optimizer.lr": LR}, {"optimizer.lr": 0.001}, sampler="random")
    focal = opened(tmp_path / "focal", sampler="random")
    assert [one.values["optimizer.lr"] for one in searched(bce)] == [
        one.values["optimizer.lr"] for one in searched(focal)
    ]


def test_tpe_finds_what_random_draws_miss(tmp_path):
    """Over several seeds, the best of 40 trials in 3 dimensions."""
    best = {}
    for sampler in ("tpe", "random"):
        found = []
        for seed in range(4):
            folder = tmp_path / f"{sampler}{seed}"
            folder.mkdir()
            found.append(max(one.value for one in searched(opened(folder, sampler=sampler, seed=seed, trials=40))))
        best[sampler] = statistics.fmean(found)
    assert best["tpe"] > best["random"]


def test_sobol_covers_the_space_evenly(tmp_path):
    space = {"optimizer.lr": LR, "loss.gamma": Range(0.0, 8.0)}
    tries = searched(opened(tmp_path, space, {}, sampler="sobol", trials=16))
    for key in space:
        cells = {int(16 * position(one.values[key], space[key])) for one in tries}
        assert len(cells) >= 15, "one of 16 points in each sixteenth, up to rounding"


def test_tpe_begins_as_sobol_so_that_few_trials_miss_no_part_of_a_range(tmp_path):
    (tmp_path / "tpe").mkdir()
    (tmp_path / "sobol").mkdir()
    tpe, sobol = (searched(opened(tmp_path / name, sampler=name)) for name in ("tpe", "sobol"))
    assert [one.values for one in tpe[:6]] == [one.values for one in sobol[:6]]
    assert [one.values for one in tpe] != [one.values for one in sobol]
    space = {"optimizer.lr": LR}
    (tmp_path / "lr").mkdir()
    rates = [one.values["optimizer.lr"] for one in searched(opened(tmp_path / "lr", space, {}, trials=4))]
    assert {int(4 * position(rate, LR)) for rate in rates} == {0, 1, 2, 3}


def position(value, one):
    low, high, at = (math.log(x) if one.log else x for x in (one.low, one.high, value))
    return min((at - low) / (high - low), 0.999999)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_whole_numbers_are_drawn_evenly_and_choices_all_come(tmp_path, sampler):
    space = {"n": Range(1, 4, integer=True), "word": Range(choices=(True, False)), "x": Range(0.0, 1.0)}
    tries = searched(opened(tmp_path, space, {}, sampler=sampler, trials=60), lambda number: "diverged")
    assert {one.values["n"] for one in tries} == {1, 2, 3, 4}
    assert {one.values["word"] for one in tries} == {True, False}
    assert all(type(one.values["n"]) is int for one in tries)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_nothing_is_tried_twice_and_a_small_space_ends(tmp_path, sampler):
    space = {"n": Range(1, 3, integer=True), "betas": Range(choices=([0.9, 0.99], [0.8, 0.9]))}
    tries = searched(opened(tmp_path, space, {"n": 2, "betas": [0.9, 0.99]}, sampler=sampler, trials=6))
    assert len({str(one.values) for one in tries}) == len(tries) == 6
    assert tries[0].values == {"n": 2, "betas": [0.9, 0.99]}


def test_a_small_space_whose_trials_fail_ends(tmp_path):
    space = {"n": Range(1, 3, integer=True)}
    tries = searched(opened(tmp_path, space, {}, trials=3), lambda number: "failed" if number == 1 else "done")
    assert [one.status for one in tries] == ["done", "failed", "done"]


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("at_once", [1, 4])
def test_a_range_too_narrow_for_so_many_trials_ends(tmp_path, sampler, at_once):
    """There are four numbers of 4 digits from its one end to the other."""
    space = {"optimizer.lr": Range(0.3, 0.3003)}
    tries = searched(opened(tmp_path, space, {}, sampler=sampler, at_once=at_once, trials=9))
    assert {one.values["optimizer.lr"] for one in tries} == {0.3, 0.3001, 0.3002, 0.3003}
    assert len(tries) == 4


@pytest.mark.parametrize("status", ["done", "diverged"])
def test_a_diverged_trial_is_an_answer(tmp_path, status):
    tries = searched(opened(tmp_path, trials=8), lambda number: status)
    assert [one.status for one in tries] == [status] * 8


@pytest.mark.parametrize("at_once", [1, 3])
def test_failed_and_pruned_trials_are_made_up_for(tmp_path, at_once):
    tries = searched(opened(tmp_path, trials=10, at_once=at_once, pruning="median"), status_of)
    completed = [one for one in tries if one.status in ("done", "diverged")]
    assert len(completed) == 10
    assert {one.status for one in tries} == {"done", "diverged", "failed", "pruned"}
    assert {one.value for one in tries if one.status == "pruned"} == {0.2}, "the last one"
    assert {one.value for one in tries if one.status in ("diverged", "failed")} == {None}


def test_where_all_fail_it_gives_up_and_tries_again_when_asked_again(tmp_path):
    assert len(searched(opened(tmp_path, trials=5), lambda number: "failed")) == 5
    proposals = opened(tmp_path, trials=5)
    assert proposals.best() is None
    assert len(searched(proposals, lambda number: "failed" if number < 7 else "done")) == 12


def test_where_all_are_pruned_it_gives_up(tmp_path):
    assert len(searched(opened(tmp_path, trials=3), lambda number: "pruned")) == 12


@pytest.mark.parametrize("maximize", [True, False])
def test_the_best_is_the_earliest_of_equals_and_done(tmp_path, maximize):
    proposals = opened(tmp_path, maximize=maximize, trials=5)
    sign = 1 if maximize else -1
    for status, value in (("diverged", None), ("done", 0.2), ("done", 0.5), ("done", 0.5), ("done", -0.1)):
        (proposed,) = proposals.ask()
        proposals.tell(proposed, "r", status, None if value is None else sign * value)
    assert proposals.best() == proposals.tries()[2].values
    assert proposals.ask() == []


def test_no_best_where_all_diverged(tmp_path):
    proposals = opened(tmp_path, trials=2)
    assert len(searched(proposals, lambda number: "diverged")) == 2
    assert proposals.best() is None


class TestPruning:
    def test_below_the_median_of_those_that_completed(self, tmp_path):
        proposals = opened(tmp_path, trials=8, pruning="median")
        for number in range(5):
            (proposed,) = proposals.ask()
            proposals.tell(proposed, "r", "done", 0.5, [0.1 * number, 0.2 * number, 0.3 * number])
        assert proposals.prune([0.19])
        assert not proposals.prune([0.21])
        assert proposals.prune([0.1, 0.39]), "the best so far, 0.39, against the median after two epochs, 0.4"
        assert not proposals.prune([0.1, 0.41])

    def test_the_first_five_are_never_pruned(self, tmp_path):
        proposals = opened(tmp_path, trials=8, pruning="median")
        for _ in range(4):
            (proposed,) = proposals.ask()
            proposals.tell(proposed, "r", "done", 0.5, [0.5, 0.5])
            assert not proposals.prune([0.0])

    def test_downwards(self, tmp_path):
        proposals = opened(tmp_path, maximize=False, trials=8, pruning="median")
        for _ in range(5):
            (proposed,) = proposals.ask()
            proposals.tell(proposed, "r", "done", 0.5, [0.5, math.nan])
        assert proposals.prune([0.6])
        assert not proposals.prune([0.4])
        assert not proposals.prune([math.nan]), "and what is no number decides nothing"


class TestTheJournal:
    def test_it_is_optunas(self, tmp_path):
        tries = searched(opened(tmp_path))
        backend = optuna.storages.journal.JournalFileBackend(str(tmp_path / "journal.log"))
        study = optuna.load_study(study_name=None, storage=optuna.storages.JournalStorage(backend))
        assert study.best_value == max(one.value for one in tries)
        assert [one.params["optimizer.lr"] for one in study.trials] == [one.values["optimizer.lr"] for one in tries]

    def test_a_line_that_a_kill_cut_off_is_answered_again(self, tmp_path):
        proposals = opened(tmp_path)
        for _ in range(3):
            (proposed,) = proposals.ask()
            answer(proposals, proposed)
        journal = tmp_path / "journal.log"
        content = journal.read_bytes()
        for cut in (1, 17, len(content.splitlines()[-1]) - 1):
            journal.write_bytes(content[:-cut])
            again = opened(tmp_path)
            assert len(again.tries()) == 2
            (asked,) = again.ask()
            assert asked.values == proposed.values
        answer(again, asked)
        assert opened(tmp_path).tries() == again.tries()

    @pytest.mark.parametrize("damage", ["nonsense\n", "{}\n", "[1]\n", '{"op_code": 4}\n', "drop"])
    def test_damaged(self, tmp_path, damage):
        searched(opened(tmp_path))
        journal = tmp_path / "journal.log"
        lines = journal.read_text().splitlines(keepends=True)
        journal.write_text("".join([*lines[:4], *([] if damage == "drop" else [damage]), *lines[5:]]))
        with pytest.raises(
            StoreError, match=r"journal.log is damaged \(.*\): remove the folder .* and type the command again"
        ):
            opened(tmp_path)

    def test_a_folder_that_cannot_be_written(self, tmp_path):
        with pytest.raises(StoreError, match=r"cannot write to .*: No such file or directory; type out=ANOTHER_FOLDER"):
            opened(tmp_path / "missing")
