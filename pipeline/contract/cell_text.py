"""The text of a cell: the words and patterns that mean something in any column, in one form."""

import re
from typing import Any

MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "<NA>")
TRUE = ("1", "true", "True", "TRUE", "yes", "Yes")
FALSE = ("0", "false", "False", "FALSE", "no", "No")
# A plain decimal number: no thousands separator, no hexadecimal, no `inf`.
NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
# float64 holds every whole number up to this one exactly.
EXACT = 2.0**53
# ISO 8601: a year, a month or a day, and with a day perhaps a time and a zone.
MOMENT = (
    r"^([12][0-9]{3})(?:-(0[1-9]|1[0-2])(?:-(0[1-9]|[12][0-9]|3[01])"
    r"(?:[T ]([01][0-9]|2[0-3])(?::([0-5][0-9])(?::([0-5][0-9])(?:\.([0-9]{1,9}))?)?)?"
    r"(?:Z|([+-])([01][0-9]|2[0-3]):?([0-5][0-9]))?)?)?)?$"
)
# The beginning of a date with slashes, which is read as one with dashes.
SLASHES = r"^([0-9]{4})/([0-9]{2})/"
# A whole number with decimals that are all 0, as pandas writes it once a cell of its column is missing.
WHOLE = r"^(?:-?(0)|(-?[1-9][0-9]{0,15}))\.0*$"


def plain(text: str) -> str:
    """Return a text without surrounding space, and `1.0` as `1`."""
    return re.sub(WHOLE, r"\1\2", text.strip())


def written(cell: Any) -> str:
    """Return a cell as text; 3.0 and 3 are one category."""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) <= EXACT:
        return str(int(cell))
    return str(cell)
