"""Rounding of what depends on the order of a sum, so that every processor stores the same bytes.

BLAS and LAPACK add in another order on another processor, and vector instructions may. This changes results by up to
1e-14 of their size on the shipped table. DIGITS leaves a factor of 10^4 to that, so that a number is seldom so near to
the middle of two rounded ones that it goes either way, and is more than data can tell apart
(docs/decisions/0019-same-bytes.md).
"""

import math
from typing import Any

import numpy as np

DIGITS = 10


def rounded(values: np.ndarray, size: float) -> np.ndarray:
    """Return the values to DIGITS digits from the first one of `size` on: of the number that their errors are a share
    of, such as the standard deviation of a target or the largest of coefficients.

    NaN and infinity stay. With size 0 all stay as they are.
    """
    if not (math.isfinite(size) and size > 0):
        return values
    with np.errstate(over="ignore"):  # of models that diverged
        # 0.0 is added because -0.0 has other bytes.
        return np.round(values, DIGITS - 1 - math.floor(math.log10(size))) + 0.0


def coarse(values: np.ndarray) -> np.ndarray:
    """Return each value with 16 bits of its mantissa: a relative change below 1e-5.

    For the solution of a nearly singular system, whose tenth digit is the processor's.
    """
    mantissa, exponent = np.frexp(values)
    return np.ldexp(np.rint(mantissa * 2**16) / 2**16, exponent)


def significant(figures: Any) -> Any:
    """Return a figure, or a list or dict of them, with each number that has a point to DIGITS significant digits."""
    if isinstance(figures, dict):
        return {name: significant(each) for name, each in figures.items()}
    if isinstance(figures, list | tuple):
        return type(figures)(significant(each) for each in figures)
    return float(f"{figures:.{DIGITS}g}") if isinstance(figures, float) else figures


def power_of_ten_above(value: float, size: float) -> float:
    """Return the lowest power of ten that is at least the value, and at least 10^-DIGITS of the size that its errors
    are a share of; 0 where both are 0."""
    least = max(value, size / 10**DIGITS)
    return float(f"1e{math.ceil(math.log10(least))}") if least > 0 else 0.0
