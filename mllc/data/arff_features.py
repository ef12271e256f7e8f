"""The features of an ARFF file as numbers: nominal ones spread out, missing ones imputed, dense ones standardized."""

from collections.abc import Collection, Mapping

import numpy as np
import torch
from scipy.sparse import csr_matrix, hstack

from mllc.data.arff_header import Attribute
from mllc.data.arff_rows import Table
from mllc.data.rows import Matrix, feature_rows
from mllc.errors import DataError
from mllc.types import Rows
from mllc.wording import counted, listed


def features(
    tables: Mapping[str, Table], attributes: tuple[Attribute, ...], labels: Collection[int], standardize: bool
) -> tuple[dict[str, Rows], list[str]]:
    """Float32 rows of each split without the `labels` places, and notes; every statistic is that of `train`.

    Columns: numeric and two-valued attributes in the files' order, then one column a value of the other nominal ones.
    """
    train, notes = tables["train"], []
    places = [place for place in range(len(attributes)) if place not in labels]
    identifiers = [place for place in places if _is_identifier(attributes[place], train.matrix[:, [place]])]
    if identifiers:
        notes.append(f"row identifiers dropped: {listed([attributes[place].name for place in identifiers])}")
    sizes = {place: len(attributes[place].values or ()) for place in places if place not in identifiers}
    if not sizes:
        raise DataError("no feature is left besides labels and row identifiers")
    plain = [place for place, size in sizes.items() if size <= 2]
    matrices = {split: _columns(table.matrix, plain, sizes) for split, table in tables.items()}

    means, imputed = _known_means(matrices["train"]), 0
    for matrix in matrices.values():
        missing = np.isnan(matrix.data)
        matrix.data[missing] = means[matrix.indices[missing]]
        imputed += missing.sum()
    if imputed:
        notes.append(f"{counted(int(imputed), 'missing feature value')} imputed with the mean of the training file")

    numeric = [column for column, place in enumerate(plain) if attributes[place].values is None]
    if standardize and numeric and not train.sparse:
        notes.append(f"{counted(len(numeric), 'numeric feature')} standardized by the training file")
        return _standardized(matrices, numeric), notes
    if standardize and numeric and not all(table.sparse for table in tables.values()):
        notes.append("features are not standardized: the training file is sparse, though another is dense")
    return {split: feature_rows(matrix, sparse=train.sparse) for split, matrix in matrices.items()}, notes


def _is_identifier(attribute: Attribute, column: Matrix) -> bool:
    """Whether a nominal attribute has another value in every row (of at least ten: few rows differ by chance)."""
    rows = column.shape[0]
    return attribute.values is not None and rows >= 10 and len(np.unique(column.toarray())) == rows


def _columns(matrix: Matrix, plain: list[int], sizes: Mapping[int, int]) -> Matrix:
    blocks = [matrix[:, plain]]
    for place, size in sizes.items():
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


def _standardized(matrices: Mapping[str, Matrix], columns: list[int]) -> dict[str, Rows]:
    dense = {split: matrix.toarray() for split, matrix in matrices.items()}
    mean, deviation = dense["train"][:, columns].mean(axis=0), dense["train"][:, columns].std(axis=0)
    deviation[deviation <= 1e-9 * np.abs(mean)] = 1  # a constant, give or take rounding
    for rows in dense.values():
        rows[:, columns] = (rows[:, columns] - mean) / deviation
    return {split: torch.from_numpy(rows.astype(np.float32)) for split, rows in dense.items()}
