"""Numbers from the cells of a column, typed or text, with the codes of `pipeline.tables.feature_matrix`. An unreadable
cell is no error; drift counts it."""

import numpy as np
import pandas as pd

from pipeline.contract.column import Column
from pipeline.tables import cell_values


def to_numbers(values: pd.Series, column: Column) -> tuple[np.ndarray, np.ndarray]:
    """Return float64 [rows] (the code of a bool or category), NaN where there is no usable value; and a mask [rows] of
    the cells that hold something unusable."""
    if column.dtype in ("bool", "category") or not pd.api.types.is_numeric_dtype(values.dtype):
        # Each distinct cell is read once, however many rows there are; code -1 is a missing cell.
        codes, distinct = pd.factorize(values, use_na_sentinel=True)
        if len(distinct) < len(values) / 2:
            cell, strange = _read(pd.Series(distinct), column)
            return np.append(cell, np.nan)[codes], np.append(strange, False)[codes]
    return _read(values, column)


def _read(values: pd.Series, column: Column) -> tuple[np.ndarray, np.ndarray]:
    typed, unusable = cell_values.convert(values, column)
    if column.dtype != "category":
        return typed.to_numpy(float, na_value=np.nan), unusable
    return np.where(typed.isna(), np.nan, typed.cat.codes), unusable
