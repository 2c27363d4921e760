"""Bounds of a numeric column, well outside of the values that were seen."""

import math
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from msgspec.structs import replace

from pipeline.contract.schema import Column
from pipeline.profiling.column_profile import Profile

MARGIN = Decimal("0.25")  # between a bound and the values that were seen, as a share of their range


def as_number(column: Column, profile: Profile) -> Column:
    """Return the column with dtype int or float and with bounds."""
    low, high = bounds(float(profile.numbers.min()), float(profile.numbers.max()), profile.is_whole)
    return replace(column, dtype="int" if profile.is_whole else "float", min=low, max=high)


def bounds(low: float, high: float, whole: bool = False) -> tuple[float | None, float | None]:
    """Return the range `low` to `high`, wider by MARGIN on each side, rounded outward to two digits of its width.

    Bounds do not cross zero. One that would be no finite number is None.
    """
    # Of the float's shortest text: its exact binary value would round 0.1 up to 0.2.
    least, most = Decimal(repr(low)), Decimal(repr(high))
    span = most - least or abs(most) or Decimal(1)
    step = Decimal(1).scaleb(max(span.adjusted() - 1, 0 if whole else -400))
    outer = (
        float(_rounded(least - span * MARGIN, step, ROUND_FLOOR)),
        float(_rounded(most + span * MARGIN, step, ROUND_CEILING)),
    )
    lower = min(low, max(0.0, outer[0]) if low >= 0 else outer[0])
    upper = max(high, min(0.0, outer[1]) if high <= 0 else outer[1])
    # 0.0 is added so that -0.0 becomes 0.0.
    return lower + 0.0 if math.isfinite(lower) else None, upper + 0.0 if math.isfinite(upper) else None


def _rounded(value: Decimal, step: Decimal, way: str) -> Decimal:
    return (value / step).to_integral_value(way) * step
