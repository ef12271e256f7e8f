"""Images listed in tables (CSV, TSV, Parquet), one a split, with their labels spelled in one of four ways."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from mllc.data.files import encoding as text_encoding
from mllc.data.files import encoding_notes, existing_file
from mllc.data.image_dataset import image_dataset
from mllc.data.image_list import Entry, image_root, inside, read_vocabulary, require_entries
from mllc.data.image_samples import entry_samples, image_samples, listed_root, names_images, some
from mllc.data.label_cells import How, Spelling, labels_of
from mllc.data.label_columns import check_spelling, label_columns_of, require_same_names
from mllc.data.label_spelling import require_known, separator_notes, spelling_of
from mllc.data.tables import Table, open_table, require_column, rows
from mllc.errors import DataError
from mllc.types import Dataset, Samples
from mllc.wording import counted


def images(
    *,
    root: str,
    train: str,
    test: str | None = None,
    val: str | None = None,
    size: int = 64,
    vocabulary: str | None = None,
    image_column: str = "image",
    label_column: str = "labels",
    label_columns: Sequence[Any] | str | None = None,
    labels_as: str = "auto",
    separator: str = "|",
    empty_label: str | int | None = None,
    on_bad_image: str = "error",
    cache: str = "auto",
    cache_folder: str | None = None,
    group: str | None = None,
) -> Dataset:
    """Tables with a header, one a split, that name images and their labels (`a.jpeg,sea|sun`).

    root           the folder that the paths start from; they stay inside it
    train          .tsv and .tab are read as TSV, .parquet and .pq as Parquet (needs pyarrow), any other as CSV
    size           height and width of the images, which are squeezed into the square, in pixels
    vocabulary     a file with one label name a line; None: all names that occur in the splits, sorted, or the columns'
    label_columns  instead of label_column: the columns of the labels, or `rest`: all but the image's and the group's
    labels_as      `joined`, `list`, `columns` or `index` (label_cells.Spelling says what they are); `auto`: columns
                   where label_columns is given, else by the cells of label_column (label_spelling.spelling_of)
    separator      between label names or indices; an empty cell means no label
    empty_label    a name (`No Finding`) that means that there is no label, and is none itself
    on_bad_image   `error`, or `skip`: leave out the images that are missing or cannot be decoded, and say so
    cache          where decoded pixels are kept: see `image_dataset`
    cache_folder   for decoded images; None: $MLLC_CACHE or ~/.cache/mllc
    group          a column; rows with the same value stay in one split

    Other columns are not looked at. Images are uint8 RGB. Raises DataError, naming file and line, and ConfigError for
    wrong settings.
    """
    folder = image_root(root)
    check_spelling(labels_as, label_columns, vocabulary, separator)
    known = None if vocabulary is None else read_vocabulary(existing_file(vocabulary, "dataset.vocabulary"))
    tables = {
        split: open_table(existing_file(path, f"dataset.{split}"))
        for split, path in (("train", train), ("val", val), ("test", test))
        if path is not None
    }
    for table in tables.values():
        require_column(table, image_column, "dataset.image_column")
    if group is not None:
        require_column(tables["train"], group, "split.group")
    notes = [note for table in tables.values() if table.encoding for note in encoding_notes(table.file, table.encoding)]
    columns, told = label_columns_of(
        tables, image_column=image_column, label_column=label_column, label_columns=label_columns, group=group
    )
    empty = None if empty_label is None else str(empty_label).strip()
    how, more = _how(labels_as, label_columns, tables, columns, separator, empty, known)
    spelling = Spelling(how, separator, empty, columns if how == "columns" else known or ())
    lists = {split: _entries(table, folder, image_column, group, columns, spelling) for split, table in tables.items()}
    names, most = _label_names(lists, spelling, vocabulary, known)
    notes += told + more + most
    return image_dataset(
        names, lists, folder, size=size, on_bad_image=on_bad_image, cache=cache, cache_at=cache_folder, notes=notes
    )


def samples(path: Path, settings: Mapping[str, Any], encoding: Mapping[str, Any]) -> Iterator[Samples]:
    """New images, a chunk at a time: an image, a folder, a `.txt` of paths (image_samples), or a table as above.

    Of a table only the column of the images is needed; its paths start where `listed_root` says.
    """
    column = settings["image_column"]
    if names_images(path) and not _is_table(path, column):
        return image_samples(path, settings, encoding)
    table, root = open_table(existing_file(path, "INPUT")), listed_root(path, settings)
    require_column(table, column, "dataset.image_column")
    entries = (Entry(_image(cells[0], root, place), (), place) for place, cells in rows(table, [column]))
    return entry_samples(some(entries, path), root, settings, encoding)


def _is_table(path: Path, column: str) -> bool:
    """Whether a `.txt` is a table with that column: its first line tells."""
    if not path.is_file() or path.suffix.lower() != ".txt":
        return False
    with path.open(encoding=text_encoding(path)) as lines:
        return column in next(lines, "").strip().split(",")


def _how(
    labels_as: str,
    label_columns: Any,
    tables: Mapping[str, Table],
    columns: Sequence[str],
    separator: str,
    empty_label: str | None,
    vocabulary: Sequence[str] | None,
) -> tuple[How, list[str]]:
    """How labels are spelled, and notes on that."""
    if labels_as != "auto":
        return cast("How", labels_as), []
    if label_columns:
        return "columns", []
    cells = ((place, cell) for table in tables.values() for place, (cell,) in rows(table, columns))
    return spelling_of(cells, separator, empty_label, vocabulary)


def _entries(
    table: Table, root: Path, image_column: str, group: str | None, columns: Sequence[str], spelling: Spelling
) -> list[Entry]:
    grouped = [group] if group is not None and group in table.columns else []
    entries = []
    for place, (image, *cells) in rows(table, [image_column, *grouped, *columns]):
        member = str(cells.pop(0)) if grouped else None
        if member is not None and (not member.strip() or member == "None"):
            raise DataError(f"{place}: column {group!r} (split.group) is empty")
        entries.append(Entry(_image(image, root, place), labels_of(cells, place, spelling), place, group=member))
    require_entries(entries, table.file)
    return entries


def _image(cell: Any, root: Path, place: str) -> str:
    if not isinstance(cell, str):
        raise DataError(f"{place}: a path is needed, not {str(cell)[:40]!r}; type dataset.image_column=NAME")
    return inside(cell, root, place)


def _label_names(
    lists: Mapping[str, Sequence[Entry]], spelling: Spelling, vocabulary: str | None, known: Sequence[str] | None
) -> tuple[list[str], list[str]]:
    """The names of all labels, in order, and notes on them.

    known  what the file dataset.vocabulary holds
    """
    notes: list[str] = []
    joined = spelling.how == "joined"
    if known is None and spelling.how == "columns":
        names: Sequence[str] = spelling.names
    elif known is None:
        notes += separator_notes(lists, spelling.separator) if joined else []
        names = sorted({name for entries in lists.values() for entry in entries for name in entry.labels})
        notes.append(f"no vocabulary is given: {counted(len(names), 'label name')} found in the splits")
    else:
        names = known
        if spelling.how == "columns":
            require_same_names(spelling.names, names, str(vocabulary))
        require_known(lists, names, str(vocabulary), spelling.separator if joined else None)
    empty = spelling.empty_label
    if empty is not None and all(entry.labels for entries in lists.values() for entry in entries):
        notes.append(f"dataset.empty_label={empty}: every image has a label; are the lists without that name?")
    return [name for name in names if name != empty], notes
