"""A guess at a column of text: numbers and dates in unreadable forms, categories, ids and prose."""

import re

import pandas as pd
from msgspec.structs import replace

from pipeline.contract.cell_text import NUMBER
from pipeline.contract.column import Column
from pipeline.contract.wording import counted
from pipeline.profiling.column_profile import Profile
from pipeline.profiling.numeric_bounds import as_number
from pipeline.profiling.remarks import Guess, quoted, shown, some
from pipeline.tables.cell_values import convert

# A column is a category with on average at least two rows for each value. Of more values than this the most frequent
# are kept, and all others are read as OTHER.
MOST_CATEGORIES = 50
OTHER = "(other)"
# An id of text is at most this long (a UUID has 36 characters); longer text is prose.
LONGEST_ID = 40
# From this share of numbers on, a column of text holds numbers, some of them badly written.
MOSTLY = 0.8
# A category with fewer rows has too few to learn from; fewer cells that are no numbers are mistakes.
RARE = 5

MINUS = "\u2212"
BY_ID = "role id: its hash decides the split, unless a time does; with role ignore the features decide"
_OTHER_DATE = re.compile(r"\d{1,4}([./-])\d{1,2}\1\d{1,4}\b")
_WRITTEN_NUMBER = re.compile(r"[-+$€£¥ ]*\d[\d.,' ]*( ?[%€$£¥°]| [a-zA-Z²³]{1,4})?$")


def is_few(profile: Profile) -> bool:
    """Return True where the values are few enough for a category of them all."""
    return len(profile.counts) <= min(MOST_CATEGORIES, len(profile.text) / 2)


def is_category(profile: Profile) -> bool:
    """Return True where the values are few enough, or some of many are frequent and few others are seen once."""
    repeats = len(profile.counts) <= len(profile.text) / 2
    return is_few(profile) or (repeats and profile.counts.iloc[0] >= RARE)


def are_mistakes(strays: pd.Series, profile: Profile) -> bool:
    """Return True where these cells are so few that the column holds what all others are, and is no category."""
    return len(strays) <= (1 - MOSTLY) * len(profile.text) and (len(strays) < RARE or not is_few(profile))


def guess_number_in_text(feature: Column, profile: Profile) -> Guess | None:
    """Guess a number or date in an unreadable form; its column is ignored until someone corrects the raw file."""
    strays, ignored = profile.strays, replace(feature, role="ignore")
    if strays.empty:
        return None
    if are_mistakes(strays, profile):
        counts = strays.value_counts()
        cells = ", ".join(f"{shown(text)} ({count} x)" for text, count in counts.head(3).items())
        if all(re.fullmatch(NUMBER, text.replace(MINUS, "-")) for text in counts.index):
            topic = f"role ignore: its minus signs are {MINUS} (U+2212); write -, then remove the role"
            return Guess(as_number(ignored, profile), topic, f"such as {shown(strays.iloc[0])}")
        topic = (
            "role ignore: some cells are no numbers; correct them, or if they mean missing add the keys missing and "
            "nullable: true; then remove the role"
        )
        key = f": missing: [{', '.join(map(quoted, counts.index))}]" if len(counts) <= 3 else ", …"
        return Guess(as_number(ignored, profile), topic, f"{cells}{key}; first in row {strays.index[0]}")
    if _share(profile.text, _OTHER_DATE) >= MOSTLY:
        topic = "role ignore: these dates are not all written in one way; write 2020-12-31, then remove the role"
        return Guess(replace(ignored, dtype="datetime"), topic, f"such as {shown(strays.iloc[0])}")
    if _share(strays, _WRITTEN_NUMBER) >= MOSTLY:
        topic = "role ignore: its numbers have a comma, a currency or a unit; write 1234.5"
        return Guess(ignored, topic, f"such as {shown(strays.iloc[0])}")
    return None


def guess_text(feature: Column, profile: Profile) -> Guess:
    """Guess a category, a split, an id, or text that no model here can use."""
    counts = profile.counts
    if not is_category(profile):
        column = replace(feature, dtype="category", role="ignore")
        if profile.is_unique and not profile.has_missing and profile.text.str.len().max() <= LONGEST_ID:
            return Guess(replace(column, role="id"), BY_ID, "no value repeats")
        topic = "role ignore: text with fewer than two rows a value, or without frequent values"
        return Guess(column, topic, f"{len(counts)} values, such as {shown(profile.text.iloc[0])}")
    column = as_category(feature, profile)
    if column.other:
        pooled = counts[~counts.index.isin(column.categories)]
        topic = "category of its most frequent values; all others are read as one, as the key other says"
        detail = f"{counted(len(pooled), 'value')} in {counted(int(pooled.sum()), 'row')} pooled as {OTHER!r}"
        return Guess(column, topic, detail)
    if feature.name.lower() == "split" and set(counts.index) == {"train", "test"} and not profile.has_missing:
        return Guess(replace(column, role="split"), "role split", "its rows `test` are the test split")
    if rare := sorted(counts.index[counts < RARE]):
        topic = (
            f"category with values in fewer than {RARE} rows, too few to learn from; to read them as one, replace them "
            f'in categories by "{OTHER}", and add the key other: "{OTHER}"'
        )
        return Guess(column, topic, some(rare))
    slips = sorted(text for text in counts.index if not re.fullmatch(NUMBER, text))
    if 0 < len(slips) < len(counts) / 2:
        return Guess(column, "category, although most of its values are numbers", f"not {some(slips)}")
    return Guess(column)


def as_category(feature: Column, profile: Profile) -> Column:
    """Return the column as a category of its texts, or of the most frequent of them and OTHER."""
    counts, other = profile.counts, ""
    names = set(counts.index)
    if len(names) > MOST_CATEGORIES:
        names, other = {*counts.index[counts >= RARE][: MOST_CATEGORIES - 1], OTHER}, OTHER
    column = replace(feature, dtype="category", categories=tuple(sorted(names)), other=other)
    return replace(column, nullable=bool(convert(profile.cells, column)[0].isna().any()))


def _share(text: pd.Series, pattern: re.Pattern[str]) -> float:
    return float(text.map(lambda cell: pattern.match(cell) is not None).mean())
