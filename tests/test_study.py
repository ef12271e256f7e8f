"""Studies: what study.json holds, where a search ended at an edge, and what the report makes of it."""

import json
from dataclasses import replace

import pytest
from sample_runs import make

from mllc.report import render, rows
from mllc.report.selection import select
from mllc.study import Range, Study, Try

LR = Range(1e-4, 0.1, log=True, below=1e-5, above=1.0)
DECAY = Range(1e-7, 1e-2, log=True, above=0.1)
SPACE = {"optimizer.lr": LR, "optimizer.weight_decay": DECAY, "loss.gamma": Range(0.0, 5.0, above=7.5)}


DATA = {"fingerprint": "ab", "test_split": "t0"}


def study(chosen=None, name="bce", **changes):
    return Study(
        **{
            "study_id": f"study-{name}",
            "name": name,
            "fixed": {"loss": name},
            "monitor": "val_map",
            "seed": 1000,
            "test_split": "t0",
            "sampler": "tpe",
            "wanted": 3,
            "space": SPACE,
            "chosen": chosen,
        }
        | changes
    )


def ran(run):
    """A try as a search keeps it of a run."""
    values = {"optimizer.lr": run.settings["optimizer.lr"]}
    return Try(run.seed - 1000, run.run_id, values, run.status, run.monitor_value)


def searched(name="bce", best=0.02, value=0.5, trials=3, seeds=(0, 1), statuses=(), **changes):
    """A study, the runs of its trials (the best by far among them), and those of its repeats."""
    lrs = [best, *(0.001 * number for number in range(1, trials))]
    tries = [
        make(name, seed=1000, lr=lr, value=0.9 - number / 100, test=None, data=DATA) for number, lr in enumerate(lrs)
    ]
    others = [
        make(name, seed=1000, lr=7.0 + n, value=None, status=s, test=None, data=DATA) for n, s in enumerate(statuses)
    ]
    repeats = [make(name, seed=seed, lr=best, value=value, data=dict(DATA)) for seed in seeds]
    found = study(
        {"optimizer.lr": best},
        name,
        tries=tuple(ran(run) for run in (*tries, *others)),
        final=tuple(run.run_id for run in repeats),
        wanted=trials,
        **changes,
    )
    return found, [*tries, *others], repeats


def test_the_json_reads_back():
    tries = (Try(0, "a", {"optimizer.lr": 0.1, "loss.average": None}, "done", 0.5), Try(1, "", {}, "failed"))
    space = SPACE | {"loss.average": Range(choices=("label", 3.0, True, None))}
    one = study({"optimizer.lr": 0.1}, space=space, tries=tries, final=("b", "c"))
    assert Study.from_json(one.to_json()) == one


@pytest.mark.parametrize("text", ["", "[]", "{", "3", '{"format": 2}', '{"format": 1}', '{"format": 1, "space": 3}'])
def test_what_is_no_study_is_refused(text):
    with pytest.raises(ValueError, match=r"format|not a study|is expected|Expect"):
        Study.from_json(text)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("chosen", 3, "chosen is 3, but an object or null is expected"),
        ("space", {"optimizer.lr": {"low": "a"}}, 'space.optimizer.lr.low is "a", but a number or null is expected'),
        ("space", {"optimizer.lr": {"log": 1}}, "space.optimizer.lr.log is 1, but true or false is expected"),
        ("space", {"optimizer.lr": 3}, "space.optimizer.lr is 3, but an object is expected"),
        ("tries", [{"number": 0, "value": "best"}], 'tries.0.value is "best", but a number or null is expected'),
        ("tries", [{"numbr": 0}], r"unknown fields \['tries.0.numbr'\]"),
        ("tries", [{"number": 0}], "not a study: .* missing"),
        ("final", "abc", 'final is "abc", but a list is expected'),
        ("seed", 1.5, "seed is 1.5, but a whole number is expected"),
    ],
)
def test_a_field_that_is_not_what_it_should_be_is_named(field, value, message):
    """Else a report would stumble over it."""
    text = json.dumps(json.loads(study({"optimizer.lr": 0.1}).to_json()) | {field: value})
    with pytest.raises(ValueError, match=message):
        Study.from_json(text)


@pytest.mark.parametrize(
    ("chosen", "edges"),
    [
        ({"optimizer.lr": 0.01}, {}),
        ({"optimizer.lr": 0.1}, {"optimizer.lr": "high"}),
        ({"optimizer.lr": 0.08}, {"optimizer.lr": "high"}),
        ({"optimizer.lr": 0.05}, {}),
        ({"optimizer.lr": 0.00012}, {"optimizer.lr": "low"}),
        ({"optimizer.lr": 0.5}, {"optimizer.lr": "high"}),
        ({"optimizer.weight_decay": 1e-7}, {}),
        ({"optimizer.weight_decay": 0.0}, {}),
        ({"optimizer.weight_decay": 0.0099}, {"optimizer.weight_decay": "high"}),
        ({"loss.gamma": 4.8}, {"loss.gamma": "high"}),
        ({"loss.gamma": 0.0}, {}),
        ({"loss.gamma": None}, {}),
        ({"loss.other": 1.0}, {}),
        (None, {}),
    ],
)
def test_the_edge_is_where_something_new_lies_beyond(chosen, edges):
    assert study(chosen).at_edge() == edges


