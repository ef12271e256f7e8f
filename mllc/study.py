"""Study: what a search over settings leaves behind in study.json, and nothing else; needs only the standard library."""

import json
import math
from collections.abc import Collection
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from mllc import records

FORMAT = 1
"""Version of study.json."""


@dataclass(frozen=True)
class Range:
    """Where one setting was searched: between `low` and `high` (on a log scale or not), or among `choices`.

    integer       whole numbers only
    below, above  a number further out, for a next search; None where nothing new lies there, or with one number at most
    """

    low: float | None = None
    high: float | None = None
    log: bool = False
    integer: bool = False
    choices: tuple[Any, ...] = ()
    below: float | None = None
    above: float | None = None

    @property
    def ends(self) -> tuple[Any, Any]:
        """Lowest and highest value, or first and last choice."""
        return (self.choices[0], self.choices[-1]) if self.choices else (self.low, self.high)

    @property
    def size(self) -> float:
        """How many values there are.

        >>> Range(1, 3, integer=True).size, Range(0.0, 1.0).size, Range(choices=("a", "b")).size
        (3, inf, 2)
        """
        if self.low is None or self.high is None:
            return len(self.choices)
        return self.high - self.low + 1 if self.integer else math.inf

    def __contains__(self, value: Any) -> bool:
        if self.low is None or self.high is None:
            return value in self.choices
        return isinstance(value, int | float) and self.low <= value <= self.high

    def edge(self, value: Any, share: float) -> str | None:
        """At which end, beyond which nobody looked, a value lies: low, high, None for neither.

        share  of the range that counts as its end; of choices, those that are numbers have a least and a largest one

        >>> Range(0.0, 10.0, above=15.0).edge(9.6, 0.05), Range(choices=(10, 1, "sqrt"), above=100).edge(10, 0.05)
        ('high', 'high')
        """
        ends: list[Any] = sorted(filter(is_number, self.choices)) if self.choices else [self.low, self.high]
        if len(ends) < 2 or not is_number(value):
            return None
        low, high, at = (_position(number, self.log) for number in (ends[0], ends[-1], value))
        place, share = (at - low) / (high - low), 0.0 if self.choices else share
        if place <= share and self.below is not None:
            return "low"
        return "high" if place >= 1 - share and self.above is not None else None

    def wider(self, ends: Collection[str]) -> "Range":
        """What to type for a next search: further out at these ends, `low` and `high`.

        >>> print(Range(1.0, 3.0, below=0.5, above=4.0).wider({"high"}))
        interval(1,4)
        >>> print(Range(choices=(0.1, 1.0), below=0.01, above=10.0).wider({"low", "high"}))
        0.01,0.1,1,10
        """
        below, above = self.below if "low" in ends else None, self.above if "high" in ends else None
        if self.choices:
            further = [[end] if end is not None else [] for end in (below, above)]
            return replace(self, choices=(*further[0], *self.choices, *further[1]))
        return replace(self, low=self.low if below is None else below, high=self.high if above is None else above)

    def __str__(self) -> str:
        """As it is typed behind `optimizer.lr=`.

        >>> print(Range(0.001, 0.1, log=True), Range(1, 3, integer=True), Range(choices=("sqrt", 3.0, True, None)))
        tag(log,interval(0.001,0.1)) interval(1,3) sqrt,3,true,null
        """
        if self.choices:
            return ",".join(map(typed, self.choices))
        interval = f"interval({typed(self.low)},{typed(self.high)})"
        return f"tag(log,{interval})" if self.log else interval


@dataclass(frozen=True)
class Try:
    """One setting that was tried.

    status  done, diverged (value None: the worst there is), failed, or pruned (given up early; value: the last one)
    value   the monitored figure on validation at its best epoch
    run_id  empty where the settings do not go together, so that nothing was trained
    """

    number: int
    run_id: str
    values: dict[str, Any]
    status: str
    value: float | None = None


@dataclass(frozen=True)
class Study:
    """The search behind one row of a comparison.

    name        the row: the config's `name`, or the loss
    fixed       what all its trials share of the keys that rows of a comparison may differ in: `loss`, `optimizer`, ...
    seed        of the trials; the chosen settings are then repeated with other seeds
    test_split  fingerprint of the test samples that this seed holds out
    sampler     tpe, random or sobol
    wanted      how many trials were to complete
    space       searched setting -> where; only the first trial, the YAMLs' own values, may lie outside
    tries       by number
    chosen      the best values found; None before a trial completed soundly
    final       run ids of the chosen settings with the other seeds
    """

    study_id: str
    name: str
    fixed: dict[str, Any]
    monitor: str
    seed: int
    test_split: str
    sampler: str
    wanted: int
    space: dict[str, Range]
    tries: tuple[Try, ...] = ()
    chosen: dict[str, Any] | None = None
    final: tuple[str, ...] = ()
    format: int = field(default=FORMAT)

    def completed(self) -> int:
        """Trials that ran to their end; a diverged one is an answer too."""
        return sum(one.status in ("done", "diverged") for one in self.tries)

    def at_edge(self, share: float = 0.05) -> dict[str, str]:
        """Searched settings whose chosen value lies at an end of where it was searched -> low | high (`Range.edge`)."""
        ends = {
            key: self.space[key].edge(value, share) for key, value in (self.chosen or {}).items() if key in self.space
        }
        return {key: end for key, end in ends.items() if end}

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Study":
        """The inverse of `to_json`; ValueError for anything that is not a study of this format."""
        values = records.read(text, cls, FORMAT)
        try:
            space = {
                key: Range(**one | {"choices": tuple(one.get("choices", ()))}) for key, one in values["space"].items()
            }
            tries = tuple(Try(**one) for one in values["tries"])
            return cls(**values | {"space": space, "tries": tries, "final": tuple(values["final"])})
        except (TypeError, KeyError) as error:
            raise ValueError(f"not a study: {error}") from None


def is_number(value: Any) -> bool:
    """Whether a setting's value is a number: true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def typed(value: Any) -> str:
    """A value as it is typed.

    >>> typed(1e-05), typed(3.0), typed(False), typed([0.9, 0.99])
    ('1e-05', '3', 'false', '[0.9,0.99]')
    """
    if isinstance(value, float):
        return f"{value:g}"
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _position(value: float, log: bool) -> float:
    if log:
        return math.log(value) if value > 0 else -math.inf
    return value
