"""The fields of the form for one prediction: one a feature, with its typical value and what is allowed."""

import itertools
from typing import Any

import msgspec

from api.http import openapi
from api.requests.values import as_sent, expected, to_json
from pipeline.contract.column import Column
from pipeline.contract.columns import positions
from pipeline.contract.description import Description, MatrixRows
from pipeline.contract.number_text import plain


class Field(msgspec.Struct, frozen=True):
    """One feature in the form: `value` is its typical value, `options` are pairs of JSON and label."""

    column: Column
    value: str
    allowed: str
    options: tuple[tuple[str, str], ...]


def fields(description: Description) -> list[Field]:
    """Return the features in the model's order, with the values of a typical row: none where most rows have none."""
    absent = mostly_missing(description)
    return [_field(c, None if c.name in absent else _typical(c, description)) for c in description.columns]


def mostly_missing(description: Description) -> set[str]:
    """Return the features without a value in more than half of the training rows that the model file has."""
    rows = _training_rows(description)
    first = {name: places[0] for name, places in positions(description.columns).items()}
    return {name for name, place in first.items() if 2 * sum(row[place] is None for row in rows) > len(rows)}


def _training_rows(description: Description) -> MatrixRows:
    """Return the background, or without one the first golden rows, after which comes a row without any value."""
    golden = description.golden.features if description.golden else []
    known = itertools.takewhile(lambda row: any(value is not None for value in row), golden)
    return description.background or list(known)


def _field(column: Column, typical: Any) -> Field:
    if column.dtype == "category":
        options = tuple((_json(category), category) for category in column.categories)
    elif column.dtype == "bool":
        options = (("true", "yes"), ("false", "no"))
    elif column.dtype == "datetime":
        return Field(column, typical or "", expected(column).removesuffix(", or null"), ())
    else:
        return Field(column, "" if typical is None else plain(typical), _allowed(column), ())
    unit = "" if column.dtype == "bool" else column.unit
    return Field(column, "" if typical is None else _json(typical), unit, options)


def _typical(column: Column, description: Description) -> Any:
    if column.dtype == "datetime":  # typical parts need not be those of one date
        places = positions(description.columns)[column.name]
        known = (row for row in _training_rows(description) if row[places[0]] is not None)
        return next((as_sent([row[place] for place in places], column) for row in known), None)
    if column.name in description.imputed:
        return to_json(description.imputed[column.name], column)
    return openapi.example(description).get(column.name)


def _allowed(column: Column) -> str:
    """Return the allowed values for people: `0 to 100 percent`."""
    low, high = ("" if bound is None else plain(bound) for bound in (column.min, column.max))
    if low and high:
        text = f"{low} to {high}"
    elif low or high:
        text = f"at least {low}" if low else f"at most {high}"
    else:
        text = "any number" if column.dtype == "float" else "any whole number"
        return f"{text} ({column.unit})" if column.unit else text
    return f"{text} {column.unit}".strip()


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
