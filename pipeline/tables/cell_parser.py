"""Cells to typed values, and every reason why a row cannot be used. Works on any part of a table."""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.contract.schema import Column

MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "<NA>")
TRUE = ("1", "1.0", "true", "True", "TRUE", "yes", "Yes")
FALSE = ("0", "0.0", "false", "False", "FALSE", "no", "No")
# A plain decimal number: no thousands separator, no hexadecimal, no `inf`.
NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
# The largest integer to which every smaller one is exact in float64.
EXACT = 2.0**53

# Why a row is rejected, in the order in which a row's first problem is named.
REASONS = ("missing_target", "unparseable", "missing_value", "unknown_category", "out_of_bounds")

# Most columns have none, and making a table of them takes longer than the cells of a short part.
_NO_PROBLEM = pd.DataFrame({"row": [], "column": [], "reason": [], "value": []}, dtype=object)


def parse(raw: pd.DataFrame, columns: tuple[Column, ...]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """These columns, typed, and one line for each row that cannot be used.

    Typed: float64, Int64, boolean, category, UTC timestamps; missing values stay missing. Problems: `row` (the index
    of `raw`), `column`, `reason` (one of REASONS), `value` (the cell's text), the first by reason and then by column.
    """
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # Arrow and NumPy release Python's lock
        parsed = list(pool.map(partial(_column, raw), columns))
    typed = {column.name: values for column, (values, _) in zip(columns, parsed, strict=True)}
    listed = pd.concat([_NO_PROBLEM, *(problems for _, problems in parsed if len(problems))], ignore_index=True)
    order = listed["reason"].map(REASONS.index).to_numpy(int)
    listed = listed.iloc[np.argsort(order, kind="stable")].drop_duplicates("row").sort_values("row")
    text = dict.fromkeys(["column", "reason", "value"], "str")
    return pd.DataFrame(typed, index=raw.index), listed.astype({"row": "int64", **text}).reset_index(drop=True)


def _column(raw: pd.DataFrame, column: Column) -> tuple[pd.Series, pd.DataFrame]:
    """One column's typed values, and a line for each cell that makes its row unusable."""
    cells = raw[column.name]
    values, unusable = convert(cells, column)
    # The place of the reason in REASONS; -1 where there is none.
    reasons = np.full(len(raw), -1, dtype=np.int8)
    if column.min is not None or column.max is not None:
        numbers = values.to_numpy(float, na_value=np.nan)
        low, high = (-np.inf if column.min is None else column.min), (np.inf if column.max is None else column.max)
        reasons[(numbers < low) | (numbers > high)] = REASONS.index("out_of_bounds")
    if not column.nullable:
        missing = "missing_target" if column.role == "target" else "missing_value"
        reasons[values.isna().to_numpy() & ~unusable] = REASONS.index(missing)
    reasons[unusable] = REASONS.index("unknown_category" if column.categories else "unparseable")
    found = np.flatnonzero(reasons >= 0)
    if not found.size:
        return values, _NO_PROBLEM
    names = [REASONS[reason] for reason in reasons[found]]
    shown = cells.iloc[found].map(str).to_numpy(object)
    return values, pd.DataFrame({"row": raw.index[found], "column": column.name, "reason": names, "value": shown})


def convert(cells: pd.Series, column: Column) -> tuple[pd.Series, np.ndarray]:
    """The typed values, and where a cell is there but unusable."""
    if column.dtype == "category":
        return _times(cells) if column.role == "time" else _categories(cells, column)
    if pd.api.types.is_bool_dtype(cells.dtype) or pd.api.types.is_numeric_dtype(cells.dtype):
        numbers = cells.to_numpy(float, na_value=np.nan)
        missing = np.isnan(numbers)
    elif (found := _plain(cells, column)) is not None:
        numbers, missing = found, np.zeros(len(found), dtype=bool)
    else:
        numbers, missing = _numbers(_text(cells), column)
    usable = np.isfinite(numbers)
    if column.dtype == "int":
        usable &= (np.where(usable, numbers, 0.5) % 1 == 0) & (np.abs(numbers) <= EXACT)
    elif column.dtype == "bool":
        usable &= np.isin(numbers, (0.0, 1.0))
    return _typed(np.where(usable, numbers, np.nan), column, cells.index), ~usable & ~missing


def _typed(numbers: np.ndarray, column: Column, index: pd.Index) -> pd.Series:
    if column.dtype == "float":
        return pd.Series(numbers, index=index)
    missing = np.isnan(numbers)
    whole = np.where(missing, 0, numbers)
    if column.dtype == "bool":
        return pd.Series(pd.arrays.BooleanArray(whole.astype(bool), missing), index=index)
    return pd.Series(pd.arrays.IntegerArray(whole.astype("int64"), missing), index=index)


def _plain(cells: pd.Series, column: Column) -> np.ndarray | None:
    """Float64 where each cell is text of a finite number, as in most columns: it saves the steps for all others."""
    if column.dtype == "bool" or not isinstance(cells.dtype, pd.StringDtype):
        return None
    numbers = _finite(pa.array(cells.array))
    return None if numbers is None or numbers.null_count else np.asarray(numbers.to_numpy())


def _numbers(text: pa.Array, column: Column) -> tuple[np.ndarray, np.ndarray]:
    """Float64 with NaN where there is no number, and where a cell says that it is missing."""
    missing = pc.is_in(text, value_set=pa.array(MISSING))
    if column.dtype == "bool":
        true, false = (pc.is_in(text, value_set=pa.array(tokens)) for tokens in (TRUE, FALSE))
        numbers = pc.if_else(true, 1.0, pc.if_else(false, 0.0, None))
    else:
        numbers = _parsed(pc.if_else(missing, None, text))
    return numbers.to_numpy(zero_copy_only=False).astype(float), missing.to_numpy(zero_copy_only=False)


def _parsed(text: pa.Array) -> pa.Array:
    """Float64, null where there is no plain number."""
    numbers = _finite(text)
    if numbers is not None:
        return numbers
    return pc.cast(pc.if_else(pc.match_substring_regex(text, NUMBER), text, None), pa.float64())


def _finite(text: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray | None:
    """Float64 and null, if there is nothing else than numbers and nulls."""
    try:
        numbers = pc.cast(text, pa.float64())
    except pa.ArrowInvalid:
        return None
    # Arrow reads no other text as a finite number than NUMBER does.
    return None if pc.all(pc.is_finite(numbers)).as_py() is False else numbers


def _categories(cells: pd.Series, column: Column) -> tuple[pd.Series, np.ndarray]:
    text = _text(cells)
    # A table may name a category `NA`; then it is one, and not a missing cell.
    absent = pa.array([marker for marker in MISSING if marker not in column.categories])
    if not column.categories:
        missing = pc.is_in(text, value_set=absent)
        values = pc.if_else(missing, None, text).to_pandas().astype("str")
        return values.set_axis(cells.index), np.zeros(len(cells), dtype=bool)
    codes = pc.index_in(text, value_set=pa.array(column.categories, pa.string())).fill_null(-1).to_numpy()
    unknown = (codes < 0) & ~pc.is_in(text, value_set=absent).to_numpy(zero_copy_only=False)
    known = pd.CategoricalDtype(pd.Index(column.categories, dtype="str"))
    return pd.Series(pd.Categorical.from_codes(codes, dtype=known), index=cells.index), unknown


def _times(cells: pd.Series) -> tuple[pd.Series, np.ndarray]:
    """ISO 8601 text, or timestamps of a Parquet part, as moments in UTC; without a zone they are taken as UTC."""
    text = pd.Series(_text(cells).to_pandas().array, index=cells.index)
    missing = text.isin(MISSING)
    moments = pd.to_datetime(text.mask(missing), format="ISO8601", errors="coerce", utc=True)
    return moments, (moments.isna() & ~missing).to_numpy(bool)


def _text(cells: pd.Series) -> pa.Array:
    """The cells as text without surrounding space; a missing cell is empty."""
    if isinstance(cells.dtype, pd.StringDtype):
        text = pa.array(cells.array)
        text = text.combine_chunks() if isinstance(text, pa.ChunkedArray) else text
        return pc.utf8_trim_whitespace(pc.fill_null(text.cast(pa.string()), ""))
    return pc.utf8_trim_whitespace(pa.array(["" if pd.isna(cell) else _shown(cell) for cell in cells], pa.string()))


def _shown(cell: Any) -> str:
    """A cell that is no text; 3.0 and 3 are one category whichever way a part stores it."""
    if isinstance(cell, float | np.floating) and float(cell).is_integer() and abs(float(cell)) <= EXACT:
        return str(int(cell))
    return str(cell)
