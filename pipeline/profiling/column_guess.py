"""A guess at one column from its profile: dtype, role, bounds or categories, and a remark."""

import re

from msgspec.structs import replace

from pipeline.contract.cell_text import FALSE, TRUE
from pipeline.contract.column import Column
from pipeline.profiling.column_profile import Profile
from pipeline.profiling.date_guess import guess_moment
from pipeline.profiling.numeric_bounds import as_number
from pipeline.profiling.remarks import Guess, shown
from pipeline.profiling.text_guess import BY_ID, as_category, guess_number_in_text, guess_text, is_category

# Whole numbers with at most this many distinct values may be codes of categories.
FEW_NUMBERS = 12

_NAMED_ID = re.compile(r"(?i:id|idx|index|key|uuid|guid)$|.*[a-z]I[dD]$|(?i:.*[ _.-](id|idx|uuid|guid))$")
_LEADING_ZERO = re.compile(r"[+-]?0\d")


def is_named_id(name: str) -> bool:
    """Return True for a name such as `id`, `house_id` or `parcelID`."""
    return _NAMED_ID.match(name) is not None


def guess(profile: Profile) -> Guess:
    """Guess a column that is not the target; several columns of a table may get role id, time or split."""
    nothing = Column(profile.name, "float", role="ignore", nullable=profile.has_missing)
    if profile.text.empty:
        return Guess(nothing, "role ignore: no value in any row that has a target")
    found = _id(nothing, profile) or _typed(replace(nothing, role="feature"), profile)
    if len(profile.counts) == 1 and len(found.column.categories) < 2:
        column = replace(found.column, role="ignore")
        topic = "role ignore: the same value in every row that has one"
        return Guess(column, topic, f"always {shown(profile.text.iloc[0])}")
    return found


def _id(column: Column, profile: Profile) -> Guess | None:
    """Guess an id: a column without repeats that is named like one, or that counts the rows."""
    column = replace(column, dtype="int" if profile.is_whole else "category")
    is_measured = profile.strays.empty and not profile.is_whole and not profile.is_digits
    if profile.is_unique and is_named_id(column.name) and not is_measured:
        if profile.has_missing:
            return Guess(column, "role ignore: an id must not have missing cells", "otherwise role id")
        return Guess(replace(column, role="id"), BY_ID, "by its name, and no value repeats")
    # Rows without a target are left out: the numbers may have gaps, but keep their distance to the row's number.
    is_full = profile.is_unique and profile.is_whole and not profile.has_missing
    if is_full and set(profile.numbers - profile.numbers.index) in ({0.0}, {1.0}):
        return Guess(replace(column, role="id"), BY_ID, "it counts the rows")
    return None


def _typed(feature: Column, profile: Profile) -> Guess:
    """Guess the dtype: the first that fits of bool, number, time, badly written number, category and text."""
    # A column of `yes` and `None` has two values, neither of which is a missing cell.
    is_one_of_two = len(profile.counts) == 1 and len(profile.with_word().counts) == 2
    is_short = len(profile.counts) <= len(TRUE + FALSE) and not is_one_of_two
    if is_short and profile.fits(replace(feature, dtype="bool")):
        return Guess(replace(feature, dtype="bool"))
    # Digits that no float64 holds exactly are codes.
    if profile.strays.empty and (profile.is_whole or not profile.is_digits):
        return _number(feature, profile)
    in_words = guess_moment(feature, profile) or guess_number_in_text(feature, profile)
    return in_words or guess_text(feature, profile.with_word())


def _number(feature: Column, profile: Profile) -> Guess:
    column, counts = as_number(feature, profile), profile.counts
    if column.dtype == "int" and (codes := [text for text in counts.index if _LEADING_ZERO.match(text)]):
        topic = "int, although a leading 0 means codes; consider role ignore"
        if is_category(profile):
            column = as_category(feature, profile.with_word())
            topic = "category: a leading 0 means codes; use int if these are quantities"
        return Guess(column, topic, f"such as {shown(codes[0])}")
    if column.dtype == "int" and len(counts) <= FEW_NUMBERS:
        topic = "int with few values; if they are names and not quantities, use category, without min and max"
        return Guess(column, topic, f"{len(counts)} values")
    return Guess(column)
