"""Numbers as text for people: every figure on a page, in a message or on a terminal is written here."""

import math

# Significant digits: the intervals of a metric on a few hundred rows are wider than the fourth.
DIGITS = 4
# Outside of these powers of ten, a number is easier to read with an exponent.
SMALLEST, LARGEST = -7, 15


def figure(value: float | None, digits: int = DIGITS) -> str:
    """Return a measured number with this number of significant digits: `2.500`, `0.001230`, `243,500`.

    None and a number that is not finite are `not defined`.
    """
    if value is None or not math.isfinite(value):
        return "not defined"
    if value == 0:
        return "0"
    rounded = float(f"{value:.{digits - 1}e}")
    if not _is_written_out(rounded):
        return f"{value:.{digits - 1}e}"
    return f"{rounded:,.{_decimals(rounded, digits)}f}"


def plain(value: float, digits: int = 6, spread: float = 0) -> str:
    """Return a value of a column as people type it: `0.26169`, `18`, `20210315`.

    It has the whole part in full, no closing zeros after the point, and `digits` significant ones at most, or as many
    as tell values with this standard deviation apart.
    """
    if value == 0:
        return "0"
    if not _is_written_out(value):
        return f"{value:.{digits}g}"
    places = max(_decimals(value, digits), decimals(spread) if spread else 0)
    text = f"{value:.{places}f}"
    return text.rstrip("0").removesuffix(".") if "." in text else text


def share(value: float, digits: int = 1) -> str:
    """Return a share or a relative change as a percentage: `12.3%`; `not defined` where it is not finite."""
    return f"{value:.{digits}%}" if math.isfinite(value) else "not defined"


def change(value: float) -> str:
    """Return a relative change with its sign: `+12.3%`; `not defined` where it is not finite."""
    return f"{value:+.1%}" if math.isfinite(value) else "not defined"


def decimals(spread: float) -> int:
    """Return how many digits after the point matter for a value with this standard deviation."""
    return _decimals(spread, 3) if spread > 0 else 2


def _is_written_out(value: float) -> bool:
    return SMALLEST <= _power(value) < LARGEST


def _decimals(value: float, digits: int) -> int:
    return max(0, digits - 1 - _power(value))


def _power(value: float) -> int:
    """Return the power of ten of the first significant digit."""
    return math.floor(math.log10(abs(value)))
