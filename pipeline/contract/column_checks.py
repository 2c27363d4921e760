"""The checks of a column: keys that are valid one by one may contradict each other, or the column's role."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime

from pipeline.contract import moments
from pipeline.contract.cell_text import plain
from pipeline.contract.column import RESERVED, Column


def mistakes(column: Column) -> Iterator[str]:
    """Yield the faults of a column whose keys are valid one by one."""
    if column.name in RESERVED:
        yield "the name is reserved for the pipeline's own columns; rename it in the raw file"
    if column.dtype == "category" and column.role == "feature" and not column.categories:
        yield "key 'categories': expected the list of allowed values, found none"
    if column.dtype != "category" and column.categories:
        yield f"key 'categories': only for dtype category, found with dtype {column.dtype}"
    yield from _in_words(column)
    yield from _of_moments(column)
    for key, bound in (("min", column.min), ("max", column.max)):
        if bound is not None and (column.dtype not in ("float", "int") or not math.isfinite(bound)):
            yield f"key {key!r}: expected a finite bound of a float or int column, found {bound!r}"
    if column.min is not None and column.max is not None and column.min > column.max:
        yield f"key 'min': expected at most max = {column.max!r}, found {column.min!r}"
    is_plain = not column.categories
    fits, expected = {
        "target": (column.dtype in ("float", "int"), "float or int"),
        "time": (
            column.dtype != "bool" and is_plain,
            "datetime, int or float, or category without categories for ISO 8601 text",
        ),
        "id": (column.dtype in ("int", "category") and is_plain, "int, or category without categories for any text"),
        "group": (column.dtype in ("int", "category"), "int or category"),
        "split": (set(column.categories) == {"train", "test"}, "category with the categories train and test"),
    }.get(column.role, (True, ""))
    if not fits:
        yield f"a column with role {column.role} must be {expected}"
    # A row without its key has no place in the split, and one without its target teaches nothing.
    if column.nullable and column.role not in ("feature", "ignore"):
        yield f"a column with role {column.role} must be nullable: false"


def _in_words(column: Column) -> Iterator[str]:
    """Yield the faults of the lists of texts; `1` and `1.0`, and texts that differ in surrounding space, are one."""
    listed = {key: list(map(plain, getattr(column, key))) for key in ("categories", "missing")}
    for key, texts in listed.items():
        if repeated := [text for place, text in enumerate(texts) if text in texts[:place]]:
            yield f"key {key!r}: the value {repeated[0]!r} is listed twice"
        if "" in texts:
            yield f"key {key!r}: a value must be more than space; an empty cell is missing"
    if both := set(listed["categories"]) & set(listed["missing"]):
        yield f"key 'missing': {min(both)!r} is one of the categories too; remove it from one of the two lists"
    if column.other and column.other not in column.categories:
        yield f"key 'other': expected one of {', '.join(column.categories) or 'the categories'}, found {column.other!r}"


def _of_moments(column: Column) -> Iterator[str]:
    """Yield the faults of the keys that only a datetime has."""
    for key in ("format", "parts"):
        if getattr(column, key) and column.dtype != "datetime":
            yield f"key {key!r}: only for dtype datetime, found with dtype {column.dtype}"
    if len(set(column.parts)) < len(column.parts):
        yield f"key 'parts': expected each part once, found {', '.join(column.parts)}"
    if column.format and not _has_year(column.format):
        yield (
            "key 'format': expected a year and other directives of Python's strptime, such as '%d/%m/%Y %H:%M', found "
            f"{column.format!r}"
        )


def _has_year(form: str) -> bool:
    """Return True for a format of strptime that gives a text its year back."""
    moment = datetime(2024, 1, 1, tzinfo=UTC)
    try:
        return moments.parse(moment.strftime(form), form).year == moment.year
    except ValueError:
        return False
