"""Numbers of a column that no one has described: bounds well outside of what was seen, and what is nearly a number."""

import math
import re
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import pandas as pd
from msgspec.structs import replace

from pipeline.contract.schema import Column
from pipeline.profiling.column_profile import Seen
from pipeline.profiling.remarks import RARE, Guess, shown

# How far a bound lies outside of what was seen, as a share of the range.
MARGIN = Decimal("0.25")
# From this share on, a column of text is one of numbers that were not written as such.
MOSTLY = 0.8
_OTHER_DATE = re.compile(r"\d{1,4}([./-])\d{1,2}\1\d{1,4}\b")
_WRITTEN_NUMBER = re.compile(r"[-+$€£¥ ]*\d[\d.,' ]*( ?[%€$£¥°]| [a-zA-Z²³]{1,4})?$")


def number(column: Column, seen: Seen) -> Column:
    """The column as int or float, with bounds well outside of what was seen."""
    low, high = bounds(float(seen.numbers.min()), float(seen.numbers.max()), seen.whole)
    return replace(column, dtype="int" if seen.whole else "float", min=low, max=high)


def bounds(low: float, high: float, whole: bool = False) -> tuple[float | None, float | None]:
    """The range with a quarter of it added on each side, rounded outward to two digits of it; no zero is crossed.

    None where the bound would be no finite number.
    """
    # The shortest text of a float and not its binary value, which would round 0.1 up to 0.2.
    least, most = Decimal(repr(low)), Decimal(repr(high))
    span = most - least or abs(most) or Decimal(1)
    step = Decimal(1).scaleb(max(span.adjusted() - 1, 0 if whole else -400))
    outer = (
        float(_rounded(least - span * MARGIN, step, ROUND_FLOOR)),
        float(_rounded(most + span * MARGIN, step, ROUND_CEILING)),
    )
    lower = min(low, max(0.0, outer[0]) if low >= 0 else outer[0])
    upper = max(high, min(0.0, outer[1]) if high <= 0 else outer[1])
    # 0.0 is added for -0.0, which reads odd.
    return lower + 0.0 if math.isfinite(lower) else None, upper + 0.0 if math.isfinite(upper) else None


def nearly_numbers(feature: Column, seen: Seen, few: bool) -> Guess | None:
    """Numbers that something keeps from being read as such: ignored until someone corrects them in the raw file."""
    strays, ignored = seen.strays, replace(feature, role="ignore")
    if strays.empty:
        return None
    if len(strays) <= (1 - MOSTLY) * len(seen.text) and (len(strays) < RARE or not few):
        counts = strays.value_counts()
        cell = [f"{shown(text)} ({count} x)" for text, count in counts.head(3).items()]
        detail = f"{', '.join(cell)}{', …' if len(counts) > 3 else ''}; first in row {strays.index[0]}"
        topic = "role ignore, for a few cells are no numbers; correct them, or write NA, then remove the role"
        return Guess(number(ignored, seen), topic, detail)
    if _share(seen.text, _OTHER_DATE) >= MOSTLY:
        topic = "role ignore, for these dates are not ISO 8601; write them as 2020-12-31"
        return Guess(replace(ignored, dtype="category"), topic, f"such as {shown(strays.iloc[0])}")
    if _share(strays, _WRITTEN_NUMBER) >= MOSTLY:
        topic = "role ignore, for its numbers have a comma, a currency or a unit; write 1234.5"
        return Guess(ignored, topic, f"such as {shown(strays.iloc[0])}")
    return None


def _rounded(value: Decimal, step: Decimal, way: str) -> Decimal:
    return (value / step).to_integral_value(way) * step


def _share(text: pd.Series, pattern: re.Pattern[str]) -> float:
    return float(text.map(lambda cell: pattern.match(cell) is not None).mean())
