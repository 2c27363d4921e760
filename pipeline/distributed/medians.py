"""Exact medians of a table in parts: radix selection.

Float64 values become whole numbers of the same order. A pass over the parts counts by their next 16 bits the values
that begin as the wanted one does, so that no part is sorted and none is kept. Where few values are left, as mostly
after the first pass, it counts by all their bits, and is the last.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

_STEP = 16  # bits
_FEW = 2**17  # values of a column
_SIGN = np.int64(-(2**63))

# Of one column: the beginning of a value -> how many values of each group follow it with which bits, as the places
# (group << bits | next bits) that occur, ascending, and how often.
Counts = dict[int, tuple[np.ndarray, np.ndarray]]


class Look(NamedTuple):
    """What a pass counts of a column: the next `bits` of values whose first `known` bits are one of `beginnings`."""

    beginnings: frozenset[int]
    known: int
    bits: int


FIRST = Look(frozenset({0}), 0, _STEP)


def count(columns: Iterable[np.ndarray], group: np.ndarray, looks: list[Look]) -> list[Counts]:
    """What one part of the table adds to a pass: float64 `columns`, each [rows], NaN for missing, of the rows' groups
    0, 1, ... (below 2^15)."""
    return [_count(column, group, look) for column, look in zip(columns, looks, strict=True)]


def add(some: list[Counts], more: list[Counts]) -> list[Counts]:
    """The counts of two parts together."""
    return [
        {beginning: _sum(counts[beginning], others[beginning]) for beginning in counts}
        for counts, others in zip(some, more, strict=True)
    ]


def medians(
    first: list[Counts], passes: Callable[[list[Look]], list[Counts]], groups: int, sets: list[np.ndarray]
) -> np.ndarray:
    """The median [sets, columns] of each column over each set of groups; NaN where a set has no value.

    `first` is what `count` says of all parts with a FIRST for each column; `passes(looks)` what it says of others. The
    median of an even number of values is the mean of the two in the middle, as NumPy has it.
    """
    columns = [_Column(sets, groups) for _ in first]
    found = first
    while True:
        for column, counts in zip(columns, found, strict=True):
            column.learn(counts)
        looks = [column.look for column in columns]
        if not any(look.beginnings for look in looks):
            return np.column_stack([column.median for column in columns])
        found = passes(looks)


class _Column:
    """What is known of the lower and the upper middle value of each set: how it `begins`, and how many values that
    begin so are `before` it (-1: the set has no value); and what to `look` at next."""

    def __init__(self, sets: list[np.ndarray], groups: int) -> None:
        self.sets, self.groups, self.look = sets, groups, FIRST
        self.begins = np.zeros((len(sets), 2), dtype=np.uint64)
        self.before = np.full((len(sets), 2), -1)

    def learn(self, counts: Counts) -> None:
        longer, left = self.begins.copy(), 0
        for beginning, found in counts.items():
            follow, by_group = _by_group(found, self.look.bits, self.groups)
            for place, members in enumerate(self.sets):
                upto = np.cumsum(by_group[members].sum(axis=0))
                if self.look is FIRST and upto.size and upto[-1]:
                    self.before[place] = (upto[-1] - 1) // 2, upto[-1] // 2
                for at in ((place, 0), (place, 1)):
                    if self.before[at] >= 0 and self.begins[at] == beginning:
                        next_ = int(np.searchsorted(upto, self.before[at], side="right"))
                        self.before[at] -= upto[next_ - 1] if next_ else 0
                        longer[at] = (beginning << self.look.bits) | int(follow[next_])
                        left = max(left, int(by_group[:, next_].sum()))
        self.begins, known = longer, self.look.known + self.look.bits
        wanted = self.begins[self.before >= 0].tolist() if known < 64 else []
        self.look = Look(frozenset(wanted), known, 64 - known if left <= _FEW else _STEP)

    @property
    def median(self) -> np.ndarray:
        return np.where(self.before[:, 0] >= 0, _values(self.begins).mean(axis=1), np.nan)


def _count(column: np.ndarray, group: np.ndarray, look: Look) -> Counts:
    if not look.beginnings:
        return {}
    there = ~np.isnan(column)
    key = _keys(column[there])
    mine = group[there].astype(np.int64) << look.bits
    follow = (key >> np.uint64(64 - look.known - look.bits)).view(np.int64) & ((1 << look.bits) - 1)
    if not look.known:
        return {0: _occurring(mine | follow, look.bits)}
    begin, counts = key >> np.uint64(64 - look.known), {}
    for beginning in look.beginnings:
        here = np.flatnonzero(begin == np.uint64(beginning))
        counts[beginning] = _occurring(mine[here] | follow[here], look.bits)
    return counts


def _occurring(places: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """The places that occur, ascending, and how often; many are quicker counted than sorted."""
    if bits > _STEP or places.size < 1 << bits:
        return np.unique(places, return_counts=True)
    counts = np.bincount(places)
    occur = np.flatnonzero(counts)
    return occur, counts[occur]


def _sum(some: tuple[np.ndarray, np.ndarray], more: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    places, where = np.unique(np.concatenate([some[0], more[0]]), return_inverse=True)
    counts = np.zeros(len(places), dtype=np.int64)
    np.add.at(counts, where, np.concatenate([some[1], more[1]]))
    return places, counts


def _by_group(found: tuple[np.ndarray, np.ndarray], bits: int, groups: int) -> tuple[np.ndarray, np.ndarray]:
    """The next bits that occur, in order, and how often in each group [groups, next bits]."""
    places, counts = found
    follow, column = np.unique(places & ((1 << bits) - 1), return_inverse=True)
    by_group = np.zeros((groups, len(follow)), dtype=np.int64)
    by_group[places >> bits, column] = counts
    return follow, by_group


def _keys(values: np.ndarray) -> np.ndarray:
    """Whole numbers in the order of the values: of a negative one all bits turn, of another the sign."""
    bits = (values + 0.0).view(np.int64)  # -0.0 + 0.0 is 0.0
    return (bits ^ ((bits >> 63) | _SIGN)).view(np.uint64)


def _values(keys: np.ndarray) -> np.ndarray:
    sign = np.uint64(1 << 63)
    return np.where(keys & sign, keys & ~sign, ~keys).view(np.float64)
