"""The last step of every reader: one check of what it read, notes on its labels, the fingerprint."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import torch

from mllc.data.fingerprint import fingerprint
from mllc.errors import DataError
from mllc.types import Dataset, Rows, Split
from mllc.wording import listed


def assemble(
    kind: Literal["features", "images"],
    label_names: Sequence[str],
    *,
    train: Split,
    val: Split | None = None,
    test: Split | None = None,
    notes: Iterable[str] = (),
    encoding: Mapping[str, Any] | None = None,
    skipped: Mapping[str, int] | None = None,
    input_digests: Mapping[str, bytes] | None = None,
) -> Dataset:
    """A Dataset of splits whose targets are columns of `label_names`.

    input_digests  split -> digest of its inputs, where there is a cheaper one than of every row (see `fingerprint`)

    Raises DataError for repeated or missing label names and for a split without samples.
    """
    names = tuple(label_names)
    if not names:
        raise DataError("the data set has no labels")
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise DataError(f"label names occur more than once: {listed(repeated)}")
    for title, split in (("training", train), ("validation", val), ("test", test)):
        if split is not None and not len(split):
            raise DataError(f"the {title} split has no samples")
    return Dataset(
        kind=kind,
        label_names=names,
        input_shape=_shape(train.inputs),
        train=train,
        val=val,
        test=test,
        fingerprint=fingerprint(
            names,
            train,
            val,
            test,
            input_digests=[(input_digests or {}).get(split) for split in ("train", "val", "test")],
        ),
        notes=tuple(notes),
        encoding=encoding or {},
        skipped=skipped or {},
    )


def _shape(rows: Rows) -> tuple[int, ...]:
    """That of one sample; of rows that do not say theirs the first is looked at."""
    shape = getattr(rows, "shape", None) or rows[torch.tensor([0])].shape
    return tuple(shape[1:])
