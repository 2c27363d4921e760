"""A guess at a column of dates or times: how they are written, whether they order the split, and which parts vary."""

import re
from collections.abc import Iterator

import numpy as np
from msgspec.structs import replace

from pipeline.contract.column import PARTS, Column
from pipeline.contract.moments import to_text
from pipeline.profiling.column_profile import Profile
from pipeline.profiling.remarks import Guess, Remark, quoted
from pipeline.tables import moment_parts
from pipeline.tables.cell_values import convert

# Six blocks of time (five folds and the first) can be cut where no moment has more than this share of the rows.
MOST_OF_A_MOMENT = 0.1
# Of a time, the test split has later years and days than all that a model learns from.
OF_TIME = ("month", "weekday", "hour")

_ISO = re.compile(r"\d{4}[-/]\d\d")
_DATE = re.compile(r"(\d{1,4})([./-])\d{1,2}\2(\d{1,4})(?: (\d{1,2}:\d\d)(:\d\d)?( ?[AaPp][Mm])?)?")


def guess_moment(feature: Column, profile: Profile) -> Guess | None:
    """Guess a datetime, with role time where it can order the split; None where the cells are written in no one way."""
    columns = (replace(feature, dtype="datetime", format=form) for form in _formats(profile.text.iloc[0]))
    column = next((column for column in columns if profile.fits(column)), None)
    if column is None:
        return None
    if profile.has_missing:
        topic = "role feature: it could order the split (role time) if no cell were missing; a random split may flatter"
        return Guess(replace(column, nullable=True), topic)
    if profile.counts.iloc[0] > MOST_OF_A_MOMENT * len(profile.text):
        topic = "role feature: too few moments to split by; with role time, lower clean.folds"
        return Guess(column, topic, f"{len(profile.counts)} moments")
    moments = convert(profile.cells, column)[0]
    topic = "role time: the latest rows are the test split; with role feature it is random, which may flatter"
    return Guess(replace(column, role="time"), topic, f"{to_text(moments.min())} to {to_text(moments.max())}")


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
