"""From a model's answers to the labels that are named for each sample, best first."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from torch import Tensor

from mllc.errors import ConfigError, DataError
from mllc.result import RunResult
from mllc.trained import THRESHOLDS, Trained
from mllc.types import Samples
from mllc.wording import counted

WORTH_TELLING = 0.05
"""A gain of micro-F1 by a tuned threshold from which on the user is told of it."""


class Named(NamedTuple):
    """A batch of samples and what is said of them.

    ids     their names
    chosen  of each, the columns of its labels, the largest score first; of equal ones the first column
    scores  float32 (samples, labels), on the logit scale
    """

    ids: list[str]
    chosen: list[list[int]]
    scores: Tensor


def check_choice(threshold: str, top_k: int | None, num_labels: int) -> None:
    """ConfigError for an unknown threshold, and for more labels than there are."""
    if threshold not in THRESHOLDS:
        raise ConfigError(f"--threshold {threshold}: type {', '.join(THRESHOLDS[:-1])} or {THRESHOLDS[-1]}")
    if top_k is not None and not 1 <= top_k <= num_labels:
        raise ConfigError(f"--top-k {top_k}: the run has {num_labels} labels; type a number from 1 to {num_labels}")


def named(
    trained: Trained, batches: Iterable[Samples], *, threshold: str = "own", top_k: int | None = None
) -> Iterator[Named]:
    """The labels of each batch: those predicted by one of THRESHOLDS, or the `top_k` of the largest scores."""
    for ids, inputs in batches:
        try:
            answer = trained(inputs)
        except DataError as error:
            raise DataError(f"from {ids[0]!r} to {ids[-1]!r}: {error}") from None
        order = answer.scores.sort(dim=1, descending=True, stable=True).indices
        if top_k is not None:
            chosen = order[:, :top_k].tolist()
        else:
            kept = trained.decide(answer, threshold).gather(1, order)
            chosen = [row[keep].tolist() for row, keep in zip(order, kept, strict=True)]
        yield Named(ids, chosen, answer.scores)


class Tally:
    """Counts the samples and labels that pass."""

    def __init__(self) -> None:
        self.samples = self.labels = 0

    def of(self, batches: Iterable[Named]) -> Iterator[Named]:
        """The same batches."""
        for batch in batches:
            self.samples += len(batch.ids)
            self.labels += sum(map(len, batch.chosen))
            yield batch

    def __str__(self) -> str:
        return f"{counted(self.samples, 'sample')}, {self.labels / max(self.samples, 1):.2f} labels a sample"


def better_threshold(result: RunResult) -> str | None:
    """What to tell of a run whose own rule does worse on validation than the threshold tuned there."""
    own, tuned = ((result.val or {}).get(name) for name in ("micro_f1", "micro_f1_tuned"))
    if own is None or tuned is None or tuned - own < WORTH_TELLING:
        return None
    return (
        f"by its own rule the run has a micro-F1 of {own:.2f} on validation, with the threshold tuned there "
        f"{tuned:.2f}: --threshold global takes it"
    )
