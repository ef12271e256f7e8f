"""ARFF files of Mulan and MEKA: dense or sparse, one file a split."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from mllc.data.arff_features import Recipe, apply, features
from mllc.data.arff_groups import group_names, group_place
from mllc.data.arff_header import Attribute, Header, read_header
from mllc.data.arff_labels import label_places, targets
from mllc.data.arff_rows import Table, read_rows
from mllc.data.assemble import assemble
from mllc.data.files import encoding as text_encoding
from mllc.data.files import encoding_notes, existing_file, require_text, same_file_notes
from mllc.data.rows import dense
from mllc.errors import DataError
from mllc.types import Dataset, Samples, Split
from mllc.wording import listed


def arff(
    *,
    train: str,
    test: str | None = None,
    val: str | None = None,
    labels: str | None = None,
    num_labels: int | None = None,
    standardize: bool = True,
    group: str | None = None,
) -> Dataset:
    """Dense or sparse ARFF files, one a split, with the same attributes.

    labels       Mulan's XML file, which names the label attributes (they keep the order of the ARFF file); it wins over
                 a `-C` in the header, which is often stale
    num_labels   without an XML: n > 0 the first n attributes, n < 0 the last; None: the header's `-C` (MEKA)
    standardize  numeric attributes of dense files get mean 0 and variance 1, by the training file; nominal attributes
                 and sparse files are left as they are
    group        an attribute whose values name groups of samples (split.group); it is no feature

    Nominal features of two values become one column 0/1, others one column a value; one whose values all differ in
    training is a row identifier and dropped. Missing features are imputed with the mean of the training file, missing
    labels are unknown (Split.mask). What was done is told in Dataset.notes.
    Raises DataError, naming file and line, for what cannot be understood.
    """
    files = {split: existing_file(path, f"dataset.{split}") for split, path in _given(train, val, test).items()}
    parts = {split: _read(file) for split, file in files.items()}
    first = parts["train"]
    for part in parts.values():
        _same_attributes(first, part)

    attributes = first.header.attributes
    headers = {files[split]: part.header for split, part in parts.items()}
    tables = {split: part.table for split, part in parts.items()}
    places, notes = label_places(headers, labels, num_labels)
    notes += same_file_notes(files)
    grouping = None if group is None else group_place(files["train"], attributes, places, group)
    left_out = {*places} if grouping is None else {*places, grouping}
    inputs, recipe, told = features(tables, attributes, left_out, standardize)
    splits = {}
    for split, part in parts.items():
        known, mask = targets(part.file, part.table, attributes, places)
        if mask is not None:
            told.append(f"{part.file.name}: {int((~mask).sum())} label entries are ? and taken as unknown")
        groups = None if grouping is None else group_names(part.file, part.table, attributes[grouping], grouping)
        splits[split] = Split(inputs[split], known, tuple(f"{split}:{row}" for row in range(len(known))), mask, groups)
        notes += encoding_notes(part.file, part.encoding)
    names = [attributes[place].name for place in places]
    return assemble("features", names, notes=notes + told, encoding=asdict(recipe), **splits)


def samples(path: Path, settings: Mapping[str, Any], encoding: Mapping[str, Any]) -> Iterator[Samples]:
    """The samples of a file as the features of the data set.

    The features are found by name, and declared as in the training file; labels, row identifiers and groups may be
    there or not, and are not looked at. Raises DataError, naming file and line, for what cannot be understood.
    """
    recipe, row = Recipe(**encoding), 0
    file = existing_file(path, "INPUT")
    require_text(file)
    with file.open(encoding=text_encoding(file)) as stream:
        lines = enumerate(stream, 1)
        attributes = read_header(file, lines).attributes
        places = _places(file, attributes, recipe)
        rows = ((number, line) for number, line in lines if line.strip() and not line.lstrip().startswith("%"))
        chunk = list(islice(rows, _AT_ONCE))
        while chunk or not row:
            table = read_rows(file, iter(chunk), attributes)
            inputs = dense(apply(recipe, table.matrix[:, places])[0])
            yield Samples([f"{file.name}:{row + number}" for number in range(len(inputs))], inputs)
            row += len(inputs)
            chunk = list(islice(rows, _AT_ONCE))


_AT_ONCE = 1024


def _places(file: Path, attributes: tuple[Attribute, ...], recipe: Recipe) -> list[int]:
    """Where the features of the recipe are among the attributes of a new file."""
    found = {attribute.name: place for place, attribute in enumerate(attributes)}
    places = []
    for name, values in recipe.attributes:
        if name not in found:
            raise DataError(f"{file}: attribute {name!r} is missing, which the model was trained on")
        there = attributes[found[name]]
        if (there.values is None) != (values is None) or list(there.values or ()) != list(values or ()):
            raise DataError(
                f"{file}, line {there.line}: attribute {there}, but the model was trained on "
                f"{Attribute(name, None if values is None else tuple(values), 0)}"
            )
        places.append(found.pop(name))
    strange = [name for name in found if name not in recipe.others]
    if strange:
        line = attributes[found[strange[0]]].line
        raise DataError(f"{file}, line {line}: the model was not trained on these attributes: {listed(strange)}")
    return places


@dataclass(frozen=True, eq=False)
class _Part:
    file: Path
    encoding: str
    header: Header
    table: Table


def _given(train: str, val: str | None, test: str | None) -> dict[str, str]:
    return {"train": train} | {split: path for split, path in (("val", val), ("test", test)) if path is not None}


def _read(file: Path) -> _Part:
    require_text(file)
    name = text_encoding(file)
    with file.open(encoding=name) as stream:
        lines = enumerate(stream, 1)
        header = read_header(file, lines)
        return _Part(file, name, header, read_rows(file, lines, header.attributes))


def _same_attributes(first: _Part, other: _Part) -> None:
    ours, theirs = first.header.attributes, other.header.attributes
    counts = f"{other.file} has {len(theirs)} attributes, but {first.file} has {len(ours)}"
    known = {attribute.name for attribute in theirs}
    missing = [attribute.name for attribute in ours if attribute.name not in known]
    if missing and len(theirs) < len(ours):
        raise DataError(
            f"{counts}: {listed(missing)} missing; "
            "to test on a file takes its labels as well (mllc predict does without)"
        )
    for a, b in zip(ours, theirs, strict=False):
        if (a.name, a.values) != (b.name, b.values):
            raise DataError(f"{other.file}, line {b.line}: attribute {b}, but {first.file}, line {a.line} has {a}")
    if len(ours) != len(theirs):
        raise DataError(counts)
