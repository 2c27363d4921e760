"""A typed table to the feature matrix of a model: which columns, and which number for each value."""

import numpy as np
import pandas as pd

from pipeline.contract.column import Column
from pipeline.contract.columns import MatrixColumn, matrix_columns
from pipeline.contract.errors import PipelineError
from pipeline.tables import moment_parts


def to_matrix(table: pd.DataFrame, columns: tuple[Column, ...]) -> np.ndarray:
    """Return the float64 matrix [rows, matrix columns] of these features, in the order of
    `pipeline.contract.columns`. NaN where missing; for a boolean 0 or 1, for a category its place in the
    schema, for a datetime each of its parts.

    Raises PipelineError for an absent column and for a category that the schema does not have.
    """
    if missing := [column.name for column in columns if column.name not in table]:
        raise PipelineError(f"the table has no column {', '.join(missing)}, which the model needs")
    return np.column_stack([numbers(table[each.feature.name], each) for each in matrix_columns(columns)])


def numbers(values: pd.Series, wanted: MatrixColumn) -> np.ndarray:
    """Return one column [rows] of the matrix from the typed values of its feature."""
    column = wanted.feature
    if wanted.part:
        return moment_parts.part(values, wanted.part)
    if column.dtype != "category":
        return values.to_numpy(float, na_value=np.nan)
    codes = pd.Index(column.categories, dtype=object).get_indexer(values.astype(object))
    if (unknown := values[(codes < 0) & values.notna()]).size:
        raise PipelineError(
            f"column {column.name}: expected one of {', '.join(column.categories)}, found {unknown.iloc[0]!r}"
        )
    return np.where(codes < 0, np.nan, codes)
