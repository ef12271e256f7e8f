"""RunResult: what a run leaves behind in result.json, and nothing else; reading it needs only the standard library."""

import json
import math
from dataclasses import asdict, dataclass, field
from typing import Any

from mllc import records

FORMAT = 1
"""Version of the run folder's layout; part of every run's id."""

Metrics = dict[str, float | None]
"""Figures by name (see mllc.evaluate); None where a figure is undefined."""

BASELINES = ("all_zeros", "all_ones", "label_prior")
"""The rows that every comparison has beside its runs; no run may be called so."""


@dataclass(frozen=True)
class RunResult:
    """One run.

    name            the row it belongs to in a report: the config's `name`, or the loss
    seed, fold      the repeat; fold: which fold of a cross-validation is the test split, None without one
    settings        what a trial may differ in, flat: `loss.gamma`, `optimizer.lr`, `schedule`, `clip`, ...
    shared          the other settings that distinguish comparisons: `epochs`, `batch_size`, `backbone.hidden`, ...
    status          done, diverged (a loss, gradient or score that is not finite), failed, or pruned: given up early by
                    a search, because it did worse than others
    monitor_value   the monitored figure on validation at the best epoch
    val, test       figures of the best epoch; test is None until the run was scored on it
    baselines       split -> all_zeros | all_ones | label_prior -> figures
    threshold       the one threshold tuned on validation, on the scale of the scores
    collapse        the fields of mllc.metrics.collapse.Collapse: verdict (None, silent, flood or constant), ...
    data            fingerprint, split (its fingerprint), files (names by setting), num_labels, samples per split,
                    never_true (labels without a positive, per split), notes
    """

    run_id: str
    name: str
    dataset: str
    backbone: str
    loss: str
    optimizer: str
    seed: int
    settings: dict[str, Any]
    shared: dict[str, Any]
    status: str
    monitor: str
    monitor_value: float | None = None
    best_epoch: int | None = None
    epochs: int = 0
    val: Metrics | None = None
    test: Metrics | None = None
    baselines: dict[str, dict[str, Metrics]] = field(default_factory=dict)
    threshold: float | None = None
    collapse: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    message: str = ""
    fold: int | None = None
    format: int = FORMAT

    @property
    def repeat(self) -> tuple[int, int]:
        """What runs of the same settings differ in: the seed, and the fold (-1 without folds)."""
        return self.seed, -1 if self.fold is None else self.fold

    def to_json(self) -> str:
        """Strict JSON: a figure that is not finite becomes null."""
        return json.dumps(_finite(asdict(self)), indent=1, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "RunResult":
        """The inverse of `to_json`; ValueError for anything that is not a result of this format."""
        values = records.read(text, cls, FORMAT)
        for name, kinds in INSIDE.items():
            for key in kinds.keys() & values.get(name, {}).keys():
                records.check(values[name][key], kinds[key], f"{name}.{key}")
        try:
            return cls(**values)
        except TypeError as error:
            raise ValueError(str(error)) from None


INSIDE = {
    "collapse": {"verdict": str | None},
    "data": {
        "split": str | None,
        "num_labels": int,
        "samples": dict[str, int],
        "never_true": dict[str, int],
        "files": dict[str, str],
    },
}
"""What a report reads of the fields that hold more than figures."""


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
