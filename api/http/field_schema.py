"""The JSON Schema (2020-12) of one field: every way to write a value that the server reads, as cleaning reads a cell.

Only the bounds of a number in text, and the days of a month, are beyond what JSON Schema can say.
"""

import re
from collections.abc import Collection, Iterable
from typing import Any

from api.requests.values import expected, limits
from pipeline.contract import cells
from pipeline.contract.cell_text import EXACT, FALSE, MOMENT, NUMBER, TRUE, written
from pipeline.contract.column import Column

Field = dict[str, Any]

_NUMBER = NUMBER.strip("^$")
_MOMENT = MOMENT.strip("^$").replace("-([0-9]{2})", "[-/]([0-9]{2})")


def field(column: Column) -> Field:
    """Return the schema of a column's values, with null and the markers of missing where they are accepted."""
    about = {"description": f"{column.description or column.name}: {expected(column)}"}
    known = cells.words(column)
    markers = [_texts(known.missing), *([{"enum": list(known.numbers)}] if known.numbers else [])]
    values = _values(column)
    if column.nullable:
        return about | {"anyOf": [values, {"type": "null"}, *markers]}
    # Text that is missing is no number and no word for true or false, but may be any other text.
    is_other = column.other or (column.dtype == "category" and not column.categories)
    if known.numbers or is_other:
        return about | values | {"not": {"anyOf": markers}}
    return about | values


def _values(column: Column) -> Field:
    if column.dtype == "bool":
        return {"anyOf": [{"enum": [True, False, 1, 0]}, _texts((*TRUE, *FALSE))]}
    if column.role == "time" and column.dtype == "category":
        return {"type": ["string", "integer"], "pattern": _spaced(_MOMENT), "minimum": 1000, "maximum": 2999}
    if column.other:
        return {"type": ["string", "number", "boolean"]}
    if column.dtype == "category":
        codes = cells.words(column).codes
        return {"anyOf": [{"enum": [*column.categories, *_numbers(codes)]}, _texts(codes)]}
    low, high = limits(column)
    if column.dtype == "int":
        return {"type": ["integer", "string"], "minimum": int(low), "maximum": int(high), "pattern": _spaced(_NUMBER)}
    return {"type": ["number", "string"], "minimum": low, "maximum": high, "pattern": _spaced(_NUMBER)}


def _numbers(categories: Collection[str]) -> list[float | bool]:
    """Return the JSON numbers, and true or false, that are read as one of the categories."""
    numbers = [float(text) for text in categories if re.fullmatch(NUMBER, text)]
    whole = [int(number) if number.is_integer() and abs(number) <= EXACT else number for number in numbers]
    return [value for value in (*whole, True, False) if written(value) in categories]


def _texts(words: Iterable[str]) -> Field:
    """Return the schema of these texts; a whole number may have decimals that are 0."""
    return {"type": "string", "pattern": _spaced("|".join(map(_spelled, words)))}


def _spelled(word: str) -> str:
    # re.escape would escape spaces too, which JavaScript's patterns do not allow.
    escaped = re.sub(r"[\\^$.*+?()\[\]{}|]", r"\\\g<0>", word)
    return rf"{escaped}(\.0*)?" if re.fullmatch(r"0|-?[1-9][0-9]{0,15}", word) else escaped


def _spaced(pattern: str) -> str:
    return rf"^\s*({pattern})\s*$"