def test_a_log_scale_whose_first_trial_lies_below_zero():
    """The YAML's own value 0, where less than the lower end is something new."""
    assert study({"optimizer.lr": 0.0}).at_edge() == {"optimizer.lr": "low"}


@pytest.mark.parametrize(
    ("value", "end"), [(0.1, "low"), (0.3, None), (3.0, "high"), (9.0, "high"), ("auto", None), (None, None)]
)
def test_the_edge_of_a_list_is_its_least_and_its_largest_number(value, end):
    one = Range(choices=(3.0, "auto", 0.3, None, 0.1), below=0.03, above=30.0)
    assert study({"clip": value}, space={"clip": one}).at_edge() == ({"clip": end} if end else {})


def test_lists_without_numbers_have_no_edge():
    space = {"flag": Range(choices=(False, True)), "one": Range(choices=(3.0, "auto"))}
    assert study({"flag": True, "one": 3.0}, space=space).at_edge() == {}


def test_completed_counts_what_ran_to_its_end():
    statuses = ("done", "diverged", "failed", "pruned", "done")
    tries = tuple(Try(number, str(number), {}, status) for number, status in enumerate(statuses))
    assert study(tries=tries).completed() == 3


class TestSelection:
    def test_trials_never_compete_with_the_repeats(self):
        """They are better by far, and one has the same settings."""
        found, trials, repeats = searched()
        (selected,) = select([*trials, *repeats], studies=[found])
        assert selected.runs == tuple(repeats)
        assert (selected.tried, selected.too_few, len(selected.trials)) == (3, 0, 5)
        assert selected.studies == (found,)

    def test_other_runs_have_not_been_searched_and_do_not_compete(self):
        found, trials, repeats = searched()
        others = [make(seed=seed, lr=0.3, value=0.99, data=DATA) for seed in range(5)]
        (selected,) = select([*others, *trials, *repeats], studies=[found])
        assert selected.runs == tuple(repeats)

    def test_before_the_repeats_the_best_trial_stands_for_the_row(self):
        found, trials, _ = searched(seeds=())
        (selected,) = select(trials, studies=[found])
        assert selected.runs == (trials[0],)
        assert (selected.tried, selected.studies) == (3, (found,))

    def test_a_trial_that_the_study_has_not_listed_yet_is_one(self):
        """Of a search that is under way, or was killed before it wrote study.json."""
        found, trials, _ = searched(seeds=())
        last = make(seed=1000, lr=0.5, value=0.1, test=None, data=DATA)
        (selected,) = select([*trials, last], studies=[found])
        assert (selected.runs, selected.studies) == ((trials[0],), (found,))

    def test_before_the_repeats_runs_of_ones_own_go_first(self):
        found, trials, _ = searched(seeds=())
        mine = make(seed=0, lr=0.3, value=0.1, data=DATA)
        (selected,) = select([*trials, mine], studies=[found])
        assert selected.runs == (mine,)
        assert (selected.tried, selected.studies) == (1, ())

    def test_the_best_of_several_searches_by_their_repeats(self):
        adam, trials, repeats = searched(best=0.02, value=0.4)
        sgd, more, others = searched(best=0.03, value=0.6, study_id="another")
        (selected,) = select([*trials, *more, *repeats, *others], studies=[adam, sgd])
        assert selected.runs == tuple(others)
        assert (selected.tried, selected.studies) == (6, (adam, sgd))

    def test_a_trial_that_is_also_a_repeat_of_another_search_counts_there(self):
        found, trials, repeats = searched()
        other = study(study_id="other", seed=0, tries=(ran(repeats[0]),), final=())
        (selected,) = select([*trials, *repeats], studies=[found, other])
        assert selected.runs == tuple(repeats)


