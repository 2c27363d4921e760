"""Windows of live rows, in the order of time or all rows as one, and the share of alpha that each may spend.

Windows begin and end at fixed numbers of rows. Rows that come later therefore change no earlier window, and judging the
same rows again costs nothing. Sizes double every eight windows: the first ones find a sudden change soon, the later
ones find a small one, and there are few of them however long the service runs.
"""

import itertools
import math
from typing import NamedTuple

import numpy as np
import pandas as pd

from pipeline.contract.schema import Schema
from pipeline.drift import live_rows, sketch
from pipeline.drift.live_rows import Live
from pipeline.drift.sketch import Anchor, Predict, Sketch

EQUAL = 8  # windows of each size


class Window(NamedTuple):
    """Live rows that are judged together, the share of alpha for their tests, and the moments of the first and of the
    last row, which are empty without a time."""

    sketch: Sketch
    share: float = 1.0
    first: str = ""
    last: str = ""


class Windows(NamedTuple):
    """All live rows. `windows`: the complete ones, in order. `rest`: the rows that do not fill a window yet. `rows`
    counts all, `untimed` those without a moment, which are in no window. `timed`: whether the rows have a time.
    `fault`: why the rows are judged without the time that they have, for people; else empty."""

    windows: list[Window]
    rest: Sketch | None
    rows: int
    untimed: int
    timed: bool
    fault: str = ""


def read(
    rows: Live, anchors: tuple[Anchor, ...], schema: Schema, window: int, least: int, predict: Predict | None = None
) -> Windows:
    """Read the live rows into windows: eight of `window` rows, eight of twice as many, and so on.

    Each row is read once, or twice where it has a time: first its moment alone. Without a time, and where a cell of it
    cannot be read, all rows are one window, complete from `least` rows on. `predict` makes the predictions of the rows
    that the sketches sample.
    """
    time = live_rows.time_column(rows.columns, schema, rows.absent)
    found = live_rows.moments(rows, time) if time else None
    if time is None or found is None or found.fault:
        whole = _sketches(rows, anchors, schema, None, []).get(0)
        fault = found.fault if found else ""
        if whole is None or whole.rows < least:
            return Windows([], None, whole.rows if whole else 0, 0, False, fault)
        return Windows([Window(whole.predicted(predict))], None, whole.rows, 0, False, fault)
    moments = found.values
    places = order(moments)
    known = np.sort(moments[places >= 0])
    ends = _ends(len(known), window)
    sketches = {k: each.predicted(predict) for k, each in _sketches(rows, anchors, schema, places, ends).items()}
    complete = [
        Window(sketches[k], share(k + 1), live_rows.shown(known[start]), live_rows.shown(known[end - 1]))
        for k, (start, end) in enumerate(itertools.pairwise([0, *ends]))
    ]
    return Windows(complete, sketches.get(len(ends)), len(moments), len(moments) - len(known), True)


def share(number: int) -> float:
    """Return the share of alpha for window k = 1, 2, ...: 1 / log2(k + 1) - 1 / log2(k + 2).

    The shares of all windows add up to 1. By the union bound any number of windows raises a false alarm with
    probability alpha at most.
    """
    return 1 / math.log2(number + 1) - 1 / math.log2(number + 2)


def order(moments: np.ndarray) -> np.ndarray:
    """Number the rows [rows] in the order of time, those of one moment as they came; -1 without a moment."""
    places = np.empty(len(moments), dtype=np.int64)
    places[np.argsort(moments, kind="stable")] = np.arange(len(moments))  # NaN and NaT come last
    return np.where(pd.isna(moments), -1, places)


def _ends(rows: int, window: int) -> list[int]:
    """Return the ends of the complete windows: row numbers in the order of time, exclusive."""
    sizes = (window * 2 ** (k // EQUAL) for k in itertools.count())
    return list(itertools.takewhile(lambda end: end <= rows, itertools.accumulate(sizes)))


def _sketches(
    rows: Live, anchors: tuple[Anchor, ...], schema: Schema, places: np.ndarray | None, ends: list[int]
) -> dict[int, Sketch]:
    """Sketch each window that has a row. `places`: of each row in the order of time, -1 to leave it out."""
    sketches: dict[int, Sketch] = {}
    start = 0
    for batch in rows.batches():
        own = np.arange(start, start + len(batch)) if places is None else places[start : start + len(batch)]
        start += len(batch)
        window = np.where(own < 0, -1, np.searchsorted(ends, own, side="right"))
        for k in np.unique(window[window >= 0]).tolist():
            here = window == k
            part = sketch.take(batch if here.all() else batch[here], own[here], anchors, schema)
            sketches[k] = sketches[k] + part if k in sketches else part
    return sketches
