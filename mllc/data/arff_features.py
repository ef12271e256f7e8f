"""The features of an ARFF file as numbers: nominal ones spread out, missing ones imputed, dense ones standardized."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import csr_matrix, hstack

from mllc.data.arff_header import Attribute
from mllc.data.arff_rows import Table
from mllc.data.rows import Matrix, feature_rows
from mllc.errors import DataError
from mllc.types import Rows
from mllc.wording import counted, listed


@dataclass(frozen=True)
class Recipe:
    """How attributes become columns, by what the training file holds: plain data, from which it can be made again.

    Columns: numeric and two-valued attributes in the file's order, then one column a value of the other nominal ones.

    attributes  [name, values or None] of each feature, in the training file's order
    others      names of the attributes that are no features: labels, row identifiers, groups
    means       of the known entries of each column, for the missing ones
    scaled      columns that get mean 0 and variance 1, with their `centers` and `deviations` in the training file
    sparse      whether the training file is
    """

    attributes: Sequence[tuple[str, Sequence[str] | None]]
    others: Sequence[str]
    means: Sequence[float]
    scaled: Sequence[int]
    centers: Sequence[float]
    deviations: Sequence[float]
    sparse: bool


def features(
    tables: Mapping[str, Table], attributes: tuple[Attribute, ...], left_out: Collection[int], standardize: bool
) -> tuple[dict[str, Rows], Recipe, list[str]]:
    """Float32 rows of each split without the places left out, the recipe, and notes."""
    train, notes = tables["train"], []
    places = [place for place in range(len(attributes)) if place not in left_out]
    identifiers = [place for place in places if _is_identifier(attributes[place], train.matrix[:, [place]])]
    if identifiers:
        notes.append(f"row identifiers dropped: {listed([attributes[place].name for place in identifiers])}")
    places = [place for place in places if place not in identifiers]
    if not places:
        raise DataError("no feature is left besides labels and row identifiers")
    others = [attributes[place].name for place in sorted({*left_out, *identifiers})]
    used = [attributes[place] for place in places]
    recipe = _fit(train.matrix[:, places], used, others, train.sparse, standardize and not train.sparse)
    imputed, rows = 0, {}
    for split, table in tables.items():
        rows[split], missing = apply(recipe, table.matrix[:, places])
        imputed += missing
    if imputed:
        notes.append(f"{counted(imputed, 'missing feature value')} imputed with the mean of the training file")
    if recipe.scaled:
        notes.append(f"{counted(len(recipe.scaled), 'numeric feature')} standardized by the training file")
    elif standardize and _numeric(used) and not all(table.sparse for table in tables.values()):
        notes.append("features are not standardized: the training file is sparse, though another is dense")
    return rows, recipe, notes


def apply(recipe: Recipe, matrix: Matrix) -> tuple[Rows, int]:
    """Float32 rows of the recipe's attributes, as `read_rows` has them, in their order; and how many were imputed."""
    columns = _columns(matrix, [len(values or ()) for _, values in recipe.attributes])
    missing = np.isnan(columns.data)
    columns.data[missing] = np.array(recipe.means)[columns.indices[missing]]
    if not recipe.scaled:
        return feature_rows(columns, sparse=recipe.sparse), int(missing.sum())
    rows, scaled = columns.toarray(), list(recipe.scaled)
    rows[:, scaled] = (rows[:, scaled] - np.array(recipe.centers)) / np.array(recipe.deviations)
    return torch.from_numpy(rows.astype(np.float32)), int(missing.sum())


def _fit(
    train: Matrix, attributes: Sequence[Attribute], others: Sequence[str], sparse: bool, standardize: bool
) -> Recipe:
    columns = _columns(train, [len(attribute.values or ()) for attribute in attributes])
    means = _known_means(columns)
    scaled = _numeric(attributes) if standardize else []
    centers = deviations = np.zeros(0)
    if scaled:
        missing = np.isnan(columns.data)
        columns.data[missing] = means[columns.indices[missing]]
        dense = columns.toarray()[:, scaled]
        centers, deviations = dense.mean(axis=0), dense.std(axis=0)
        deviations[deviations <= 1e-9 * np.abs(centers)] = 1  # a constant, give or take rounding
    declared = [(attribute.name, attribute.values) for attribute in attributes]
    return Recipe(declared, others, means.tolist(), scaled, centers.tolist(), deviations.tolist(), sparse)


def _numeric(attributes: Sequence[Attribute]) -> list[int]:
    """The columns of numeric attributes: among those of one column a feature, which come first."""
    plain = [attribute for attribute in attributes if len(attribute.values or ()) <= 2]
    return [column for column, attribute in enumerate(plain) if attribute.values is None]


def _is_identifier(attribute: Attribute, column: Matrix) -> bool:
    """Whether a nominal attribute has another value in every row (of at least ten: few rows differ by chance)."""
    rows = column.shape[0]
    return attribute.values is not None and rows >= 10 and len(np.unique(column.toarray())) == rows


def _columns(matrix: Matrix, sizes: Sequence[int]) -> Matrix:
    """One column for an attribute of up to two values (numeric: 0), then one a value of the others."""
    blocks = [matrix[:, [place for place, size in enumerate(sizes) if size <= 2]]]
    for place, size in enumerate(sizes):
        if size > 2:
            codes = matrix[:, [place]].toarray()
            blocks.append(csr_matrix(np.where(np.isnan(codes), np.nan, codes == np.arange(size))))
    return csr_matrix(hstack(blocks))


def _known_means(matrix: Matrix) -> np.ndarray:
    """Mean of the known entries of each column; 0 where none is known."""
    width, missing = matrix.shape[1], np.isnan(matrix.data)
    sums = np.bincount(matrix.indices, np.where(missing, 0, matrix.data), minlength=width)
    known = matrix.shape[0] - np.bincount(matrix.indices, missing, minlength=width)
    return sums / np.maximum(known, 1)