class TestNotes:
    def text(self, *found, **options):
        studies, trials, repeats = zip(*found, strict=True)
        runs = [run for runs in (*trials, *repeats) for run in runs]
        return render(runs, studies=studies, width=2000, **options)

    def test_pruned_and_failed_trials_are_counted_apart(self):
        text = self.text(searched(statuses=("pruned", "pruned", "failed")), searched("zlpr", statuses=("failed",)))
        assert "with seed 1000, 2 more pruned, 2 more failed." in text

    def test_unequal_chances_are_told(self):
        text = self.text(searched(trials=3), searched("zlpr", trials=5))
        assert "Unequal chances (number of settings tried): bce: 3; zlpr: 5" in text

    def test_the_edge_and_what_to_type(self):
        text = self.text(searched(best=0.0999), searched("zlpr", best=0.1), searched("focal", best=0.00011))
        assert "AT THE EDGE of what was searched, so that better settings may lie beyond. " in text
        assert "bce, zlpr: high end of optimizer.lr; focal: low end of optimizer.lr. " in text
        assert "To look: 'optimizer.lr=tag(log,interval(1e-05,1))'." in text

    def test_the_edge_of_a_list(self):
        space = {"optimizer.lr": Range(choices=(0.01, 0.1, 1.0), below=1e-3, above=10.0)}
        text = self.text(searched(best=1.0, space=space), searched("zlpr", best=0.01, space=space))
        assert "bce: high end of optimizer.lr; zlpr: low end of optimizer.lr. " in text
        assert "To look: 'optimizer.lr=0.001,0.01,0.1,1,10'." in text
        assert "EDGE" not in self.text(searched(best=0.1, space=space))

    def test_no_edge_no_word_of_it(self):
        assert "EDGE" not in self.text(searched(best=0.01), searched("zlpr", best=0.01))

    def test_an_edge_that_a_wider_search_left_behind_is_not_told(self):
        narrow = searched(best=0.1, value=0.4)
        wide = searched(
            best=0.3, value=0.6, study_id="wide", space={"optimizer.lr": Range(1e-4, 3.0, log=True, above=30.0)}
        )
        assert "EDGE" in self.text(narrow)
        assert "EDGE" not in self.text(narrow, wide)

    def test_test_samples_of_their_own(self):
        found, trials, repeats = searched()
        assert "holds out" not in self.text((found, trials, repeats))
        for run in repeats:
            run.data["test_split"] = f"t{run.seed + 1}"
        assert "Each seed holds out test samples of its own" in self.text((found, trials, repeats))

    def test_a_row_that_was_cut_off_before_its_repeats_is_marked(self):
        text = self.text(searched(), searched("zlpr", seeds=()))
        assert "†: 1 row not scored on test" in text
        trained = {row.name: row for row in self.rows(searched(), searched("zlpr", seeds=()))}
        assert (trained["bce"].split, trained["zlpr"].split) == ("test", "val")

    def rows(self, *found):
        studies, trials, repeats = zip(*found, strict=True)
        runs = [run for runs in (*trials, *repeats) for run in runs]
        return [row for row in rows(runs, studies=studies) if row.runs]

    def test_runs_outside_of_the_search_are_told(self):
        found, trials, repeats = searched()
        better = [make(lr=0.5, seed=seed, value=0.99, data=dict(DATA)) for seed in (0, 1)]
        text = self.text((found, trials, [*repeats, *better]), searched("zlpr"))
        assert "Runs that are no part of a row's search did not compete: bce: 2." in text
        assert "did not compete" not in self.text((found, trials, repeats), searched("zlpr"))

    def test_a_search_without_a_sound_trial_is_worse(self):
        _, _, repeats = searched(seeds=range(6))
        found, (_, *trials), _ = searched("naive", trials=1, statuses=("diverged",) * 3, seeds=())
        found = replace(found, tries=tuple(ran(run) for run in trials), chosen=None, wanted=3)
        text = render([*repeats, *trials], studies=[found], width=2000)
        assert "the other rows are worse: naive" in text
        assert "different seeds" not in text
        assert "naive lr" not in text, "nothing was chosen"

    def test_a_lost_study_leaves_the_repeats_on_test(self):
        _, trials, repeats = searched()
        rows = {row.name: row for row in self.lost([*trials, *repeats])}
        assert (rows["bce"].split, rows["bce"].seeds) == ("test", (0, 1))

    def test_a_search_that_has_not_ended_is_told(self):
        found, trials, repeats = searched()
        assert "Not ended: bce 3 of 8" in self.text((replace(found, wanted=8), trials, repeats), searched("zlpr"))
        assert "Not ended" not in self.text((found, trials, repeats), searched("zlpr"))

    def test_what_to_look_at_can_be_typed(self):
        space = {"optimizer.lr": SPACE["optimizer.lr"], "loss.gamma": Range(0.0, 3.0, above=5.0)}
        one = searched("focal", space=space)
        found = replace(one[0], chosen={"optimizer.lr": 0.02, "loss.gamma": 3.0})
        text = self.text((found, *one[1:]), searched())
        assert "in a sweep of loss=focal alone 'loss.gamma=interval(0,5)'" in text

    def lost(self, runs):
        return [row for row in rows(runs) if row.runs]
