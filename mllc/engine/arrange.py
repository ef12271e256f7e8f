"""A cohort's replicas as units: which are stepped together."""

from collections.abc import Sequence

from mllc.engine.sequential import Sequential
from mllc.engine.unit import Unit
from mllc.feed import Feed
from mllc.replica import Replica


def arrange(replicas: Sequence[Replica], feed: Feed) -> list[Unit]:
    """The units of an epoch, which hold each of `replicas` once."""
    return [Sequential(replica, feed) for replica in replicas]
