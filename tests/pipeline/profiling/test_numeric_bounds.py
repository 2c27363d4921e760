"""Bounds of a numeric column: outside of the values by a margin, rounded, on the same side of zero."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.profiling.numeric_bounds import bounds

FINITE = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize(
    ("low", "high", "whole", "expected"),
    [
        (3.561, 8.78, False, (2.2, 10.1)),
        (1, 24, True, (0, 30)),
        (2000, 2010, True, (1997, 2013)),
        (-3, -1, False, (-3.5, -0.5)),
        (-1, 1, False, (-1.5, 1.5)),
        (0, 0, False, (0, 0)),
        (5e-324, 1e-320, False, (0, 1.25e-320)),
        (-1e308, 1e308, False, (-1.5e308, 1.5e308)),
        (-1.7e308, 1.7e308, False, (None, None)),
    ],
)
def test_bounds_lie_outside_of_what_was_seen(
    low: float, high: float, whole: bool, expected: tuple[float | None, float | None]
) -> None:
    """Bounds add a quarter of the range on each side, rounded outward to two digits of it; zero is not crossed."""
    assert bounds(float(low), float(high), whole) == expected


@given(FINITE, FINITE, st.booleans())
def test_bounds_hold_what_was_seen(a: float, b: float, whole: bool) -> None:
    """No value that was seen is out of bounds, and bounds have the sign of what was seen."""
    low, high = bounds(min(a, b), max(a, b), whole)
    assert low is None or low <= min(a, b)
    assert high is None or high >= max(a, b)
    assert min(a, b) < 0 or low is None or low >= 0
    assert max(a, b) > 0 or high is None or high <= 0
