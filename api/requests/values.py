"""The JSON values of a column: which are allowed, the number that the model sees, and the way back."""

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

from msgspec.structs import replace

from api.requests.strict_json import Overflow
from pipeline.contract import cells, moments
from pipeline.contract.cell_text import EXACT
from pipeline.contract.cells import UnusableError
from pipeline.contract.column import Column
from pipeline.contract.columns import matrix_columns

# Trees compute in float32; what is larger would become infinite in them.
FLOAT32_MAX = 3.4028234663852886e38
LONGEST_ID = 200  # characters

EXAMPLE = datetime(2026, 11, 30, 10, 5, tzinfo=UTC)  # of a date or time

T = TypeVar("T")

Problem = Literal["missing", "unknown", "duplicate", "type", "bounds", "category", "body"]


class InvalidValueError(Exception):
    """A value that its column does not allow."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem


def limits(column: Column) -> tuple[float, float]:
    """Return the inclusive bounds of a float or int column: its own, within what the matrix can hold."""
    most = EXACT if column.dtype == "int" else FLOAT32_MAX
    low = -most if column.min is None else max(column.min, -most)
    high = most if column.max is None else min(column.max, most)
    return low, high


def to_number(value: Any, column: Column) -> float:
    """Return the number of a JSON value: a category's place in the schema's list, 1 or 0 for a bool, NaN where missing.

    Raises InvalidValueError.
    """
    is_huge = column.dtype == "int" and type(value) in (int, float) and abs(value) > EXACT
    if is_huge or (type(value) is Overflow and column.dtype in ("float", "int")):
        raise InvalidValueError("bounds")
    number = _read(cells.to_number, value, column)
    if math.isnan(number):
        if column.nullable:
            return math.nan
        raise InvalidValueError("missing")
    if column.dtype in ("float", "int"):
        low, high = limits(column)
        if not low <= number <= high:
            raise InvalidValueError("bounds")
    return number


def to_numbers(value: Any, feature: Column) -> list[float]:
    """Return the numbers of a feature in the model's matrix: the parts of a datetime, else the one of `to_number`.

    Raises InvalidValueError.
    """
    if feature.dtype != "datetime":
        return [to_number(value, feature)]
    moment = _read(cells.to_moment, value, feature)
    if moment is not None:
        return [moments.part(moment, part) for part in feature.seen_parts]
    if feature.nullable:
        return missing(feature)
    raise InvalidValueError("missing")


def missing(feature: Column) -> list[float]:
    """Return the numbers in the model's matrix of a feature without a value."""
    return [math.nan] * len(matrix_columns((feature,)))


def is_time(value: Any, column: Column) -> bool:
    """Return True for a value that cleaning takes as the time of a row, and for a missing one."""
    try:
        if column.is_moment:
            _read(cells.to_moment, value, column)
        else:
            to_number(value, replace(column, nullable=True))
    except InvalidValueError:
        return False
    return True


def _read(reader: Callable[[Any, Column], T], value: Any, column: Column) -> T:
    """Read a JSON value as a cell of a table is read."""
    if isinstance(value, list):  # or an object
        raise InvalidValueError("type")
    try:
        return reader(value, column)
    except UnusableError:
        raise InvalidValueError("category" if column.categories else "type") from None


def to_own(value: Any) -> str | None:
    """Return the caller's own id, text of 1 to 200 characters or a whole number, as the text that feedback and erasure
    use. Any other value is accepted and names nothing: None."""
    if type(value) in (int, float) and abs(value) < 2**63 and value % 1 == 0:
        value = str(int(value))
    # PostgreSQL's text has no NUL, and its indexes have no long entries.
    return value if type(value) is str and 0 < len(value) <= LONGEST_ID and "\0" not in value else None


def to_json(number: float | None, column: Column) -> Any:
    """Return the JSON value that `to_number` turns into this number."""
    if number is None or math.isnan(number):
        return None
    if column.dtype == "category":
        return column.categories[int(number)]
    return {"bool": bool, "int": int, "float": float}[column.dtype](number)


def as_sent(numbers: Sequence[float | None], feature: Column) -> Any:
    """Return a JSON value that `to_numbers` turns into these numbers of the matrix; of the moments that have the same
    parts, one."""
    if feature.dtype != "datetime":
        return to_json(numbers[0], feature)
    known = {part: number for part, number in zip(feature.seen_parts, numbers, strict=True) if number is not None}
    return moments.to_text(moments.with_parts(known), feature.format) if known else None


def expected(column: Column) -> str:
    """Describe the allowed values for people: `a number from 0 to 5 (parts per 10 million)`."""
    if column.is_moment:
        like = moments.to_text(EXAMPLE, column.format)
        text = f"a date or time like {like}{f' ({column.format})' if column.format else ''}"
    elif column.dtype == "category":
        text = f"one of {', '.join(column.categories)}"
        text += f"; any other is read as {column.other}" if column.other else ""
    elif column.dtype == "bool":
        text = "true or false (or 1 or 0)"
    else:
        text = f"a {'whole ' if column.dtype == 'int' else ''}number{_range(column)}"
        text += f" ({column.unit})" if column.unit else ""
    return f"{text}, or null" if column.nullable else text


def _range(column: Column) -> str:
    low, high = (_plain(bound) for bound in limits(column))
    if column.min is None and column.max is None:
        return f" of at most {high} in size"
    if column.max is None:
        return f" of at least {low}"
    return f" of at most {high}" if column.min is None else f" from {low} to {high}"


def _plain(number: float) -> str:
    return str(int(number)) if number % 1 == 0 and abs(number) < 1e16 else str(number)
