"""The verdict on collapse, by its definitions."""

import pytest

from mllc.metrics.collapse import Collapse, EpochFacts, Stretch, collapse, state, useful


def history(predicted, losses=None, maps=None):
    losses = losses or [None] * len(predicted)
    maps = maps or [0.5] * len(predicted)
    return [EpochFacts(i, *facts) for i, facts in enumerate(zip(predicted, losses, maps, strict=True), start=1)]


def verdict(facts, reported, true=2.0, chance=0.01, constant=None):
    return collapse(
        facts, reported_epoch=reported, true_labels_per_sample=true, chance_map=chance, constant_loss=constant
    )


@pytest.mark.parametrize(
    ("predicted", "expected"),
    [(0.0, "silent"), (0.0199, "silent"), (0.02, None), (2.0, None), (20.0, None), (20.1, "flood"), (None, None)],
)
def test_state_at_its_borders(predicted, expected):
    assert state(predicted, 2.0) == expected


def test_state_without_true_labels():
    assert state(0.0, 0.0) is None
    assert state(0.1, 0.0) == "flood"


def test_a_healthy_run():
    assert verdict(history([1.0, 2.0, 2.0], [0.9, 0.8, 0.9]), 2, constant=1.0) == Collapse()


def test_the_verdict_is_that_of_the_reported_epoch_with_the_stretch_around_it():
    found = verdict(history([1.0, 0.0, 0.0, 0.0, 1.0]), 3)
    assert (found.verdict, found.first_epoch, found.last_epoch) == ("silent", 2, 4)
    assert verdict(history([1.0, 0.0, 0.0, 0.0, 1.0]), 5).verdict is None


def test_collapses_that_lasted_elsewhere_are_told():
    facts = history([0.0, 0.0, 1.0, 0.0, 1.0, 50.0, 60.0, 70.0])
    assert verdict(facts, 5).others == (Stretch("silent", 1, 2), Stretch("flood", 6, 8))
    assert verdict(facts, 7) == Collapse("flood", 6, 8, True, (Stretch("silent", 1, 2),))


def test_neighbouring_stretches_of_different_kinds_stay_apart():
    found = verdict(history([0.0, 0.0, 50.0, 50.0]), 4)
    assert found == Collapse("flood", 3, 4, True, (Stretch("silent", 1, 2),))


def test_constant_until_the_loss_was_once_below():
    losses = [1.2, 1.0, 0.9, 1.5]
    facts = history([2.0] * 4, losses, [0.01] * 4)
    assert verdict(facts, 1, constant=1.0) == Collapse("constant", 1, 2, False)
    assert verdict(facts, 2, constant=1.0).verdict == "constant"
    assert verdict(facts, 3, constant=1.0).verdict is None
    assert verdict(facts, 4, constant=1.0).verdict is None  # overfitted, not constant


def test_constant_needs_both_losses():
    assert verdict(history([2.0]), 1, constant=1.0).verdict is None
    assert verdict(history([2.0], [5.0]), 1, constant=None).verdict is None


def test_silent_and_flood_come_before_constant():
    assert verdict(history([0.0], [5.0]), 1, constant=1.0).verdict == "silent"
    assert verdict(history([99.0], [5.0]), 1, constant=1.0).verdict == "flood"


def test_ranks_tells_a_useless_threshold_from_a_useless_model():
    assert verdict(history([0.0], maps=[0.40]), 1).ranks is True
    assert verdict(history([0.0], maps=[0.011]), 1).ranks is False
    assert verdict(history([0.0], maps=[None]), 1).ranks is None
    assert verdict(history([0.0], maps=[0.4]), 1, chance=None).ranks is None
    assert verdict(history([2.0], maps=[0.4]), 1).ranks is None


@pytest.mark.parametrize(
    ("reached", "chance", "expected"),
    [(0.02, 0.01, True), (0.019, 0.01, False), (0.67, 0.5, True), (0.66, 0.5, False), (1.0, 1.0, True)],
)
def test_useful_is_twice_the_odds(reached, chance, expected):
    assert useful(reached, chance) is expected


def test_a_reported_epoch_outside_the_history_is_refused():
    with pytest.raises(ValueError, match="reported epoch 3 is not in the history"):
        verdict(history([1.0, 1.0]), 3)


def test_a_ranking_that_no_threshold_makes_useful_does_not_count():
    assert useful(0.04, 0.005, micro_f1_tuned=0.2)
    assert not useful(0.04, 0.005, micro_f1_tuned=0.01)
