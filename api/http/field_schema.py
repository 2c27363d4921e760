"""The JSON Schema (2020-12) of one field: every way to write a value that the server reads, as cleaning reads a cell.

Only the bounds of a number in text, the days of a month, and names in a date's format are beyond what JSON Schema can
say.
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
# Of strptime's directives, those that most dates are written with.
_DIRECTIVES = {
    "%Y": "(?!0000)[0-9]{4}",
    "%y": "[0-9]{2}",
    "%m": "(0?[1-9]|1[0-2])",
    "%d": "(0?[1-9]|[12][0-9]|3[01])",
    "%H": "([01]?[0-9]|2[0-3])",
    "%I": "(0?[1-9]|1[0-2])",
    "%M": "[0-5]?[0-9]",
    "%S": "[0-5]?[0-9]",
    "%p": "[AaPp][Mm]",
}
_MOMENT = MOMENT.strip("^$").replace("(?:-(", "(?:[-/](")


def field(column: Column) -> Field:
    """Return the schema of a column's values, with null and the markers of missing where they are accepted."""
    about = {"description": f"{column.description or column.name}: {expected(column)}"}
    known = cells.words(column)
    markers = [_texts(known.missing), *([{"enum": list(known.numbers)}] if known.numbers else [])]
    values = _values(column)
    if column.nullable:
        return about | {"anyOf": [values, {"type": "null"}, *markers]}
    # Text that is missing is no number and no word for true or false, but may be any other text.
    if known.numbers or column.other or column.is_moment:
        return about | values | {"not": {"anyOf": markers}}
    return about | values


def _values(column: Column) -> Field:
    if column.dtype == "bool":
        return {"anyOf": [{"enum": [True, False, 1, 0]}, _texts((*TRUE, *FALSE))]}
    if column.format:
        return _formatted(column.format)
    if column.is_moment:
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


def _formatted(form: str) -> Field:
    """Return the schema of a date's text; any text where the format has directives that are not digits."""
    pieces = [piece for piece in re.split(r"(%.)", form) if piece]
    if any(piece[0] == "%" and piece not in _DIRECTIVES for piece in pieces):
        return {"type": "string"}
    return {
        "type": "string",
        "pattern": _spaced("".join(_DIRECTIVES.get(piece) or _escaped(piece) for piece in pieces)),
    }


def _numbers(categories: Collection[str]) -> list[float | bool]:
    """Return the JSON numbers, and true or false, that are read as one of the categories."""
    numbers = [float(text) for text in categories if re.fullmatch(NUMBER, text)]
    whole = [int(number) if number.is_integer() and abs(number) <= EXACT else number for number in numbers]
    return [value for value in (*whole, True, False) if written(value) in categories]


def _texts(words: Iterable[str]) -> Field:
    """Return the schema of these texts; a whole number may have decimals that are 0."""
    return {"type": "string", "pattern": _spaced("|".join(map(_spelled, words)))}


def _spelled(word: str) -> str:
    escaped = _escaped(word)
    return rf"{escaped}(\.0*)?" if re.fullmatch(r"0|-?[1-9][0-9]{0,15}", word) else escaped


def _escaped(text: str) -> str:
    # re.escape would escape spaces too, which JavaScript's patterns do not allow.
    return re.sub(r"[\\^$.*+?()\[\]{}|]", r"\\\g<0>", text)


def _spaced(pattern: str) -> str:
    return rf"^\s*({pattern})\s*$"
