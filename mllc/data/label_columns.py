"""The columns of a table that hold its labels: one for all, or one a label."""

from collections.abc import Mapping, Sequence
from typing import Any

from mllc.data.tables import Table, require_column
from mllc.errors import ConfigError, DataError
from mllc.wording import counted, listed


def check_spelling(labels_as: str, label_columns: Any, vocabulary: str | None, separator: str) -> None:
    """ConfigError for settings that do not go together."""
    if not separator:
        raise ConfigError("dataset.separator is empty: one or more characters are needed, such as '|'")
    if labels_as not in ("auto", "joined", "list", "columns", "index"):
        raise ConfigError(f"dataset.labels_as={labels_as}: auto, joined, list, columns or index is needed")
    if isinstance(label_columns, str) and label_columns != "rest":
        raise ConfigError(f"dataset.label_columns={label_columns}: a list is needed, [{label_columns}], or rest")
    if labels_as == "columns" and not label_columns:
        raise ConfigError("dataset.labels_as=columns: type dataset.label_columns=[A,B], or =rest for all other columns")
    if labels_as in ("joined", "list") and label_columns:
        raise ConfigError(
            f"dataset.labels_as={labels_as} is for one column, dataset.label_column; drop dataset.label_columns"
        )
    if labels_as == "index" and vocabulary is None:
        raise ConfigError("dataset.labels_as=index: the names are needed as well; type dataset.vocabulary=FILE")


def label_columns_of(
    tables: Mapping[str, Table],
    *,
    image_column: str,
    label_column: str,
    label_columns: Sequence[Any] | str | None,
    group: str | None,
) -> tuple[list[str], list[str]]:
    """The columns, which every table has, and notes on what was left out.

    Raises DataError for a column that is not there, and, for `rest`, where the tables differ.
    """
    if not label_columns:
        hint = " (or, where each label has a column of 0 and 1, dataset.label_columns=rest)"
        for table in tables.values():
            require_column(table, label_column, "dataset.label_column", hint)
        _require_other(tables["train"], label_column, image_column)
        return [label_column], []
    if label_columns == "rest":
        return _rest(tables, {image_column, group})
    columns = [str(column) for column in label_columns]
    for column in columns:
        if column == image_column:
            raise DataError(f"dataset.label_columns: {column!r} is the column of the images as well; leave it out")
        if columns.count(column) > 1:
            raise DataError(f"dataset.label_columns: {column!r} is named more than once")
        for table in tables.values():
            require_column(table, column, "dataset.label_columns")
    return columns, []


def require_same_names(columns: Sequence[str], names: Sequence[str], vocabulary: str) -> None:
    """DataError where the columns are not those of the vocabulary."""
    more, fewer = [c for c in columns if c not in set(names)], [n for n in names if n not in set(columns)]
    if more:
        raise DataError(
            f"{counted(len(more), 'column')} of labels not in dataset.vocabulary={vocabulary}: {listed(more)}; name "
            "the columns of labels: dataset.label_columns=[A,B]"
        )
    if fewer:
        raise DataError(f"dataset.vocabulary={vocabulary}: no column of labels for {listed(fewer)}")


def _require_other(table: Table, label_column: str, image_column: str) -> None:
    if label_column == image_column:
        others = ", ".join(name for name in table.columns if name != label_column) or "none"
        raise DataError(
            f"{table.file}: dataset.label_column={label_column} is the column of the images as well; type the one of "
            f"the labels: dataset.label_column=NAME (other columns: {others})"
        )


def _rest(tables: Mapping[str, Table], others: set[str | None]) -> tuple[list[str], list[str]]:
    train = tables["train"]
    columns = [column for column in train.columns if column.strip() and column not in others]
    if not columns:
        raise DataError(f"{train.file}: dataset.label_columns=rest, but there is no other column")
    for table in tables.values():
        theirs = {column for column in table.columns if column.strip() and column not in others}
        odd = sorted(theirs ^ set(columns))
        if odd:
            raise DataError(
                f"{table.file}: not the columns of {train.file}: only one of them has {listed(odd)}; name those of the "
                "labels: dataset.label_columns=[A,B]"
            )
        for column in columns:
            require_column(table, column, "dataset.label_columns")
    unnamed = [table.file.name for table in tables.values() if "" in {column.strip() for column in table.columns}]
    return columns, [f"a column without a name is left out of {name}" for name in unnamed]
