"""A cohort's replicas as units: which are stepped together."""

from collections.abc import Sequence

from mllc.device import available_bytes
from mllc.engine.sequential import Sequential
from mllc.engine.stacked import Stacked, why_not
from mllc.engine.stacked_network import structure
from mllc.engine.unit import Unit
from mllc.feed import Feed
from mllc.plan import chunks
from mllc.replica import Replica
from mllc.wording import listed


def arrange(
    replicas: Sequence[Replica],
    feed: Feed,
    engine: str = "auto",
    before: Sequence[Unit] = (),
    launch: str = "off",
) -> list[Unit]:
    """The units of an epoch, which hold each of `replicas` once.

    engine  auto | sequential | stacked; auto: stacked on a GPU. On a CPU one replica after another is faster
    before  the units of the epoch before: the same ones where the replicas are; else its stacks are dissolved, and
            those who left keep their last state
    launch  how a step is launched: off | compile | graph (a stack's), see mllc.engine.launch
    """
    if before and {replica for unit in before for replica in unit.replicas} == set(replicas):
        return list(before)
    for unit in before:
        if isinstance(unit, Stacked):
            unit.dissolve()
    units: list[Unit] = []
    for group in _groups(replicas, feed) if _stacks(engine, feed) else [[replica] for replica in replicas]:
        for part in chunks(group, _most(group[0], feed)) if len(group) > 1 else [group]:
            units.append(Stacked(part, feed, launch) if len(part) > 1 else Sequential(part[0], feed, launch))
    return units


def remarks(replicas: Sequence[Replica], feed: Feed, engine: str, launch: str = "off") -> list[str]:
    """What the user who asked for stacks, or graphs of them, should know: who is in none, and why."""
    if launch == "graph" and not _stacks(engine, feed):
        return [f"compile=graph is for the step of a stack, and engine={engine} on {feed.device.type} has none"]
    if engine != "stacked":
        return []
    alone: dict[str, list[str]] = {}
    for group in _groups(replicas, feed):
        if len(group) == 1:
            reason = why_not(group[0], feed) or "no other trial has a network of its structure"
            alone.setdefault(reason, []).append(group[0].name)
    return [f"engine=stacked: {listed(names, 4)} by itself: {reason}" for reason, names in alone.items()]


def _stacks(engine: str, feed: Feed) -> bool:
    return engine == "stacked" or (engine == "auto" and feed.device.type == "cuda")


def _groups(replicas: Sequence[Replica], feed: Feed) -> list[list[Replica]]:
    """Those that can share a stack; one that can be in none is alone."""
    groups: dict[object, list[Replica]] = {}
    for replica in replicas:
        groups.setdefault(replica if why_not(replica, feed) else structure(replica.model), []).append(replica)
    return list(groups.values())


LOGITS = 16
"""Tensors of the size of the logits that a loss and its gradient hold at most: asymmetric, the largest, 13."""


def _most(replica: Replica, feed: Feed) -> int:
    """How many replicas like this one half of the free memory can step at once, whose weights and states it holds."""
    weights = list(replica.model.parameters())
    outputs = sum(len(weight) for weight in weights if weight.ndim == 2)
    numbers = -(-feed.batch_size // feed.accumulate) * (4 * outputs + LOGITS * replica.model.labels.out_features)
    numbers += 8 * sum(weight.numel() for weight in weights)  # states, gradients and what a step needs in between
    return max(1, available_bytes(feed.device) // 2 // (numbers * weights[0].element_size()))
