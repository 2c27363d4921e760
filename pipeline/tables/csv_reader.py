"""A CSV file to text cells, in one pass over its bytes; a file that is no table is an error that says what it is."""

import codecs
import re
from collections.abc import Callable, Collection, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.csv

from pipeline.contract.errors import PipelineError
from pipeline.tables import csv_checks
from pipeline.tables.sources import Source, open_source

BLOCK = 2**22  # bytes that are parsed at a time
_BLOCK_OF_COLUMN = 2**15  # at least, for each column: an Arrow column costs the same time however short it is
_LONGEST_ROW = 2**24  # bytes
_LF, _CR, _QUOTE, _COMMA = b'\n\r",'


def columns(source: Source) -> list[str]:
    """Return the names of the columns; only the beginning of the file is read and checked."""
    with open_source(source) as file:
        return [name.strip() for name in csv_checks.header(file.read(csv_checks.START), source)]


def batches(
    source: Source, wanted: Collection[str] | None = None, seen: Callable[[bytes], object] | None = None
) -> Iterator[pa.Table]:
    """Yield the cells of all columns, or of those `wanted`, as text, a few megabytes of the file at a time.

    An empty cell is empty text. `seen` is called with the bytes of the file, block by block, in order.
    Accepts commas, UTF-8 with or without a byte-order mark, LF or CRLF, quoted cells with line ends, and blank lines.
    Raises PipelineError for anything else, and for a row that has more or fewer cells than the header.
    """
    with open_source(source) as file:
        block = file.read(csv_checks.START)
        names = csv_checks.header(block, source)
        size = max(BLOCK, _BLOCK_OF_COLUMN * len(names))
        data, line, row = block.removeprefix(codecs.BOM_UTF8), 1, 0
        while data:
            if seen:
                seen(block)
            block = file.read(size)
            end = _row_end(data) if block else len(data)
            if not end and len(data) > _LONGEST_ROW:
                raise PipelineError(
                    f"{source} is no table: no row ends in the {len(data):,} bytes from line {line} on; is a quote "
                    "left open, or do lines end with lone carriage returns?"
                )
            rows, data = data[:end], data[end:] + block
            csv_checks.check_text(rows, source, line)
            if rows.strip(b"\r\n"):  # Arrow takes no text of blank lines alone
                table = _parse(rows, names, wanted, source, row)
                yield table
                row = max(row, 1) + table.num_rows
            line += rows.count(b"\n")


def _parse(rows: bytes, names: list[str], wanted: Collection[str] | None, source: Source, row: int) -> pa.Table:
    """Parse whole rows; `row` is the number of the row before them: 0 before the header, which is row 1."""
    # On one thread: only then does Arrow say which row is at fault.
    reading = pa.csv.ReadOptions(use_threads=False, block_size=len(rows) + 1, column_names=names if row else None)
    # Cells are read as text: what a column looks like in its first rows must not decide for the others.
    converting = pa.csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()),
        strings_can_be_null=False,
        include_columns=names if wanted is None else [name for name in names if name.strip() in wanted],
    )
    parsing = pa.csv.ParseOptions(newlines_in_values=True)
    try:
        table = pa.csv.read_csv(pa.BufferReader(rows), reading, parsing, converting)
    except pa.ArrowInvalid as error:
        message = " ".join(str(error).split()).removeprefix("CSV parse error: ")[:200]
        if found := re.match(r"Row #(\d+): Expected (\d+) columns, got (\d+)", message):
            # Quoted line ends and blank lines make rows differ from lines, so the row is named and not the line.
            number, expected, got = map(int, found.groups())
            message = f"row {row + number} (the header is row 1) has {got} cells, expected {expected}"
        raise PipelineError(f"{source} is no table: {message}; every row needs as many cells as the header") from None
    return table.rename_columns([name.strip() for name in table.column_names])


def _row_end(data: bytes) -> int:
    """Return the place after the last row end in `data`, which begins where a row begins; 0 where there is none.

    A line end inside of a quoted cell ends no row. As in Arrow, a quote opens a cell only at the cell's beginning, and
    is text elsewhere, as in `5" pipe`.
    """
    if b'"' not in data:
        return data.rfind(b"\n") + 1
    text = np.frombuffer(data, np.uint8)
    quotes = np.flatnonzero(text == _QUOTE)
    opening = quotes[::2][quotes[::2] > 0]
    if not np.isin(text[opening - 1], [_LF, _CR, _COMMA, _QUOTE]).all():
        quotes = _without_text(data, quotes)
    line_ends = np.flatnonzero(text == _LF)
    row_ends = line_ends[np.searchsorted(quotes, line_ends) % 2 == 0]
    return int(row_ends[-1]) + 1 if row_ends.size else 0


def _without_text(data: bytes, quotes: np.ndarray) -> np.ndarray:
    """Return the places of those quotes that open or close a cell; a doubled quote in a cell closes and opens it."""
    kept: list[int] = []
    for place in quotes.tolist():
        is_inside = len(kept) % 2 == 1
        if is_inside or place == 0 or data[place - 1] in b",\r\n" or kept[-1:] == [place - 1]:
            kept.append(place)
    return np.array(kept, dtype=int)
