"""The JSON values of a column: which are allowed, the number that the model sees, and the way back."""

import math
from collections.abc import Callable
from typing import Any, Literal, TypeVar

from msgspec.structs import replace

from api.requests.strict_json import Overflow
from pipeline.contract import cells
from pipeline.contract.cell_text import EXACT
from pipeline.contract.cells import UnusableError
from pipeline.contract.column import Column

# Trees compute in float32; what is larger would become infinite in them.
FLOAT32_MAX = 3.4028234663852886e38
LONGEST_ID = 200  # characters

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


def is_time(value: Any, column: Column) -> bool:
    """Return True for a value that cleaning takes as the time of a row, and for a missing one."""
    try:
        if column.dtype == "category":
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


def expected(column: Column) -> str:
    """Describe the allowed values for people: `a number from 0 to 5 (parts per 10 million)`."""
    if column.dtype == "category":
        text = f"one of {', '.join(column.categories)}" if column.categories else "a date or time like 2026-11-30T10:05"
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
