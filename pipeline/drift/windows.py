"""Windows of live rows: all rows as one, or in the order of time, each as a sketch."""

from typing import NamedTuple

import numpy as np

from pipeline.contract.schema import Schema
from pipeline.drift import alpha_spending, live_rows, sketch
from pipeline.drift.live_rows import Live
from pipeline.drift.sketch import Anchor, Sketch


class Window(NamedTuple):
    """Live rows that are judged together. `first` and `last`: their moments, empty without a time."""

    sketch: Sketch
    first: str = ""
    last: str = ""


class Windows(NamedTuple):
    """All live rows. `windows`: the complete ones, in order. `rest`: the rows that do not fill a window yet. `rows`
    counts all, `untimed` those without a moment, which are in no window. `timed`: whether the rows have a time."""

    windows: list[Window]
    rest: Sketch | None
    rows: int
    untimed: int
    timed: bool


def read(rows: Live, anchors: tuple[Anchor, ...], schema: Schema, window: int, least: int) -> Windows:
    """Read the live rows into windows of `window` rows and more (`alpha_spending.sizes`).

    Each row is read once, or twice where it has a time: first its moment alone. Without a time all rows are one window,
    complete from `least` rows on.
    """
    time = live_rows.time_column(rows.columns, schema)
    if time is None:
        whole = _sketches(rows, anchors, schema, None, []).get(0)
        total = whole.rows if whole else 0
        return (
            Windows([Window(whole)], None, total, 0, False)
            if whole and total >= least
            else Windows([], whole, total, 0, False)
        )
    moments = live_rows.moments(rows, time)
    number = alpha_spending.order(moments)
    known = np.sort(moments[number >= 0])
    ends = alpha_spending.ends(len(known), window)
    parts = _sketches(rows, anchors, schema, number, ends)
    starts = [0, *ends[:-1]]
    spans = [
        (live_rows.shown(known[start]), live_rows.shown(known[end - 1]))
        for start, end in zip(starts, ends, strict=False)
    ]
    found = [Window(parts[place], *span) for place, span in enumerate(spans)]
    return Windows(found, parts.get(len(ends)), len(moments), len(moments) - len(known), True)


def _sketches(
    rows: Live, anchors: tuple[Anchor, ...], schema: Schema, number: np.ndarray | None, ends: list[int]
) -> dict[int, Sketch]:
    """A sketch for each window that has a row. `number`: of each row in the order of time, -1 to leave it out."""
    found: dict[int, Sketch] = {}
    start = 0
    for batch in rows.batches():
        own = np.arange(start, start + len(batch)) if number is None else number[start : start + len(batch)]
        start += len(batch)
        window = np.where(own < 0, -1, np.searchsorted(ends, own, side="right"))
        for place in np.unique(window[window >= 0]).tolist():
            here = window == place
            part = batch if here.all() else batch[here]
            taken = sketch.take(part, own[here], anchors, schema)
            found[place] = found[place] + taken if place in found else taken
    return found
