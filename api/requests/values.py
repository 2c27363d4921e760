"""The JSON values of a column: which are allowed, the number that the model sees, and the way back."""

import math
from typing import Any, Literal

from api.requests.strict_json import Overflow
from pipeline.contract.schema import Column

# Trees compute in float32; what is larger would become infinite in them.
FLOAT32_MAX = 3.4028234663852886e38
# The largest integer to which every smaller one is exact in float64; training refuses larger ones too.
EXACT = 2.0**53
LONGEST_ID = 200  # characters

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
    """Return the number of a JSON value: a category's place in the schema's list, 1 or 0 for a bool, NaN for null.

    Raises InvalidValueError.
    """
    if value is None:
        if column.nullable:
            return math.nan
        raise InvalidValueError("missing")
    if column.dtype == "category":
        if type(value) is not str:
            raise InvalidValueError("type")
        if value not in column.categories:
            raise InvalidValueError("category")
        return float(column.categories.index(value))
    if column.dtype == "bool":
        if value not in (0, 1):
            raise InvalidValueError("type")
        return float(value)
    if type(value) is Overflow:
        raise InvalidValueError("bounds")
    # A bool is an int to Python, not to us.
    if type(value) not in (int, float) or (column.dtype == "int" and value % 1 != 0):
        raise InvalidValueError("type")
    low, high = limits(column)
    if not low <= value <= high:
        raise InvalidValueError("bounds")
    return float(value)


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
        text = f"one of {', '.join(column.categories)}"
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
