"""Bounds of a numeric column, outside of the values in the table by a margin."""

import math
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from msgspec.structs import replace

from pipeline.contract.column import Column
from pipeline.profiling.column_profile import Profile

MARGIN = Decimal("0.25")  # between a bound and the nearest value, as a share of the values' range


def as_number(column: Column, profile: Profile) -> Column:
    """Return the column with dtype int or float and with bounds."""
    low, high = bounds(float(profile.numbers.min()), float(profile.numbers.max()), profile.is_whole)
    return replace(column, dtype="int" if profile.is_whole else "float", min=low, max=high)


def bounds(low: float, high: float, whole: bool = False) -> tuple[float | None, float | None]:
    """Return the range `low` to `high`, wider by MARGIN on each side, rounded outward to two digits of its width.

    Bounds do not cross zero. One that would be no finite number is None.
    """
    # From the float's shortest text: its exact binary value would round 0.1 up to 0.2.
    least, most = Decimal(repr(low)), Decimal(repr(high))
    span = most - least or abs(most) or Decimal(1)
    step = Decimal(1).scaleb(max(span.adjusted() - 1, 0 if whole else -400))
    lower = float(((least - span * MARGIN) / step).to_integral_value(ROUND_FLOOR) * step)
    upper = float(((most + span * MARGIN) / step).to_integral_value(ROUND_CEILING) * step)
    lower = min(low, max(0.0, lower) if low >= 0 else lower)
    upper = max(high, min(0.0, upper) if high <= 0 else upper)
    # 0.0 is added so that -0.0 becomes 0.0.
    return lower + 0.0 if math.isfinite(lower) else None, upper + 0.0 if math.isfinite(upper) else None
