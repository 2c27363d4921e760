"""One number for each cell of a column, typed or text: a code as in `pipeline.tables.feature_matrix`, or the days of a
datetime. An unreadable cell is no error; drift counts it."""

import numpy as np
import pandas as pd

from pipeline.contract.column import Column
from pipeline.contract.columns import matrix_columns
from pipeline.tables import cell_values, moment_parts


def to_numbers(values: pd.Series, column: Column) -> tuple[np.ndarray, np.ndarray]:
    """Return float64 [rows] (the code of a bool or category, the days of a datetime since 1970), NaN where there is no
    usable value; and a mask [rows] of the cells that hold something unusable."""
    if column.dtype in ("bool", "category") or not pd.api.types.is_numeric_dtype(values.dtype):
        # Each distinct cell is read once, however many rows there are; code -1 is a missing cell.
        codes, distinct = pd.factorize(values, use_na_sentinel=True)
        if len(distinct) < len(values) / 2:
            cell, strange = _read(pd.Series(distinct), column)
            return np.append(cell, np.nan)[codes], np.append(strange, False)[codes]
    return _read(values, column)


def to_matrix(rows: pd.DataFrame, features: tuple[Column, ...]) -> np.ndarray:
    """Return the matrix of a model [rows, matrix columns] from the numbers of its features; NaN for an absent one."""
    rows = rows.reindex(columns=[feature.name for feature in features])
    numbers = {feature.name: rows[feature.name].to_numpy(float) for feature in features}
    moments = {f.name: moment_parts.from_days(numbers[f.name]) for f in features if f.dtype == "datetime"}
    columns = matrix_columns(features)
    return np.column_stack(
        [
            moment_parts.part(moments[each.feature.name], each.part) if each.part else numbers[each.feature.name]
            for each in columns
        ]
    )


def _read(values: pd.Series, column: Column) -> tuple[np.ndarray, np.ndarray]:
    typed, unusable = cell_values.convert(values, column)
    if column.dtype == "datetime":
        return moment_parts.part(typed, "days"), unusable
    if column.dtype != "category":
        return typed.to_numpy(float, na_value=np.nan), unusable
    return np.where(typed.isna(), np.nan, typed.cat.codes), unusable
