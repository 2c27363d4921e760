"""Windows of live rows in the order of time, and the share of alpha that each may spend.

Windows begin and end at fixed numbers of rows. Rows that come later therefore change no earlier window, and judging the
same rows again costs nothing. Sizes double every eight windows: the first ones find a sudden change soon, the later
ones find a small one, and there are few of them however long the service runs.
"""

import math
from collections.abc import Iterator

import numpy as np

EQUAL = 8  # windows of each size


def sizes(window: int) -> Iterator[int]:
    """The rows of window 1, 2, ...: eight windows of `window` rows, eight of twice as many, and so on."""
    size = window
    while True:
        yield from (size for _ in range(EQUAL))
        size *= 2


def ends(rows: int, window: int) -> list[int]:
    """The ends of the complete windows of `rows` rows: row numbers in the order of time, exclusive."""
    found: list[int] = []
    end = 0
    for size in sizes(window):
        end += size
        if end > rows:
            return found
        found.append(end)
    return found


def share(window: int) -> float:
    """The share of alpha for window k = 1, 2, ...: 1 / log2(k + 1) - 1 / log2(k + 2), about 0.7 / (k log(k)^2).

    The shares of the first k windows sum to 1 - 1 / log2(k + 2), and those of all windows to exactly 1. By the union
    bound any number of windows raises a false alarm with probability alpha at most.
    """
    return 1 / math.log2(window + 1) - 1 / math.log2(window + 2)


def order(moments: np.ndarray) -> np.ndarray:
    """Number the rows [rows] in the order of time; -1 for rows without a moment (NaN, or the smallest integer for NaT).
    Rows of one moment keep the order in which they were read."""
    missing = np.isnan(moments) if moments.dtype.kind == "f" else moments == np.iinfo(np.int64).min
    place = np.full(len(moments), -1, dtype=np.int64)
    ranked = np.flatnonzero(~missing)[np.argsort(moments[~missing], kind="stable")]
    place[ranked] = np.arange(len(ranked))
    return place
