"""How many labels and features there are, where only the numbers that occur say so: one slip must not make millions."""

from collections.abc import Sequence

from mllc.data.label_arrays import MOST_LABELS
from mllc.data.svmlight_table import Ragged, Table
from mllc.errors import DataError

PLAUSIBLE_LABELS, LABELS_PER_SAMPLE = 100_000, 100
"""More of them, and more for each sample, are taken for a slip."""

PLAUSIBLE_FEATURES, FEATURES_PER_VALUE = 10_000_000, 100
"""Likewise, for each value that the files hold: hashed features are many, and few of them occur."""


def count_labels(tables: Sequence[Table]) -> int:
    """One more than the largest label; 0 without any. DataError, naming file and line, for an implausible one."""
    table, place = _largest(tables, [table.labels for table in tables])
    if place is None:
        return 0
    row, label = place
    num_labels, samples = label + 1, sum(map(len, tables))
    where = f"{table.place(row)}: label {label}"
    if num_labels > MOST_LABELS:
        raise DataError(f"{where} makes {num_labels:,} labels: at most {MOST_LABELS:,} are possible; is it a typo?")
    if num_labels > max(PLAUSIBLE_LABELS, LABELS_PER_SAMPLE * samples):
        raise DataError(
            f"{where} makes {num_labels:,} labels of {samples:,} samples; is it a typo? "
            f"Type dataset.num_labels={num_labels} if not"
        )
    return num_labels


def count_features(tables: Sequence[Table], base: int) -> int:
    """As many as the largest index has it; 0 without any. DataError, naming file and line, for an implausible one."""
    table, place = _largest(tables, [table.features for table in tables])
    if place is None:
        return 0
    row, index = place
    num_features, values = index + 1 - base, sum(len(table.values) for table in tables)
    if num_features > max(PLAUSIBLE_FEATURES, FEATURES_PER_VALUE * values):
        raise DataError(
            f"{table.place(row)}: index {index} makes {num_features:,} features, but there are {values:,} values; is "
            f"it a typo? Type dataset.num_features={num_features} if not"
        )
    return num_features


def _largest(tables: Sequence[Table], columns: Sequence[Ragged]) -> tuple[Table, tuple[int, int] | None]:
    """The table with the largest column, and its row and this column (None: there is none)."""
    most = max(range(len(tables)), key=lambda number: columns[number].columns.max(initial=-1))
    found = columns[most].columns
    if not len(found):
        return tables[most], None
    place = int(found.argmax())
    return tables[most], (columns[most].row_of(place), int(found[place]))
