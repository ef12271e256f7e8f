"""Files of vectors and their labels, looked at by the names of their arrays or columns."""

import re
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

from mllc.data.recognise_lists import LABEL_COLUMNS, Table, read_table

FEATURES = ("features", "x", "embeddings", "embedding", "vectors", "vector", "inputs")
LABELS = (*LABEL_COLUMNS, "y")
"""What the two are called, in any case."""


def npz_settings(file: Path) -> dict[str, Any]:
    """Settings of dataset=npz for an archive: the names of its arrays, where they differ from the YAML's."""
    try:
        with zipfile.ZipFile(file) as archive:
            names = [name.removesuffix(".npy").removesuffix("_indptr") for name in archive.namelist()]
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return {}  # the reader says what is wrong with it
    return _named("features", FEATURES, names) | _named("labels", LABELS, names)


def parquet_settings(file: Path) -> dict[str, Any]:
    """Settings of dataset=parquet for a table: the columns of features and of labels."""
    table = read_table(file)
    assert table is not None
    features = features_of(table)
    settings: dict[str, Any] = {} if features in (None, "features") else {"features": features}
    if any(name.lower() in LABELS for name in table.header):
        return settings | _named("labels", LABELS, table.header)
    others = [name for name in table.header if name not in _columns_of(table, features)]
    binary = [name for name in others if all(cell in (0, 1, None) for cell in table.column(name))]
    return settings | ({"labels": binary} if binary else {})


def features_of(table: Table) -> str | None:
    """The column of lists of numbers, or what two or more numbered columns of numbers begin with; None: neither."""
    lists = [name for name in table.header if _is_vector(next(iter(table.column(name)), None))]
    if lists:
        return next((name for known in FEATURES for name in lists if name.lower() == known), lists[0])
    found = [re.fullmatch(r"(.*?)_?\d+", name) for name in table.header]
    numbered = Counter(
        one.group(1) for one in found if one and all(isinstance(cell, float) for cell in table.column(one.group()))
    )
    return next((name for name, count in numbered.most_common(1) if count > 1 and name), None)


def _columns_of(table: Table, features: str | None) -> list[str]:
    pattern = rf"{re.escape(features or '')}(_?\d+)?"
    return [name for name in table.header if re.fullmatch(pattern, name)]


def _is_vector(cell: Any) -> bool:
    return isinstance(cell, list) and bool(cell) and all(isinstance(number, float) for number in cell)


def _named(setting: str, known: tuple[str, ...], names: Any) -> dict[str, Any]:
    """The setting for the first of the known names that occurs, unless that is the YAML's own."""
    found = next((name for one in known for name in names if name.lower() == one), setting)
    return {} if found == setting else {setting: found}
