"""Cells to typed values, and every reason why a row cannot be used. Works on any part of a table."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from stages.schema import Column

MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "<NA>")
TRUE = ("1", "1.0", "true", "True", "TRUE", "yes", "Yes")
FALSE = ("0", "0.0", "false", "False", "FALSE", "no", "No")
# A plain decimal number: no thousands separator, no hexadecimal, no `inf`.
NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
# The largest integer to which every smaller one is exact in float64.
EXACT = 2.0**53

# Why a row is rejected, in the order in which a row's first problem is named.
REASONS = ("missing_target", "unparseable", "missing_value", "unknown_category", "out_of_bounds")


def parse(raw: pd.DataFrame, columns: tuple[Column, ...]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """These columns, typed, and one line for each row that cannot be used.

    Typed: float64, Int64, boolean, category, UTC timestamps; missing values stay missing. Problems: `row` (the index
    of `raw`), `column`, `reason` (one of REASONS), `value` (the cell's text), the first by reason and then by column.
    """
    typed, problems = {}, []
    for column in columns:
        cells = raw[column.name]
        values, unusable = convert(cells, column)
        typed[column.name] = values
        reasons = pd.Series(pd.NA, index=raw.index, dtype="object")
        if column.min is not None:
            reasons[(values < column.min).fillna(False).to_numpy(bool)] = "out_of_bounds"
        if column.max is not None:
            reasons[(values > column.max).fillna(False).to_numpy(bool)] = "out_of_bounds"
        if not column.nullable:
            missing = "missing_target" if column.role == "target" else "missing_value"
            reasons[values.isna().to_numpy() & ~unusable] = missing
        reasons[unusable] = "unknown_category" if column.categories else "unparseable"
        found = reasons[reasons.notna()]
        problems.append(
            pd.DataFrame(
                {"row": found.index, "column": column.name, "reason": found.array, "value": cells[found.index].map(str)}
            )
        )
    listed = pd.concat(problems, ignore_index=True)
    order = listed["reason"].map(REASONS.index).to_numpy(int)
    listed = listed.iloc[np.argsort(order, kind="stable")].drop_duplicates("row").sort_values("row")
    text = dict.fromkeys(["column", "reason", "value"], "str")
    return pd.DataFrame(typed, index=raw.index), listed.astype({"row": "int64", **text}).reset_index(drop=True)


def convert(cells: pd.Series, column: Column) -> tuple[pd.Series, np.ndarray]:
    """The typed values, and where a cell is there but unusable."""
    if column.dtype == "category":
        return _times(cells) if column.role == "time" else _categories(cells, column)
    if pd.api.types.is_bool_dtype(cells.dtype) or pd.api.types.is_numeric_dtype(cells.dtype):
        numbers = cells.to_numpy(float, na_value=np.nan)
        missing = np.isnan(numbers)
    else:
        numbers, missing = _numbers(_text(cells), column)
    usable = np.isfinite(numbers)
    if column.dtype == "int":
        usable &= (np.where(usable, numbers, 0.5) % 1 == 0) & (np.abs(numbers) <= EXACT)
    elif column.dtype == "bool":
        usable &= np.isin(numbers, (0.0, 1.0))
    values = pd.Series(np.where(usable, numbers, np.nan), index=cells.index)
    dtype = {"float": "float64", "int": "Int64", "bool": "boolean"}[column.dtype]
    return values.astype("Int64").astype(dtype) if dtype == "boolean" else values.astype(dtype), ~usable & ~missing


def _numbers(text: pa.Array, column: Column) -> tuple[np.ndarray, np.ndarray]:
    """Float64 with NaN where there is no number, and where a cell says that it is missing."""
    missing = pc.is_in(text, value_set=pa.array(MISSING))
    if column.dtype == "bool":
        true, false = (pc.is_in(text, value_set=pa.array(tokens)) for tokens in (TRUE, FALSE))
        numbers = pc.if_else(true, 1.0, pc.if_else(false, 0.0, None))
    else:
        numeric = pc.match_substring_regex(text, NUMBER)
        numbers = pc.cast(pc.if_else(numeric, text, None), pa.float64())
    return numbers.to_numpy(zero_copy_only=False).astype(float), missing.to_numpy(zero_copy_only=False)


def _categories(cells: pd.Series, column: Column) -> tuple[pd.Series, np.ndarray]:
    text = pd.Series(_text(cells).to_pandas().astype("str").array, index=cells.index)
    # A table may name a category `NA`; then it is one, and not a missing cell.
    missing = text.isin(set(MISSING) - set(column.categories))
    values = text.mask(missing)
    if not column.categories:
        return values, np.zeros(len(cells), dtype=bool)
    unknown = ~missing & ~text.isin(column.categories)
    known = pd.CategoricalDtype(list(column.categories))
    return values.mask(unknown).astype(known), unknown.to_numpy(bool)


def _times(cells: pd.Series) -> tuple[pd.Series, np.ndarray]:
    """ISO 8601 text, or timestamps of a Parquet part, as moments in UTC; without a zone they are taken as UTC."""
    text = pd.Series(_text(cells).to_pandas().array, index=cells.index)
    missing = text.isin(MISSING)
    moments = pd.to_datetime(text.mask(missing), format="ISO8601", errors="coerce", utc=True)
    return moments, (moments.isna() & ~missing).to_numpy(bool)


def _text(cells: pd.Series) -> pa.Array:
    """The cells as text without surrounding space; a missing cell is empty."""
    if pd.api.types.is_numeric_dtype(cells.dtype):
        # 3.0 and 3 are one category whichever way a part stores it.
        known = cells.dropna()
        cells = cells.astype("Int64") if ((known % 1 == 0) & (known.abs() <= EXACT)).all() else cells
    cells = cells.astype(object)
    text = pa.array(cells.where(cells.notna(), "").map(str), pa.string())
    return pc.utf8_trim_whitespace(text)
