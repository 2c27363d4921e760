"""A CSV file in blocks that end where rows end, so that each can be read on its own: by position, not by reading on.

Whether a line end in the middle of a file ends a row depends on the quotes before it. Each block is scanned both ways,
as if it began outside and as if it began inside of a quoted cell; which of the two is true, the blocks before it say.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv

from pipeline.contract.errors import PipelineError
from pipeline.tables import csv_checks, csv_reader
from pipeline.tables.sources import Source, open_source

_LF, _CR, _QUOTE, _COMMA = b'\n\r",'


class Span(NamedTuple):
    """Bytes `start` to `stop` of a file."""

    source: Source
    start: int
    stop: int


class Ends(NamedTuple):
    """What ends in a span: `cut`, the place after its first row end (None without one), `rows`, and what is before the
    cut: `cut_rows` (1, or 0 for a blank line) and `cut_lines`. `stray`: a quote stands in the middle of a cell."""

    cut: int | None
    rows: int
    cut_rows: int
    cut_lines: int
    stray: bool


class Scan(NamedTuple):
    """Of one span: what ends if it begins outside, and if it begins inside of a quoted cell; whether it turns one into
    the other; its lines; whether something follows the last of them."""

    outside: Ends
    inside: Ends
    turns: bool
    lines: int
    more: bool


class Block(NamedTuple):
    """Whole rows: `first`, the number of the first in the file, from 0; `rows`; `line`, the first line. The first block
    holds the header too."""

    span: Span
    first: int
    rows: int
    line: int


def spans(source: Source, size: int) -> list[Span]:
    """The file in as few spans of at most `size` bytes as that takes, all of one length, wherever that falls: each is
    work for one worker, and the others wait for the longest."""
    start, stop = csv_reader.extent(source)
    number = -(-(stop - start) // size)
    edges = [start + (stop - start) * place // number for place in range(number + 1)]
    return [Span(source, *edge) for edge in pairwise(edges)]


def scan(span: Span) -> Scan:
    # Two bytes before the span tell whether its first line is blank.
    back = min(2, span.start)
    data = np.frombuffer(b"\n\n"[back:] + _bytes(span._replace(start=span.start - back)), np.uint8)
    ends = np.flatnonzero(data[2:] == _LF) + 2
    quotes = np.flatnonzero(data[2:] == _QUOTE) + 2
    odd = (np.searchsorted(quotes, ends) & 1).astype(bool)
    before = data[ends - 1]
    blank = (before == _LF) | ((before == _CR) & (data[ends - 2] == _LF))
    opened = ~np.isin(data[quotes - 1], [_COMMA, _LF, _CR, _QUOTE])

    def seen(inside: bool) -> Ends:
        here = np.flatnonzero(odd == inside)
        cut, cut_rows, cut_lines = None, 0, 0
        if here.size:
            cut, cut_rows, cut_lines = span.start + int(ends[here[0]]) - 1, int(not blank[here[0]]), int(here[0]) + 1
        return Ends(cut, int((~blank[here]).sum()), cut_rows, cut_lines, bool(opened[int(inside) :: 2].any()))

    return Scan(seen(False), seen(True), bool(quotes.size & 1), ends.size, bool(data[-1] != _LF))


def blocks(spans: list[Span], scans: list[Scan]) -> list[Block]:
    """The blocks of a file from the scans of its spans, in order.

    A file with a quote in the middle of a cell, where counting quotes says nothing, is one block.
    """
    whole = Span(spans[0].source, spans[0].start, spans[-1].stop)
    # The header is the row before row 0.
    starts, first, line, inside = [(whole.start, -1, 1)], -1, 1, False
    for span, scanned in zip(spans, scans, strict=True):
        found = scanned.inside if inside else scanned.outside
        if found.stray:
            return [Block(whole, 0, csv_reader.count(whole.source), 1)]
        row = first + found.cut_rows
        if found.cut is not None and span.start > whole.start and found.cut < whole.stop and row >= 0:
            starts.append((found.cut, row, line + found.cut_lines))
        first, line, inside = first + found.rows, line + scanned.lines, inside ^ scanned.turns
    stops = [*starts[1:], (whole.stop, first + scans[-1].more, line)]
    return [
        Block(Span(whole.source, start, stop), max(row, 0), after - max(row, 0), line)
        for (start, row, line), (stop, after, _) in zip(starts, stops, strict=True)
    ]


def read(block: Block) -> pa.Table:
    """The block's rows as `pipeline.tables.csv_reader.read` reads the file, with its errors."""
    names, content = csv_checks.header(block.span.source), _bytes(block.span)
    given = None if block.line == 1 else names
    if given and not block.rows:  # blank lines
        return pa.table({name.strip(): pa.array([], pa.string()) for name in names})
    try:
        table = csv_reader.parse(content, names, pa.csv.ReadOptions(column_names=given))
    except pa.ArrowInvalid:
        csv_checks.check_text(content, block.span.source, block.line)
        shift = block.first + 1 if given else 0
        table = csv_reader.parse_again(content, names, pa.csv.ReadOptions(column_names=given), block.span.source, shift)
    if table.num_rows != block.rows:
        raise PipelineError(
            f"{block.span.source} has a lone carriage return as a line end in row {block.first + 2} or later, expected "
            "LF or CRLF: save it again"
        )
    return table


def _bytes(span: Span) -> bytes:
    with open_source(span.source) as file:
        file.seek(span.start)
        return file.read(span.stop - span.start)
