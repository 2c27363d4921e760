"""A first guess at what one column is, from its raw cells alone: dtype, role, bounds or categories, and why.

Whether cells are numbers, booleans or moments is asked of `pipeline.tables.cell_parser`, so that
what is guessed here parses there.
"""

import re

import pandas as pd
from msgspec.structs import replace

from pipeline.contract.schema import Column
from pipeline.profiling.column_profile import Seen, read
from pipeline.profiling.numeric_columns import nearly_numbers, number
from pipeline.profiling.remarks import RARE, Guess, is_named_id, shown, some
from pipeline.tables.cell_values import FALSE, NUMBER, TRUE

# A column is a category when no more than this many values, and on average two rows or more a value, are in it.
MOST_CATEGORIES = 50
# Whole numbers with no more values than this may be names of things.
FEW_NUMBERS = 12
# An id of text is no longer than this (a UUID has 36 characters); the rest is prose.
LONGEST_ID = 40
# Six blocks of time (five folds and the first) stay apart when no moment has more than this share of the rows.
MOST_OF_A_MOMENT = 0.1

IS_ID = "role id, whose hash splits the rows where no time does; with role ignore their features do"
_ISO = re.compile(r"\d{4}-\d\d")
_LEADING_ZERO = re.compile(r"[+-]?0\d")


def guess(name: str, cells: pd.Series) -> Guess:
    """What a column that is not the target seems to be; at most one of a table can keep a role id, time or split."""
    seen = read(name, cells)
    nothing = Column(name, "float", role="ignore", nullable=seen.blank)
    if seen.text.empty:
        return Guess(nothing, "role ignore, for no row with a target has a value")
    found = _id(nothing, seen) or _typed(replace(nothing, role="feature"), seen)
    if len(seen.counts) == 1:
        column = replace(found.column, role="ignore")
        return Guess(column, "role ignore, for one value teaches nothing", f"always {shown(seen.text.iloc[0])}")
    return found


def _id(column: Column, seen: Seen) -> Guess | None:
    """A unique column that is called an id, or that counts the rows."""
    column = replace(column, dtype="int" if seen.whole else "category")
    measured = seen.strays.empty and not seen.whole and not seen.digits
    if seen.unique and is_named_id(column.name) and not measured:
        if seen.blank:
            return Guess(column, "role ignore, for an id must not be missing", "otherwise it would be role id")
        return Guess(replace(column, role="id"), IS_ID, "by its name, and no value repeats")
    # Rows without a target are not here, so the numbers may have gaps, but they keep their distance to the row's.
    if seen.unique and seen.whole and not seen.blank and set(seen.numbers - seen.numbers.index) in ({0.0}, {1.0}):
        return Guess(replace(column, role="id"), IS_ID, "it counts the rows")
    return None


def _typed(feature: Column, seen: Seen) -> Guess:
    if len(seen.counts) <= len(TRUE + FALSE) and seen.fits(replace(feature, dtype="bool", nullable=True)):
        return Guess(replace(feature, dtype="bool"))
    few = len(seen.counts) <= min(MOST_CATEGORIES, len(seen.text) / 2)
    # Digits that no float64 holds exactly are codes.
    if seen.strays.empty and (seen.whole or not seen.digits):
        return _number(feature, seen, few)
    moments = Column(feature.name, "category", role="time", nullable=True)
    if _ISO.match(seen.text.iloc[0]) and seen.fits(moments):
        return _time(replace(moments, role="ignore", nullable=seen.blank), seen)
    return nearly_numbers(feature, seen, few) or _text(feature, seen, few)


def _number(feature: Column, seen: Seen, few: bool) -> Guess:
    column, counts = number(feature, seen), seen.counts
    if column.dtype == "int" and (codes := [text for text in counts.index if _LEADING_ZERO.match(text)]):
        if few:
            topic = "category, for codes and no numbers start with 0; make it int if they are numbers"
            return Guess(_category(feature, counts), topic, f"such as {shown(codes[0])}")
        topic = "kept as int, although a leading 0 says that these are codes; role ignore may be wiser"
        return Guess(column, topic, f"such as {shown(codes[0])}")
    if column.dtype == "int" and len(counts) <= FEW_NUMBERS:
        topic = "kept as int; if its few numbers are names and no quantities, make it a category, without min and max"
        return Guess(column, topic, f"{len(counts)} values")
    return Guess(column)


def _time(column: Column, seen: Seen) -> Guess:
    if column.nullable:
        return Guess(column, "role ignore, for a time must not be missing", "otherwise it would be role time")
    if seen.counts.iloc[0] > MOST_OF_A_MOMENT * len(seen.text):
        topic = "role ignore, for its moments are too few to split by; with role time, lower clean.folds"
        return Guess(column, topic, f"{len(seen.counts)} moments")
    topic = "role time, which makes the latest rows the test split; role ignore gives a random one"
    return Guess(replace(column, role="time"), topic, f"{min(seen.text)} to {max(seen.text)}")


def _text(feature: Column, seen: Seen, few: bool) -> Guess:
    counts = seen.counts
    if few:
        column = _category(feature, counts)
        if feature.name.lower() == "split" and set(counts.index) == {"train", "test"} and not seen.blank:
            return Guess(replace(column, role="split"), "role split", "its rows `test` test")
        rare = sorted(counts.index[counts < RARE])
        topic = f"category with values in fewer than {RARE} rows, too few to learn from; merge them in the raw file"
        if rare:
            return Guess(column, topic, some(rare))
        slips = sorted(text for text in counts.index if not re.fullmatch(NUMBER, text))
        if 0 < len(slips) < len(counts) / 2:
            return Guess(column, "category, although most of its values are numbers", f"not {some(slips)}")
        return Guess(column)
    column = replace(feature, dtype="category", role="ignore")
    if seen.unique and not seen.blank and seen.text.str.len().max() <= LONGEST_ID:
        return Guess(replace(column, role="id"), IS_ID, "no value repeats")
    topic = f"role ignore, for text with more than {MOST_CATEGORIES} values, or hardly two rows a value, is no category"
    return Guess(column, topic, f"{len(counts)} values, such as {shown(seen.text.iloc[0])}")


def _category(feature: Column, counts: pd.Series) -> Column:
    return replace(feature, dtype="category", categories=tuple(sorted(counts.index)))
