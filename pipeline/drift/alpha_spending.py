"""Live rows in the order of time: which rows are judged together, and how much of alpha each look may spend.

Blocks begin and end at fixed counts of rows, so rows that come later change no block before them, and looking again at
what was already judged finds the same and costs nothing. Their sizes double every eight blocks: the first ones find a
sudden change soon, the later ones a small one at all, and there are few of them however long the service runs.
"""

import math
from collections.abc import Iterator

import numpy as np

EQUAL = 8  # blocks of each size


def sizes(window: int) -> Iterator[int]:
    """Rows of block 1, 2, ...: eight of `window` rows, eight of twice as many, and so on."""
    size = window
    while True:
        yield from (size for _ in range(EQUAL))
        size *= 2


def ends(rows: int, window: int) -> list[int]:
    """Where each complete block of `rows` rows ends: row numbers in the order of time, exclusive."""
    found: list[int] = []
    end = 0
    for size in sizes(window):
        end += size
        if end > rows:
            return found
        found.append(end)
    return found


def share(block: int) -> float:
    """Of alpha, for block 1, 2, ...: 1 / log2(k + 1) - 1 / log2(k + 2), about 0.7 / (k log(k)^2).

    The differences of a sequence that falls from 1 to 0: the shares of the first k blocks are 1 - 1 / log2(k + 2), and
    of all that can ever be together exactly 1. By the union bound no number of looks alarms with more than alpha.
    """
    return 1 / math.log2(block + 1) - 1 / math.log2(block + 2)


def order(moments: np.ndarray) -> np.ndarray:
    """The number of each row [rows] in the order of time, -1 for rows without one (NaT as the smallest integer, or
    NaN). Rows of one moment keep the order in which they were read."""
    missing = np.isnan(moments) if moments.dtype.kind == "f" else moments == np.iinfo(np.int64).min
    place = np.full(len(moments), -1, dtype=np.int64)
    ranked = np.flatnonzero(~missing)[np.argsort(moments[~missing], kind="stable")]
    place[ranked] = np.arange(len(ranked))
    return place
