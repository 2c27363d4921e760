"""A guess at a column of dates or times: how they are written, whether they order the split, and which parts vary."""

import re
from collections.abc import Iterator

import numpy as np
from msgspec.structs import replace

from pipeline.contract.column import PARTS, Column
from pipeline.contract.moments import to_text
from pipeline.profiling.column_profile import Profile
from pipeline.profiling.remarks import Guess, Remark, quoted, some
from pipeline.profiling.text_guess import are_mistakes
from pipeline.tables import moment_parts
from pipeline.tables.cell_values import convert

# Six blocks of time (five folds and the first) can be cut where no moment has more than this share of the rows.
MOST_OF_A_MOMENT = 0.1
# The first cells tell how dates are written: more than one, for it may be a mistake.
FIRST = 10
# Of a time, the test split has later years and days than all that a model learns from.
OF_TIME = ("month", "weekday", "hour")

_ISO = re.compile(r"\d{4}[-/]\d\d")
_DATE = re.compile(r"(\d{1,4})([./-])\d{1,2}\2(\d{1,4})(?: (\d{1,2}:\d\d)(:\d\d)?( ?[AaPp][Mm])?)?")
_NAMED = re.compile(r"\d{1,2}([ -])[A-Za-z]{3,9}\1\d{4}|[A-Za-z]{3,9} \d{1,2},? \d{4}")


def guess_moment(feature: Column, profile: Profile) -> Guess | None:
    """Guess a datetime, with role time where it can order the split; ignored where few cells are no dates, or dates
    written in another way. None where there is no way that most are written in."""
    forms = dict.fromkeys(form for text in profile.text.head(FIRST) for form in _formats(text))
    columns = [replace(feature, dtype="datetime", format=form) for form in forms]
    column = next((column for column in columns if profile.fits(column)), None)
    if column is None:
        return _with_strays(columns, profile)
    if profile.has_missing:
        topic = "role feature: it could order the split (role time) if no cell were missing; a random split may flatter"
        return Guess(replace(column, nullable=True), topic)
    if profile.counts.iloc[0] > MOST_OF_A_MOMENT * len(profile.text):
        topic = "role feature: too few moments to split by; with role time, lower clean.folds"
        return Guess(column, topic, f"{len(profile.counts)} moments")
    moments = convert(profile.cells, column)[0]
    topic = "role time: the latest rows are the test split; with role feature it is random, which may flatter"
    return Guess(replace(column, role="time"), topic, f"{to_text(moments.min())} to {to_text(moments.max())}")


def _with_strays(columns: list[Column], profile: Profile) -> Guess | None:
    """Guess a datetime that is ignored, where few cells do not fit one of these columns; None where many do not."""
    each = [profile.text[convert(profile.text, column)[1]] for column in columns]
    column, strays = min(zip(columns, each, strict=True), key=lambda pair: len(pair[1]), default=(None, profile.text))
    if column is None or not are_mistakes(strays, profile):
        return None
    topic = (
        f"role ignore: some cells are no dates written as {column.format or 'ISO 8601'}; correct them, or if they mean "
        "missing add the keys missing and nullable: true; then remove the role"
    )
    texts = sorted(set(strays))
    key = f": missing: [{', '.join(map(quoted, texts))}]" if len(texts) <= 3 else ""
    return Guess(replace(column, role="ignore"), topic, f"{some(texts)}{key}; first in row {strays.index[0]}")


def with_parts(column: Column, profile: Profile) -> Column:
    """Return a datetime with those parts that vary; any other column as it is."""
    if column.dtype != "datetime" or column.role == "ignore":
        return column
    moments = convert(profile.cells, column)[0].dropna()
    possible = OF_TIME if column.role == "time" else PARTS
    parts = (part for part in PARTS if part in possible and len(np.unique(moment_parts.part(moments, part))) > 1)
    return replace(column, parts=tuple(parts))


def of_dates(profile: Profile, column: Column) -> Iterator[Remark]:
    """Yield remarks on a datetime: what the model sees of it, and whether its day or its month is first."""
    if column.seen_parts:
        yield Remark("the model sees these parts of the date (key parts)", column.name, ", ".join(column.seen_parts))
    other = _swapped(column.format)
    if other != column.format and profile.fits(replace(column, format=other)):
        topic = "read with the day first, which no cell proves; if the month is first, change the key format"
        yield Remark(topic, column.name, f"format: {quoted(other)}")


def _formats(text: str) -> list[str]:
    """Return the formats that a text may have, of which the first that fits all cells counts."""
    if _NAMED.fullmatch(text):
        form = re.sub(r"\b\d{1,2}\b", "%d", re.sub(r"\d{4}", "%Y", text))
        return [re.sub("[A-Za-z]{3,}", month, form) for month in ("%b", "%B")]
    found = _DATE.fullmatch(text)
    formats = [""] if _ISO.match(text) else []
    if not found:
        return formats
    first, between, last, time, seconds, half = found.groups()
    clock = f" {'%I' if half else '%H'}:%M{':%S' if seconds else ''}" if time else ""
    clock += half[:-2] + "%p" if half else ""
    if len(first) == 4:
        return [*formats, f"%Y{between}%m{between}%d{clock}"]
    year = "%Y" if len(last) == 4 else "%y"
    day_first = f"%d{between}%m{between}{year}{clock}"
    return [*formats, day_first, _swapped(day_first)]


def _swapped(form: str) -> str:
    """Return a format with the month before the day in place of the day before the month; any other as it is."""
    return re.sub(r"^%d(.)%m", r"%m\1%d", form)
