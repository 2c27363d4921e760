"""Sums that are the same in any order and over any parts: whole numbers in place of floats."""

import numpy as np

UNIT = 1126  # a total counts 2^-UNIT, of which every finite float64 is a multiple
GRID = 41  # bits of a grid value, which is at most 2^GRID in size
_HALF = 21  # bits of the lower half of a grid value
_LIMB = 2 * _HALF  # bits of a limb of a sum of products
# The halves are at most 2^20 in size, so a sum of this many products of them stays below 2^53: exact in float64.
_BLOCK_ROWS = 2**13
_BLOCKS = 2**8  # and this many of those sums at most 2^61: exact in int64


def total(values: np.ndarray) -> int:
    """The exact sum of finite float64 values [n], n below 2^26, in units of 2^-UNIT."""
    fraction, exponent = np.frexp(values)
    mantissa = np.ldexp(fraction, 53).astype(np.int64)
    powers, place = np.unique(exponent, return_inverse=True)
    # In halves, for the float64 that bincount adds up holds whole numbers up to 2^53.
    high, low = (np.bincount(place, half, len(powers)) for half in (mantissa >> 26, mantissa & (2**26 - 1)))
    sums = zip(powers.tolist(), high.tolist(), low.tolist(), strict=True)
    return sum(((int(above) << 26) + int(below)) << (power - 53 + UNIT) for power, above, below in sums)


def value(exact_total: int) -> float:
    """The float64 nearest to a `total`."""
    return exact_total / (1 << UNIT)


def products(grid: np.ndarray) -> np.ndarray:
    """`grid.T @ grid` of int64 values [rows, columns] of at most 2^GRID, as limbs [3, columns, columns], which add up:
    the sum of up to 2^20 of them is exact."""
    columns = grid.shape[1]
    limbs = np.zeros((3, columns, columns), dtype=np.int64)
    step = _BLOCK_ROWS * _BLOCKS
    for start in range(0, len(grid), step):
        limbs += _products(grid[start : start + step])
    return limbs


def whole(limbs: np.ndarray) -> np.ndarray:
    """The products that limbs stand for, as Python's ints."""
    low, middle, high = limbs.astype(object)
    together: np.ndarray = (high << 2 * _LIMB) + (middle << _LIMB) + low
    return together


def _products(grid: np.ndarray) -> np.ndarray:
    columns = grid.shape[1]
    both, mixed, lower = (np.zeros((columns, columns), dtype=np.int64) for _ in range(3))
    for start in range(0, len(grid), _BLOCK_ROWS):
        block = grid[start : start + _BLOCK_ROWS]
        rounded = (block + (1 << (_HALF - 1))) >> _HALF
        high, low = rounded.astype(float), (block - (rounded << _HALF)).astype(float)
        both += (high.T @ high).astype(np.int64)
        mixed += (high.T @ low).astype(np.int64)
        lower += (low.T @ low).astype(np.int64)
    # both 2^42 + sides 2^21 + lower, of which the lower limbs are from 0 to 2^42.
    sides = mixed + mixed.T
    lowest = ((sides & ((1 << _HALF) - 1)) << _HALF) + (lower & ((1 << _LIMB) - 1))
    middle = both + (sides >> _HALF) + (lower >> _LIMB) + (lowest >> _LIMB)
    return np.stack([lowest & ((1 << _LIMB) - 1), middle & ((1 << _LIMB) - 1), middle >> _LIMB])
