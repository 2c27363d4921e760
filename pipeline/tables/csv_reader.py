"""A CSV file to text cells, strictly: what is no table is an error that says what it is instead."""

import codecs
import io
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv

from pipeline.contract.errors import PipelineError
from pipeline.tables import csv_checks
from pipeline.tables.csv_checks import header
from pipeline.tables.sources import Source, open_source

_COLUMN = 2**15  # bytes of a block for each column, about 4,000 cells
_PARSE = pa.csv.ParseOptions(newlines_in_values=True)


def read(path: Source) -> pa.Table:
    """Every cell as text under the names of the header, an empty cell as empty text.

    Takes commas, UTF-8 with or without a byte-order mark, LF or CRLF, quoted cells with line ends in them, blank lines.
    Raises PipelineError for anything else, and for rows that have more or fewer cells than the header.
    """
    names = header(path)
    with open_source(path) as file:
        try:
            return parse(file, names)
        except pa.ArrowInvalid:
            csv_checks.encoding(path)  # says where other bytes than UTF-8 are, which pyarrow refuses too
            file.seek(0)
            return parse_again(file, names, pa.csv.ReadOptions(), path)


def parse(content: Any, names: list[str], options: pa.csv.ReadOptions | None = None) -> pa.Table:
    """The cells of bytes or of an open file, which has these names as its header unless the options have them."""
    source = pa.BufferReader(content) if isinstance(content, bytes) else content
    table = pa.csv.read_csv(source, options, parse_options=_PARSE, convert_options=_text(names))
    return table.rename_columns([name.strip() for name in names])


def parse_again(content: Any, names: list[str], options: pa.csv.ReadOptions, path: Source, before: int = 0) -> pa.Table:
    """On one thread, for only then pyarrow says which row is at fault; `before`: the rows before these.

    Raises PipelineError for what `parse` refused.
    """
    options.use_threads = False
    try:
        return parse(content, names, options)
    except pa.ArrowInvalid as error:
        raise PipelineError(
            f"{path} is no table: {_reason(error, before)}; every row needs as many cells as the header"
        ) from None


def _text(names: list[str], wanted: list[str] | None = None) -> pa.csv.ConvertOptions:
    # Cells are read as text: a column that looks like numbers in its first rows must not decide for the rest.
    types = dict.fromkeys(names, pa.string())
    return pa.csv.ConvertOptions(column_types=types, strings_can_be_null=False, include_columns=wanted)


def batches(path: Source, wanted: Collection[str]) -> Iterator[pa.Table]:
    """The same cells of the columns `wanted`, in parts of a few megabytes: a file may be larger than memory."""
    csv_checks.encoding(path)
    names = csv_checks.read_names(path)
    # Many columns: as many rows at a time as of few, for each column takes its time however short it is.
    block = max(csv_checks.BLOCK, _COLUMN * len(names))
    text = _text(names, [name for name in names if name.strip() in wanted])
    # Arrow reads ahead in a thread, which is still at it now and then when the process ends. With a file of Python's it
    # then wants Python's lock, and the process aborts (apache/arrow#34314); of a local file Arrow has one of its own.
    with pa.OSFile(str(path)) if isinstance(path, Path) else open_source(path) as file:
        try:
            options = pa.csv.ReadOptions(block_size=block)
            with pa.csv.open_csv(file, options, parse_options=_PARSE, convert_options=text) as reader:
                for batch in reader:
                    table = pa.Table.from_batches([batch])
                    yield table.rename_columns([name.strip() for name in table.column_names])
        except pa.ArrowInvalid:
            with open_source(path) as again:
                parse_again(again, names, pa.csv.ReadOptions(), path)
            raise


def count(path: Source) -> int:
    """The rows, with the errors of `read`."""
    return sum(batch.num_rows for batch in batches(path, columns(path)[:1]))


def columns(path: Source) -> list[str]:
    """The names of the columns, with the errors of `read`."""
    csv_checks.encoding(path)
    return [name.strip() for name in csv_checks.read_names(path)]


def extent(path: Source) -> tuple[int, int]:
    """Where the text begins, after a byte-order mark, and where it ends, in bytes; with the errors of `header`."""
    header(path)
    with open_source(path) as file:
        start = len(codecs.BOM_UTF8) if file.read(3) == codecs.BOM_UTF8 else 0
        return start, file.seek(0, io.SEEK_END)


def _reason(error: Exception, before: int) -> str:
    message = " ".join(str(error).split()).removeprefix("CSV parse error: ")
    if found := re.match(r"Row #(\d+): Expected (\d+) columns, got (\d+)", message):
        row, expected, got = found.groups()
        # Quoted line ends and blank lines make rows differ from lines, so this names the row for what it is.
        return f"row {int(row) + before} (the header is row 1) has {got} cells, expected {expected}"
    return message[:200]
