"""The reading of one cell: the value that a text or a number is in a column, in CSV, Parquet, JSON and live rows alike.

The server reads single cells here; `pipeline.tables.cell_values` reads whole columns by the same words and patterns.
"""

import math
import re
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from pipeline.contract import moments
from pipeline.contract.cell_text import EXACT, FALSE, MISSING, NUMBER, TRUE, plain, written
from pipeline.contract.column import Column


class UnusableError(ValueError):
    """A cell holds something that its column cannot be."""


class Words(NamedTuple):
    """The texts that mean something in a column. `missing`: its markers; `numbers` and `moments`: its own ones that are
    numbers or, in a column of moments, such; `codes`: the place of each category. All texts are as `plain` makes them.
    """

    missing: tuple[str, ...]
    numbers: tuple[float, ...]
    moments: tuple[datetime, ...]
    codes: dict[str, int]


@lru_cache(maxsize=10_000)
def words(column: Column) -> Words:
    """Return the words of a column. A category that the schema lists is never a marker of missing."""
    codes: dict[str, int] = {}
    for place, category in enumerate(column.categories):
        codes.setdefault(plain(category), place)
    missing = tuple(marker for marker in map(plain, (*MISSING, *column.missing)) if marker not in codes)
    numbers = tuple(float(marker) for marker in column.missing if re.fullmatch(NUMBER, marker.strip()))
    dates = (_parsed_moment(plain(marker), column) for marker in column.missing if column.is_moment)
    return Words(missing, numbers, tuple(date for date in dates if date is not None), codes)


def to_number(cell: str | float | None, column: Column) -> float:
    """Return the model's number of a cell, NaN where it is missing: for a category its place in the schema, for a bool
    1 or 0. Bounds are not checked. Raises UnusableError.
    """
    if cell is None or cell != cell:
        return math.nan
    known = words(column)
    if column.dtype == "category":
        text = plain(written(cell))
        if text in known.missing:
            return math.nan
        if text not in known.codes and not column.other:
            raise UnusableError
        return float(known.codes.get(text, column.categories.index(column.other) if column.other else -1))
    number = _parsed(cell, column) if isinstance(cell, str) else float(cell)
    if math.isnan(number) or number in known.numbers:
        return math.nan
    is_whole = number % 1 == 0 and abs(number) <= EXACT
    fits = {"float": math.isfinite(number), "int": is_whole, "bool": number in (0.0, 1.0)}[column.dtype]
    # A bool is a number to Python, not to us.
    if not fits or (isinstance(cell, bool) and column.dtype != "bool"):
        raise UnusableError
    return number


def to_moment(cell: str | float | None, column: Column) -> datetime | None:
    """Return the moment of a cell in a column of moments, in UTC where it has no zone; None where it is missing.

    Raises UnusableError.
    """
    text = "" if cell is None or cell != cell else plain(written(cell))
    known = words(column)
    if text in known.missing:
        return None
    if (moment := _parsed_moment(text, column)) is None:
        raise UnusableError
    return None if moment in known.moments else moment


def _parsed_moment(text: str, column: Column) -> datetime | None:
    try:
        return moments.parse(text, column.format)
    except ValueError:
        return None


def _parsed(text: str, column: Column) -> float:
    """Return the number that a text is in a column that is no category; NaN where it is missing."""
    text = plain(text)
    if text in words(column).missing:
        return math.nan
    if column.dtype == "bool":
        if text not in TRUE + FALSE:
            raise UnusableError
        return float(text in TRUE)
    if not re.fullmatch(NUMBER, text):
        raise UnusableError
    return float(text)
