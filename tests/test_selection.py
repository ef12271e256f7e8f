import math

import pytest
from sample_runs import make

from mllc.errors import ConfigError
from mllc.report.selection import select


def lrs(results, by="loss"):
    """group -> learning rate chosen."""
    return {tuple(s.group.values()): s.settings["optimizer.lr"] for s in select(results, by)}


def test_best_mean_over_seeds_not_best_seed():
    results = [make(lr=0.1, seed=s, value=v) for s, v in enumerate((0.9, 0.1, 0.1))]
    results += [make(lr=0.2, seed=s, value=v) for s, v in enumerate((0.4, 0.5, 0.6))]
    (selected,) = select(results)
    assert selected.settings == {"loss": "bce", "optimizer": "sgd", "optimizer.lr": 0.2, "schedule": "constant"}
    assert [run.seed for run in selected.runs] == [0, 1, 2]
    assert (len(selected.trials), selected.tried, selected.too_few) == (6, 2, 0)


@pytest.mark.parametrize(("monitor", "expected"), [("val_map", 0.2), ("val_loss", 0.1), ("val_hamming_loss", 0.1)])
def test_direction_comes_from_the_monitor(monitor, expected):
    results = [make(lr=0.1, value=0.3, monitor=monitor), make(lr=0.2, value=0.4, monitor=monitor)]
    assert lrs(results) == {("bce",): expected}


def test_only_settings_with_the_most_seeds_compete():
    results = [make(lr=0.1, seed=s, value=0.3) for s in range(3)] + [make(lr=0.2, seed=0, value=0.9)]
    (selected,) = select(results)
    assert (selected.settings["optimizer.lr"], selected.tried, selected.too_few) == (0.1, 2, 1)


@pytest.mark.parametrize(
    "bad",
    [
        {"status": "diverged", "value": 0.9},
        {"status": "failed", "value": None},
        {"value": None},
        {"value": math.nan},
        {"status": "diverged", "value": 0.9, "monitor": "val_loss"},
    ],
)
def test_a_run_without_a_value_counts_as_the_worst(bad):
    monitor = bad.get("monitor", "val_map")
    good = 0.2 if monitor == "val_map" else 5.0
    results = [make(lr=0.1, seed=0, value=good, monitor=monitor), make(lr=0.1, seed=1, value=good, monitor=monitor)]
    results += [make(lr=0.2, seed=0, value=0.99, monitor=monitor), make(lr=0.2, seed=1, **bad)]
    assert lrs(results) == {("bce",): 0.1}


def test_where_all_diverge_the_fewest_failures_win_and_nothing_is_dropped():
    results = [make(lr=0.1, seed=s, status="diverged") for s in range(2)]
    results += [make(lr=0.2, seed=0, value=0.1), make(lr=0.2, seed=1, status="diverged")]
    (selected,) = select(results)
    assert [run.status for run in selected.runs] == ["done", "diverged"]
    assert len(selected.trials) == 4


def test_the_order_of_the_runs_does_not_matter_even_for_ties():
    results = [make(lr=lr, seed=s, value=0.5) for lr in (0.3, 0.1, 0.2) for s in range(2)]
    assert lrs(results) == lrs(results[::-1]) == {("bce",): 0.1}


def test_a_named_row_is_a_group_of_its_own():
    untuned = make(lr=0.1, name="untuned", settings={"loss.reduction": "mean"})
    assert lrs([make(lr=0.1), make(lr=0.2, value=0.9), untuned]) == {("bce",): 0.2, ("untuned",): 0.1}


def test_by_optimizer_the_losses_compete():
    results = [make("bce", value=0.3), make("focal", value=0.6), make("bce", optimizer="adam", value=0.2)]
    found = {s.group["optimizer"]: s.settings["loss"] for s in select(results, "optimizer")}
    assert found == {"sgd": "focal", "adam": "bce"}


def test_by_two_keys_and_by_a_setting_that_some_losses_lack():
    results = [make("focal", settings={"loss.gamma": g}, value=g / 10, run_id=f"f{g}") for g in (1, 2)] + [make("bce")]
    assert [s.group for s in select(results, "loss, loss.gamma")] == [
        {"loss": "focal", "loss.gamma": 1},
        {"loss": "focal", "loss.gamma": 2},
        {"loss": "bce", "loss.gamma": None},
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"dataset": "bibtex"},
        {"data": {"fingerprint": "other"}},
        {"backbone": "mlp"},
        {"monitor": "val_micro_f1"},
        {"shared": {"epochs": 12}},
    ],
)
def test_runs_that_do_not_compare_are_kept_apart(change):
    first, second = select([make(value=0.2), make(value=0.9, **change)])
    assert first.block != second.block
    assert (len(first.trials), len(second.trials)) == (1, 1)


def test_a_shared_key_can_be_the_compared_one():
    results = [make(shared={"batch_size": n}, value=n / 1000) for n in (64, 128)]
    assert [s.group for s in select(results, "batch_size")] == [{"batch_size": 64}, {"batch_size": 128}]
    assert len({str(s.block) for s in select(results, "batch_size")}) == 1
    assert len({str(s.block) for s in select(results)}) == 2


def test_by_backbone_its_own_settings_are_tuned():
    wide, narrow = ({"backbone.hidden": [n]} for n in (512, 64))
    results = [make(backbone="mlp", shared=wide, value=0.5), make(backbone="mlp", shared=narrow, value=0.6), make()]
    mlp, patch = select(results, "backbone")
    assert mlp.settings["backbone.hidden"] == [64]
    assert mlp.block == patch.block


def test_the_same_run_twice_counts_once():
    (selected,) = select([make(seed=0), make(seed=0, test=None), make(seed=1)])
    assert [run.seed for run in selected.runs] == [0, 1]
    assert selected.runs[0].test is not None


def test_one_row_a_run():
    assert len(select([make(seed=s, lr=lr) for s in range(2) for lr in (0.1, 0.2)], "run_id")) == 4


@pytest.mark.parametrize(
    ("by", "message"),
    [
        ("los", "'los'.*did you mean 'loss'"),
        ("lr", "did you mean 'optimizer.lr'"),
        ("zzz", r"no run has it\. Known: backbone"),
        ("", "--by ''"),
    ],
)
def test_an_unknown_key_is_refused(by, message):
    with pytest.raises(ConfigError, match=message):
        select([make()], by)


def test_nothing_in_nothing_out():
    assert select([]) == []
