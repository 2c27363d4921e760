"""Exact medians of a table in parts: radix selection, 16 bits a pass.

Float64 values become whole numbers of the same order. Each of four passes over the parts counts the next 16 bits of
the values that begin as the wanted one does, so that no part is sorted and none is kept.
"""

from collections.abc import Callable

import numpy as np

PASSES = 4
_BITS = 16
_DIGITS = 1 << _BITS
_SIGN = np.uint64(1 << 63)

# The counts of one column: the beginning of a value -> how many values of each group [groups, digits] follow it with
# which next digit, as the places of the counts that are not 0 in the flat array, and these counts.
Counts = dict[int, tuple[np.ndarray, np.ndarray]]


def count(values: np.ndarray, group: np.ndarray, beginnings: list[set[int]], level: int) -> list[Counts]:
    """What one part of the table adds to pass `level` (0 to 3): `values` [rows, columns], NaN for missing, of the rows'
    groups 0, 1, ...; `beginnings` of each column are those to look at."""
    found = []
    for column, wanted in zip(values.T, beginnings, strict=True):
        known = ~np.isnan(column)
        key, mine = _keys(column[known]), group[known]
        digit = (key >> np.uint64(_BITS * (PASSES - 1 - level))).astype(np.int64) & (_DIGITS - 1)
        begins = key >> np.uint64(_BITS * (PASSES - level)) if level else np.zeros_like(key)
        counts: Counts = {}
        for beginning in wanted:
            here = begins == np.uint64(beginning)
            counts[beginning] = _counted(mine[here] * _DIGITS + digit[here])
        found.append(counts)
    return found


def medians(
    passes: Callable[[list[set[int]], int], list[list[Counts]]], columns: int, groups: int, sets: list[np.ndarray]
) -> np.ndarray:
    """The median [sets, columns] of each column over each set of groups; NaN where a set has no value.

    `passes(beginnings, level)` gives what `count` says of every part. The median of an even number of values is the
    mean of the two in the middle, as NumPy has it.
    """
    # Of the lower and the upper middle value of each set and column: how it begins, and how many values that begin so
    # are before it.
    begins = np.zeros((2, len(sets), columns), dtype=np.uint64)
    before = np.zeros(begins.shape, dtype=np.int64)
    known = np.ones(begins.shape[1:], dtype=bool)
    for level in range(PASSES):
        wanted = [set(begins[:, :, column].ravel().tolist()) for column in range(columns)]
        parts = passes(wanted, level)
        longer = begins.copy()
        for column, beginning in [(place, each) for place, begin in enumerate(wanted) for each in begin]:
            digits, counts = _merged([part[column][beginning] for part in parts], groups)
            for place, members in enumerate(sets):
                upto = np.cumsum(counts[members].sum(axis=0))
                if level == 0:
                    values = int(counts[members].sum())
                    before[:, place, column] = (values - 1) // 2, values // 2
                    known[place, column] = values > 0
                for middle in (0, 1):
                    at = middle, place, column
                    if known[place, column] and begins[at] == beginning:
                        digit = int(np.searchsorted(upto, before[at], side="right"))
                        before[at] -= upto[digit - 1] if digit else 0
                        longer[at] = (beginning << _BITS) + int(digits[digit])
        begins = longer
    return np.where(known, _values(begins).mean(axis=0), np.nan)


def _counted(places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The places that occur, ascending, and how often; many are quicker counted than sorted."""
    if places.size < _DIGITS:
        return np.unique(places, return_counts=True)
    counts = np.bincount(places)
    occur = np.flatnonzero(counts)
    return occur, counts[occur]


def _merged(parts: list[tuple[np.ndarray, np.ndarray]], groups: int) -> tuple[np.ndarray, np.ndarray]:
    """The digits that occur, in order, and how often in each group [groups, digits]."""
    places, counts = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    digits, column = np.unique(places % _DIGITS, return_inverse=True)
    merged = np.zeros((groups, len(digits)), dtype=np.int64)
    np.add.at(merged, (places // _DIGITS, column), counts)
    return digits, merged


def _keys(values: np.ndarray) -> np.ndarray:
    """Whole numbers in the order of the values: of a negative one all bits turn, of another the sign."""
    bits = (values + 0.0).view(np.uint64)  # -0.0 + 0.0 is 0.0
    return np.where(bits & _SIGN, ~bits, bits | _SIGN)


def _values(keys: np.ndarray) -> np.ndarray:
    return np.where(keys & _SIGN, keys & ~_SIGN, ~keys).view(np.float64)
