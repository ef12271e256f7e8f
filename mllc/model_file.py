"""ModelFile: what a run leaves in model.json, so that its weights can be applied where its data no longer is."""

import hashlib
import json
from dataclasses import dataclass, fields
from typing import Any

from mllc import records

FORMAT = 2
"""Version of model.json; no part of a run's id, for it changes nothing that a run computes."""


@dataclass(frozen=True)
class ModelFile:
    """What there is to know of a model beside its config and its weights. Plain data; the data set is not needed.

    kind              features or images
    label_names       in the order of the outputs
    input_shape       of one sample, as in Dataset
    encoding          how the reader brings new samples into that form (Dataset.encoding)
    mean, std         of pixels in [0, 1] that the backbone expects, one a channel; empty: pixels as they are
    label_counts, num_samples, mean_cardinality
                      of the training split (LabelStatistics): losses, rules and scores ask for them
    threshold         the one tuned on validation, on the scale of the scores
    label_thresholds  one a label, likewise, shrunk towards it
    digests           SHA-256 of each weights file in the folder, by its name
    mllc, torch       versions that the run was made with
    digest            SHA-256 of all the other fields, once it is written
    """

    run_id: str
    kind: str
    label_names: tuple[str, ...]
    input_shape: tuple[int, ...]
    encoding: dict[str, Any]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    label_counts: tuple[float, ...]
    num_samples: int
    mean_cardinality: float
    threshold: float
    label_thresholds: tuple[float, ...]
    digests: dict[str, str]
    mllc: str
    torch: str
    format: int = FORMAT
    digest: str = ""

    def to_json(self) -> str:
        """Strict JSON; ValueError for a number that is not finite."""
        return json.dumps(vars(self) | {"digest": self._digest()}, indent=1, allow_nan=False) + "\n"

    def _digest(self) -> str:
        content = json.dumps(vars(self) | {"digest": ""})
        return hashlib.sha256(content.encode()).hexdigest()

    @classmethod
    def from_json(cls, text: str) -> "ModelFile":
        """The inverse of `to_json`; ValueError for anything else, and for what was changed afterwards."""
        values = records.read(text, cls, FORMAT)
        missing = [one.name for one in fields(cls) if one.name not in values]
        if missing:
            raise ValueError(f"missing fields {missing}")
        plain: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
        }
        found = cls(**plain)
        for name in ("label_counts", "label_thresholds"):
            number = len(getattr(found, name))
            if number != len(found.label_names):
                raise ValueError(f"{name} has {number} entries for {len(found.label_names)} labels")
        if found.kind not in ("features", "images"):
            raise ValueError(f"kind is {found.kind!r}, but features or images is expected")
        if found.digest != found._digest():
            raise ValueError("it has been changed since the run wrote it")
        return found
