"""Scores and targets of anyone's model, checked: every mistake that can be seen is refused in words. numpy alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from mllc.errors import DataError
from mllc.wording import counted

Unit = Literal["logits", "probabilities"]

UNKNOWN = -1
"""The target that says: not known; so does NaN."""


@dataclass(frozen=True, eq=False)
class Scored:
    """What a model said of some samples, beside the truth; make it with `Scored.of`.

    scores       float (samples, labels), finite; the larger, the surer
    targets      uint8 (samples, labels), 0 or 1
    mask         bool (samples, labels), False where the target is unknown; None: all known
    unit         of the scores
    label_names  one a label
    notes        what the reader did that its user should know
    decisions    bool (samples, labels): which labels the model predicted, where it says so itself; None: by a threshold
    """

    scores: np.ndarray
    targets: np.ndarray
    mask: np.ndarray | None
    unit: Unit
    label_names: tuple[str, ...]
    notes: tuple[str, ...] = ()
    decisions: np.ndarray | None = None

    @classmethod
    def of(
        cls,
        scores: Any,
        targets: Any,
        *,
        unit: Unit | None,
        mask: Any = None,
        label_names: Sequence[str] | None = None,
        notes: Sequence[str] = (),
        decisions: Any = None,
    ) -> "Scored":
        """Checks arrays (or what `numpy.asarray` makes one of) of the shape (samples, labels).

        targets      0, 1, True, False; -1 or NaN where unknown
        unit         logits or probabilities; None is refused with what the scores look like, never guessed
        mask         beside the targets' own unknown entries: 0 or False where the target is unknown
        label_names  None: label0, label1, ...
        decisions    0 and 1, or False and True

        DataError, in words, for whatever cannot be judged.

        >>> Scored.of([[2.0, -1.0], [0.5, 3.0]], [[1, 0], [-1, 1]], unit="logits").mask
        array([[ True,  True],
               [False,  True]])
        """
        scores, targets = _numbers(scores, "scores"), _numbers(targets, "targets")
        _check_shapes(scores, targets)
        _check_finite(scores)
        known = _known(targets)
        if mask is not None:
            known &= _flags(mask, "the mask", "has", targets.shape)
        predicted = None if decisions is None else _flags(decisions, "the decisions", "have", targets.shape)
        true = (targets == 1) & known
        _check_classes(targets, true, known)
        _check_unit(scores, unit)
        assert unit is not None
        names = tuple(label_names) if label_names is not None else tuple(f"label{i}" for i in range(scores.shape[1]))
        if len(names) != scores.shape[1]:
            raise DataError(
                f"{counted(len(names), 'label name')} for {scores.shape[1]} labels: give one a label, in their order"
            )
        floats = scores if scores.dtype.kind == "f" else scores.astype(np.float64)
        return cls(floats, true.astype(np.uint8), None if known.all() else known, unit, names, tuple(notes), predicted)

    def log_odds(self) -> np.ndarray:
        """The scores on the logit scale, float64: logits as they are, probabilities as log(p / (1 - p)).

        Probabilities of 0 and 1 come one below and one above all others, so that no order is lost.

        >>> Scored.of([[0.5, 0.0], [1.0, 0.5]], [[1, 0], [1, 1]], unit="probabilities").log_odds().tolist()
        [[0.0, -1.0], [1.0, 0.0]]
        """
        scores = self.scores.astype(np.float64)
        if self.unit == "logits":
            return scores
        with np.errstate(divide="ignore"):
            odds = np.log(scores / (1 - scores))
        finite = odds[np.isfinite(odds)]
        low, high = (finite.min(), finite.max()) if len(finite) else (0.0, 0.0)
        return np.clip(odds, low - 1, high + 1)


def _numbers(values: Any, what: str) -> np.ndarray:
    try:
        array = np.asarray(values)
    except (ValueError, TypeError, RuntimeError) as error:  # ragged lists; tensors on a GPU, or with a gradient
        raise DataError(f"{what} are no array of (samples, labels): {str(error).splitlines()[0]}") from None
    if array.dtype.kind not in "biuf":
        raise DataError(f"{what} hold {array.dtype}, not numbers; save an array of numbers, a column for each label")
    return array


def _flags(values: Any, what: str, verb: str, shape: tuple[int, ...]) -> np.ndarray:
    """An array of truth values beside the targets."""
    array = _numbers(values, f"the entries of {what}")
    if array.shape != shape:
        raise DataError(f"{what} {verb} the shape {array.shape} and targets {shape}: save one as large")
    return array.astype(bool)


def _check_shapes(scores: np.ndarray, targets: np.ndarray) -> None:
    shapes = f"scores have the shape {scores.shape} and targets {targets.shape}"
    for array, what in ((scores, "scores"), (targets, "targets")):
        if array.ndim == 1 or (array.ndim == 2 and array.shape[1] == 1):
            hint = "; class numbers become rows with numpy.eye(num_labels)[classes]" if what == "targets" else ""
            raise DataError(
                f"{what} are a single column of {len(array)} values: give a row a sample, a column a label, "
                f"two at least{hint}"
            )
        if array.ndim != 2:
            raise DataError(f"{shapes}: give both as (samples, labels); numpy.reshape makes them so")
    if scores.shape != targets.shape:
        if scores.shape == targets.shape[::-1]:
            raise DataError(f"{shapes}: one of them is transposed; save its .T, so that both are (samples, labels)")
        differing = [
            what for axis, what in enumerate(("samples", "labels")) if scores.shape[axis] != targets.shape[axis]
        ]
        raise DataError(
            f"{shapes}: the number of {' and of '.join(differing)} differs; save both of the same samples, with a "
            "column for each label, in the same order"
        )
    if len(scores) < 2:
        raise DataError(
            f"{shapes}: give two samples at least (thresholds are tuned on one half), hundreds to learn much"
        )


def _check_finite(scores: np.ndarray) -> None:
    bad = ~np.isfinite(scores)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise DataError(
            f"{bad.sum()} of {bad.size} scores are NaN or infinite, the first in row {row}, column {column} (counted "
            "from 0): the model diverged, or these are logarithms of 0; save finite scores"
        )


def _known(targets: np.ndarray) -> np.ndarray:
    """Where the target is 0 or 1; DataError for a value that means nothing."""
    if targets.dtype.kind in "bu":
        known = np.ones(targets.shape, dtype=bool)
    else:
        known = ~(np.isnan(targets) | (targets == UNKNOWN))
    odd = known & (targets != 0) & (targets != 1)
    if odd.any():
        row, column = np.argwhere(odd)[0]
        raise DataError(
            f"targets hold {targets[row, column]:g} in row {row}, column {column} (counted from 0), and "
            f"{counted(int(odd.sum()) - 1, 'more value')} of this kind: 0 and 1 are allowed, -1, NaN and (in a CSV) ? "
            "are unknown; save targets > 0.5 if these are shares"
        )
    return known


def _check_classes(targets: np.ndarray, true: np.ndarray, known: np.ndarray) -> None:
    if not known.any():
        raise DataError("targets hold no 0 and no 1: all are unknown")
    if not true.any():
        raise DataError(
            "targets hold no 1: there is nothing to find, so nothing to judge; are these the right samples?"
        )
    if true.sum() == known.sum():
        coded = (targets == UNKNOWN).any()
        raise DataError(
            "targets hold 1 and -1 and no 0, and -1 means unknown here; if it means false, save targets > 0"
            if coded
            else "targets hold no 0: every answer is right, so there is nothing to judge"
        )


def _check_unit(scores: np.ndarray, unit: str | None) -> None:
    if unit is not None and unit not in get_args(Unit):
        raise DataError(f"the unit {unit!r} is unknown: {' or '.join(get_args(Unit))}")
    low, high = float(scores.min()), float(scores.max())
    span = f"the scores run from {low:.4g} to {high:.4g}"
    inside = low >= 0 and high <= 1
    if unit == "probabilities" and not inside:
        raise DataError(f"{span}, and probabilities lie between 0 and 1; type --logits if a sigmoid is still to come")
    if unit is None and inside:
        raise DataError(
            f"{span}, as probabilities do: type --probabilities if they come out of a sigmoid or a softmax, --logits "
            "if not"
        )
    if unit is None:
        raise DataError(f"{span}, outside of 0 to 1, so they are no probabilities: type --logits")
