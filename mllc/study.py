"""Study: what a search over settings leaves behind in study.json, and nothing else; needs only the standard library."""

import json
import math
from dataclasses import asdict, dataclass, field
from typing import Any

FORMAT = 1
"""Version of study.json."""


@dataclass(frozen=True)
class Range:
    """Where one setting was searched: between `low` and `high` (on a log scale or not), or among `choices`.

    integer     whole numbers only
    open_below  whether something new lies below `low`: not where it is the least value there is, or as good as none
    open_above  likewise above `high`
    """

    low: float | None = None
    high: float | None = None
    log: bool = False
    integer: bool = False
    choices: tuple[Any, ...] = ()
    open_below: bool = True
    open_above: bool = True


@dataclass(frozen=True)
class Try:
    """One setting that was tried.

    status  done, diverged (value None: the worst there is), failed, or pruned (given up early; value: the last one)
    value   the monitored figure on validation at its best epoch
    """

    number: int
    run_id: str
    values: dict[str, Any]
    status: str
    value: float | None = None


@dataclass(frozen=True)
class Study:
    """The search behind one row of a comparison.

    name     the row: the config's `name`, or the loss
    fixed    what all its trials share of the keys that rows of a comparison may differ in: `loss`, `optimizer`, ...
    seed     of the trials; the chosen setting is then repeated with other seeds
    sampler  tpe, random or sobol
    wanted   how many trials were to complete
    space    searched setting -> where
    tries    by number
    chosen   the best values found, or None before any completed
    final    run ids of the chosen setting with the other seeds
    """

    study_id: str
    name: str
    fixed: dict[str, Any]
    monitor: str
    seed: int
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
        """Searched numbers whose chosen value lies within `share` of the range's end, beyond which nobody looked.

        Setting -> low | high.
        """
        found: dict[str, str] = {}
        for key, value in (self.chosen or {}).items():
            space = self.space.get(key)
            if space is None or space.low is None or space.high is None or isinstance(value, str | bool | None):
                continue
            low, high, at = (
                (math.log(one) for one in (space.low, space.high, value))
                if space.log
                else (space.low, space.high, value)
            )
            place = (at - low) / (high - low) if high > low else 0.5
            if place <= share and space.open_below:
                found[key] = "low"
            elif place >= 1 - share and space.open_above:
                found[key] = "high"
        return found

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Study":
        """The inverse of `to_json`; ValueError for anything that is not a study of this format."""
        values = json.loads(text)
        if not isinstance(values, dict) or values.get("format") != FORMAT:
            found = values.get("format") if isinstance(values, dict) else type(values).__name__
            raise ValueError(f"format {found!r}, but this mllc reads format {FORMAT}")
        try:
            space = {
                key: Range(**one | {"choices": tuple(one.get("choices", ()))}) for key, one in values["space"].items()
            }
            tries = tuple(Try(**one) for one in values["tries"])
            return cls(**values | {"space": space, "tries": tries, "final": tuple(values["final"])})
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"not a study: {error}") from None
