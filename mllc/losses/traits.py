"""Traits: what the YAML of a loss declares about it, for the loop, the listing and the tests."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from mllc.errors import ConfigError
from mllc.losses.binding import choose
from mllc.losses.scores import SCORES

RESERVED = ("_target_", "name", "reduction", "rule", "threshold", "k", "traits")
"""Keys of a loss's YAML that are not settings of its function."""

STATISTICS = ("label_counts", "num_samples", "priors", "mean_cardinality")
"""Needs that come from LabelStatistics; `epoch` and `mask` come with each batch."""


@dataclass(frozen=True)
class Traits:
    """What a loss declares.

    formula          one line for listings
    source           authors, year, where
    shape            of the returned tensor: element (batch, labels), sample (batch,), label (labels,) or batch ()
    needs            arguments of the function that the program supplies: training statistics, epoch, mask
    outputs          extra outputs of the model, linear units, that the function takes by name
    scores           how outputs become scores: logits, softmax or product
    shift_invariant  a constant added to all logits of a row changes nothing
    coupled          the value of a batch is not the mean over its parts, so gradients cannot be accumulated
    separable        an element depends on its own logit and target alone (and on its label's statistics)
    saturates        a confidently wrong positive gets no gradient, as with losses of probabilities
    stepped          the gradient is not the derivative of the value: a part of it is counted, ranked or detached
    soft_targets     targets between 0 and 1 mean something, not only 0 and 1
    expected         `diverges` for a loss that exists to show a failure
    search           range of each setting worth tuning: {low, high, log} or {choices}
    types            what each setting, and the rule, may be, such as `number > 0|null` (see mllc.config.settings)
    """

    formula: str
    source: str
    shape: str
    needs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    scores: str = "logits"
    shift_invariant: bool = False
    coupled: bool = False
    separable: bool = False
    saturates: bool = False
    stepped: bool = False
    soft_targets: bool = False
    expected: str | None = None
    search: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    types: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, name: str, config: Mapping[str, Any]) -> "Traits":
        """The traits of the loss `name` from its resolved YAML; ConfigError for anything unknown or missing."""
        given = config.get("traits") or {}
        for trait in given:
            choose(f"loss {name!r}: trait", trait, [declared.name for declared in fields(cls)])
        missing = [trait for trait in ("formula", "source", "shape") if trait not in given]
        if missing:
            raise ConfigError(f"loss {name!r}: its YAML has no traits.{', traits.'.join(missing)}")
        choose(f"loss {name!r}: traits.shape", given["shape"], ("element", "sample", "label", "batch"))
        choose(f"loss {name!r}: traits.scores", given.get("scores", "logits"), SCORES)
        for need in given.get("needs", ()):
            choose(f"loss {name!r}: traits.needs", need, (*STATISTICS, "epoch", "mask"))
        lists = {trait: tuple(given[trait]) for trait in ("needs", "outputs") if trait in given}
        return cls(**{**given, **lists})
