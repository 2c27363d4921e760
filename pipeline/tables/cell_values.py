"""One column's raw cells to typed values: numbers, booleans, categories and moments.

Cleaning, drift, `score` and `infer` all read the cells of a table by `convert`.
"""

from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.contract import cells as single
from pipeline.contract import moments as one_moment
from pipeline.contract.cell_text import EXACT, FALSE, MOMENT, NUMBER, SLASHES, TRUE, WHOLE, written
from pipeline.contract.column import Column


def convert(cells: pd.Series, column: Column) -> tuple[pd.Series, np.ndarray]:
    """Return the typed values, NA where a cell has none, and a mask [rows] of the cells that hold something unusable.

    Each cell is read as by `pipeline.contract.cells`. Types: float64, Int64, boolean, category (text where the column
    lists none), UTC timestamps to the microsecond for moments.
    """
    if column.is_moment:
        return _moments(cells, column)
    if column.dtype == "category":
        return _categories(cells, column)
    numbers, missing = _numbers(cells, column)
    if own := single.words(column).numbers:
        missing |= np.isin(numbers, own)
        numbers = np.where(missing, np.nan, numbers)
    usable = np.isfinite(numbers)
    if column.dtype == "int":
        usable &= (np.where(usable, numbers, 0.5) % 1 == 0) & (np.abs(numbers) <= EXACT)
    elif column.dtype == "bool":
        usable &= np.isin(numbers, (0.0, 1.0))
    values = pd.Series(np.where(usable, numbers, np.nan), index=cells.index)
    return values.astype({"float": "float64", "int": "Int64", "bool": "boolean"}[column.dtype]), ~usable & ~missing


def _numbers(cells: pd.Series, column: Column) -> tuple[np.ndarray, np.ndarray]:
    """Return float64 [rows], NaN where a cell is no number, and a mask [rows] of the missing cells."""
    if pd.api.types.is_numeric_dtype(cells.dtype):  # booleans too
        numbers = cells.to_numpy(float, na_value=np.nan)
        return numbers, np.isnan(numbers)
    if column.dtype != "bool" and isinstance(cells.dtype, pd.StringDtype):
        # A fast path: most columns hold the text of finite numbers alone.
        cast = _finite(pa.array(cells.array))
        if cast is not None and not cast.null_count:
            return np.asarray(cast.to_numpy()), np.zeros(len(cells), dtype=bool)
    text = _plain(_text(cells))
    missing = _is_missing(text, column)
    if column.dtype == "bool":
        true, false = (pc.is_in(text, value_set=pa.array(tokens)) for tokens in (TRUE, FALSE))
        parsed = pc.if_else(true, 1.0, pc.if_else(false, 0.0, None))
    elif (parsed := _finite(pc.if_else(missing, None, text))) is None:
        parsed = pc.cast(pc.if_else(pc.match_substring_regex(text, NUMBER), text, None), pa.float64())
    return parsed.to_numpy(zero_copy_only=False).astype(float), missing.to_numpy(zero_copy_only=False)


def _finite(text: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray | None:
    """Return the text as float64; None where a cell is neither null nor a finite number."""
    try:
        numbers = pc.cast(text, pa.float64())
    except pa.ArrowInvalid:
        return None
    # Arrow reads the texts that NUMBER matches as finite numbers, and no others.
    return None if pc.all(pc.is_finite(numbers)).as_py() is False else numbers


def _categories(cells: pd.Series, column: Column) -> tuple[pd.Series, np.ndarray]:
    text = _plain(_text(cells))
    missing = _is_missing(text, column)
    if not column.categories:
        values = pc.if_else(missing, None, text).to_pandas().astype("str")
        return values.set_axis(cells.index), np.zeros(len(cells), dtype=bool)
    known = single.words(column).codes
    places = np.array([*known.values(), -1])
    codes = places[pc.index_in(text, value_set=pa.array(known, pa.string())).fill_null(-1).to_numpy()]
    unlisted = (codes < 0) & ~missing.to_numpy(zero_copy_only=False)
    if column.other:
        codes = np.where(unlisted, column.categories.index(column.other), codes)
    dtype = pd.CategoricalDtype(pd.Index(column.categories, dtype="str"))
    return pd.Series(pd.Categorical.from_codes(codes, dtype=dtype), index=cells.index), unlisted & (codes < 0)


def _moments(cells: pd.Series, column: Column) -> tuple[pd.Series, np.ndarray]:
    """Return UTC timestamps of text, or of a Parquet file's dates and timestamps; without a zone they are UTC already.

    A date that is no text has no format.
    """
    if pd.api.types.is_datetime64_any_dtype(cells.dtype):
        moments, missing = pd.to_datetime(cells, utc=True), cells.isna().to_numpy(bool)
    else:
        text = _plain(_text(cells))
        missing = _is_missing(text, column).to_numpy(zero_copy_only=False)
        moments = _formatted(text, column.format) if column.format else _iso(text)
        if column.format and cells.dtype == object:
            is_date = np.array([isinstance(cell, date) for cell in cells], dtype=bool)
            moments = moments.mask(is_date, _iso(text))
        moments = moments.set_axis(cells.index)
    unusable = moments.isna().to_numpy(bool) & ~missing
    moments = moments.dt.as_unit("us")
    own = single.words(column).moments
    return moments.mask(moments.isin(own)) if own else moments, unusable


def _iso(text: pa.Array) -> pd.Series:
    text = pc.replace_substring_regex(text, SLASHES, r"\1-\2-")
    iso = pc.if_else(pc.match_substring_regex(text, MOMENT), text, None)
    # To the microsecond: one finer cell would take the years after 2262 from the whole column.
    iso = pc.replace_substring_regex(iso, r"(\.[0-9]{6})[0-9]+", r"\1")
    return pd.to_datetime(iso.to_pandas(), format="ISO8601", errors="coerce", utc=True)


def _formatted(text: pa.Array, form: str) -> pd.Series:
    """Return the moments of texts in a format. Each distinct one is read as the server reads it: pandas' own strptime
    knows other texts."""

    def read(cell: str) -> object:
        try:
            return one_moment.parse(cell, form)
        except ValueError:
            return pd.NaT

    codes, distinct = pd.factorize(text.to_pandas())
    return pd.Series(pd.to_datetime([read(cell) for cell in distinct], utc=True).take(codes))


def _is_missing(text: pa.Array, column: Column) -> pa.Array:
    return pc.is_in(text, value_set=pa.array(single.words(column).missing, pa.string()))


def _plain(text: pa.Array) -> pa.Array:
    """Return trimmed texts in the form that `pipeline.contract.cell_text.plain` gives them."""
    return pc.replace_substring_regex(text, WHOLE, r"\1\2")


def _text(cells: pd.Series) -> pa.Array:
    """Return the cells as text without surrounding space; a missing cell is empty."""
    if isinstance(cells.dtype, pd.StringDtype):
        text = pa.array(cells.array)
        text = text.combine_chunks() if isinstance(text, pa.ChunkedArray) else text
        return pc.utf8_trim_whitespace(pc.fill_null(text.cast(pa.string()), ""))
    return pc.utf8_trim_whitespace(pa.array(["" if pd.isna(cell) else written(cell) for cell in cells], pa.string()))
