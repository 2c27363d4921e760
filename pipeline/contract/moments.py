"""One moment: from text, to its calendar parts, and back. `pipeline.tables.moment_parts` has the same for a column.

All moments are in UTC. Text without a zone is taken as it is written.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone

from pipeline.contract.cell_text import MOMENT, SLASHES
from pipeline.contract.column import Part

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY = 86_400e6  # microseconds

_CALENDAR = 28 * 366  # days after which every weekday has been on every day of the year


def parse(text: str, form: str = "") -> datetime:
    """Return the moment of a text in a format of strptime, or in ISO 8601 without one. Raises ValueError."""
    if any(letter.isdecimal() and not letter.isascii() for letter in text):
        raise ValueError(text)  # strptime knows the digits of all scripts, and no other reader here does
    try:
        if not form:
            return _iso(text).astimezone(UTC)
        moment = datetime.strptime(text, form)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:  # a zone moves it out of the years 1 to 9999
        raise ValueError(text) from None


def part(moment: datetime, name: Part) -> float:
    """Return one part of a moment as the model sees it. `days` since 1970 has its fraction, to the microsecond."""
    match name:
        case "weekday":
            return float(moment.isoweekday())
        case "yearday":
            return float(moment.timetuple().tm_yday)
        case "days":
            return float((moment - EPOCH) // timedelta(microseconds=1)) / DAY
        case _:
            return float(getattr(moment, name))


def from_days(days: float) -> datetime:
    """Return the moment so many days after the beginning of 1970; `days` tell microseconds apart until 2059."""
    return EPOCH + timedelta(days=days)


def with_parts(wanted: Mapping[Part, float]) -> datetime:
    """Return a moment that has the parts of another one; the first since 2000 where these leave the year open."""
    if "days" in wanted:
        return from_days(wanted["days"])
    first = datetime(int(wanted.get("year", 2000)), 1, 1, int(wanted.get("hour", 0)), tzinfo=UTC)
    days = (first + timedelta(days=number) for number in range(_CALENDAR))
    return next((day for day in days if all(part(day, name) == wanted[name] for name in wanted)), first)


def to_text(moment: datetime, form: str = "") -> str:
    """Return the text that `parse` turns into this moment; in ISO 8601 without a time at midnight."""
    return moment.strftime(form) if form else moment.replace(tzinfo=None).isoformat().removesuffix("T00:00:00")


def _iso(text: str) -> datetime:
    found = re.fullmatch(MOMENT, re.sub(SLASHES, r"\1-\2-", text))
    if not found:
        raise ValueError(text)
    *parts, fraction, sign, hours, minutes = found.groups()
    year, month, day, hour, minute, second = (int(part or first) for part, first in zip(parts, "111000", strict=True))
    ahead = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    zone = timezone(-ahead if sign == "-" else ahead)
    return datetime(year, month, day, hour, minute, second, int((fraction or "").ljust(6, "0")[:6]), zone)
