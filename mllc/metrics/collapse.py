"""Has a run collapsed? A verdict by definition, from what each epoch recorded on validation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["silent", "flood", "constant"]

SILENT_BELOW = 0.01
"""Share of the true number of labels under which the own rule is silent."""

FLOOD_ABOVE = 10.0
"""Times the true number of labels over which the own rule floods."""

USEFUL_F1 = 0.1
"""Micro-F1 with the best threshold under which no ranking is called useful."""

LASTING = 2
"""Epochs that a collapse other than the reported epoch's must last to be worth telling, and so must its end."""


@dataclass(frozen=True)
class EpochFacts:
    """What one epoch recorded on validation, by the objective's own rule.

    labels_per_sample  mean number of labels predicted; None: not known
    loss               None: not known
    map                None: no label has positives
    micro_f1_tuned     with the best threshold on validation; None: not known
    """

    epoch: int
    labels_per_sample: float | None
    loss: float | None = None
    map: float | None = None
    micro_f1_tuned: float | None = None


@dataclass(frozen=True)
class Stretch:
    """Consecutive epochs in the same state."""

    verdict: Verdict
    first_epoch: int
    last_epoch: int


@dataclass(frozen=True)
class Collapse:
    """The verdict on a run.

    verdict      of the epoch whose weights are reported; None: not collapsed
    first_epoch, last_epoch  the consecutive epochs in that state around it; None without a verdict
    ranks        True: the verdict stands, but the order of the scores is useful, so the threshold (or the scale of the
                 scores) is to blame and not the model; None without a verdict or an mAP
    others       collapses before or after that lasted at least two epochs
    """

    verdict: Verdict | None = None
    first_epoch: int | None = None
    last_epoch: int | None = None
    ranks: bool | None = None
    others: tuple[Stretch, ...] = ()


def state(labels_per_sample: float | None, true_labels_per_sample: float) -> Literal["silent", "flood"] | None:
    """silent: under 1 % of the true number of labels predicted; flood: over 10 times.

    >>> state(0.01, 2.0), state(2.5, 2.0), state(420, 2.0)
    ('silent', None, 'flood')
    """
    if labels_per_sample is None:
        return None
    if labels_per_sample < SILENT_BELOW * true_labels_per_sample:
        return "silent"
    return "flood" if labels_per_sample > FLOOD_ABOVE * true_labels_per_sample else None


def lasting(states: Sequence[str | None]) -> str | None:
    """The latest of the `state`s, one an epoch, that lasted; None, no collapse, before any did.

    >>> lasting(["silent", "silent", None]), lasting(["silent", "silent", None, None])
    ('silent', None)
    """
    runs = (states[end - LASTING : end] for end in range(len(states), LASTING - 1, -1))
    return next((run[0] for run in runs if len(set(run)) == 1), None)


def useful(map: float, chance: float, micro_f1_tuned: float | None = None) -> bool:
    """Whether a ranking is worth a better threshold: it is not a random one, and there is a threshold that pays.

    The mAP must have at least twice the odds, map / (1 - map), of `chance`, the mAP of a random order, and the best
    threshold must reach a micro-F1 of .1 (where it is known).

    For rare labels that is twice the mAP by chance; for frequent ones (chance .5) it stays within reach (.67). The mAP
    of the label prior would be too low a bar: equal scores share the worst rank, so any order, a random one as well,
    beats it several times where labels are rare (see `chance_average_precision`).
    """
    pays = micro_f1_tuned is None or micro_f1_tuned >= USEFUL_F1
    return pays and map * (1 - chance) >= 2 * chance * (1 - map)


def collapse(
    history: Sequence[EpochFacts],
    *,
    reported_epoch: int,
    true_labels_per_sample: float,
    chance_map: float | None,
    constant_loss: float | None = None,
) -> Collapse:
    """The verdict on a run, from its history in the order of epochs.

    silent, flood  see `state`
    constant       up to and including this epoch the loss was never below `constant_loss`, that of the best per-label
                   constant on validation (None: not known, no such verdict). A loss that rises again later, as that of
                   an overfitted model does, is not constant.

    Where several hold, silent or flood comes before constant. ValueError if `reported_epoch` is not in `history`.
    """
    reported = next((facts for facts in history if facts.epoch == reported_epoch), None)
    if reported is None:
        raise ValueError(f"reported epoch {reported_epoch} is not in the history {[facts.epoch for facts in history]}")
    stretches: list[Stretch] = []
    constant = True
    previous: Verdict | None = None
    for facts in history:
        constant = constant and constant_loss is not None and facts.loss is not None and facts.loss >= constant_loss
        verdict = state(facts.labels_per_sample, true_labels_per_sample) or ("constant" if constant else None)
        if verdict is not None:
            first = stretches.pop().first_epoch if verdict == previous else facts.epoch
            stretches.append(Stretch(verdict, first, facts.epoch))
        previous = verdict

    own = next((s for s in stretches if s.first_epoch <= reported_epoch <= s.last_epoch), None)
    others = tuple(s for s in stretches if s is not own and s.last_epoch - s.first_epoch + 1 >= LASTING)
    if own is None:
        return Collapse(others=others)
    ranks = None
    if reported.map is not None and chance_map is not None:
        ranks = useful(reported.map, chance_map, reported.micro_f1_tuned)
    return Collapse(own.verdict, own.first_epoch, own.last_epoch, ranks, others)
