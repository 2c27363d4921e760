"""A CSV file to text cells, strictly: what is no table is an error that says what it is instead."""

import codecs
import csv
import re
from collections.abc import Collection, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.csv

from stages.errors import PipelineError

_BLOCK = 2**20  # bytes
_LONGEST_NAME = 1000  # characters; a longer one is the rest of the file behind a quote that nobody closed
_PARSE = pa.csv.ParseOptions(newlines_in_values=True)
_WIDE = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


def read(path: Path) -> pa.Table:
    """Every cell as text under the names of the header, an empty cell as empty text.

    Takes commas, UTF-8 with or without a byte-order mark, LF or CRLF, quoted cells with line ends in them, blank lines.
    Raises PipelineError for anything else, and for rows that have more or fewer cells than the header.
    """
    names = _names(path)
    # Cells are read as text: a column that looks like numbers in its first rows must not decide for the rest.
    text = pa.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False)
    try:
        table = pa.csv.read_csv(path, parse_options=_PARSE, convert_options=text)
    except pa.ArrowInvalid:
        table = _read_again(path, text)
    return table.rename_columns([name.strip() for name in names])


def batches(path: Path, wanted: Collection[str]) -> Iterator[pa.Table]:
    """The same cells of the columns `wanted`, in parts of about a megabyte: a file may be larger than memory."""
    text = pa.csv.ConvertOptions(
        column_types=dict.fromkeys(names := _names(path), pa.string()),
        strings_can_be_null=False,
        include_columns=[name for name in names if name.strip() in wanted],
    )
    try:
        with pa.csv.open_csv(path, parse_options=_PARSE, convert_options=text) as reader:
            for batch in reader:
                table = pa.Table.from_batches([batch])
                yield table.rename_columns([name.strip() for name in table.column_names])
    except pa.ArrowInvalid:
        _read_again(path, text)
        raise


def columns(path: Path) -> list[str]:
    """The names of the columns, with the errors of `read`."""
    return [name.strip() for name in _names(path)]


def _names(path: Path) -> list[str]:
    encoding(path)
    return _header(path)


def encoding(path: Path) -> str:
    """`utf-8`, or `utf-8-sig` with a byte-order mark; the whole file is decoded, block by block.

    Raises PipelineError for an empty file, other encodings, binary data and HTML.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    line = 1
    with path.open("rb") as file:
        first = block = file.read(_BLOCK)
        _check_start(first, path)
        while block:
            following = file.read(_BLOCK)
            try:
                line += decoder.decode(block, final=not following).count("\n")
            except UnicodeDecodeError as error:
                line += error.object[: error.start].count(b"\n")
                raise PipelineError(
                    f"{path} is not UTF-8: byte 0x{error.object[error.start]:02x} in line {line} "
                    f"(Latin-1 or Windows-1252?); convert it: iconv -f WINDOWS-1252 -t UTF-8"
                ) from None
            block = following
    return "utf-8-sig" if first.startswith(codecs.BOM_UTF8) else "utf-8"


def _check_start(first: bytes, path: Path) -> None:
    for mark, name in _WIDE.items():
        if first.startswith(mark):
            raise PipelineError(f"{path} is {name}, expected UTF-8; convert it: iconv -f {name} -t UTF-8")
    if b"\0" in first:
        raise PipelineError(f"{path} holds NUL bytes: it is binary (or UTF-16 without a mark), expected text in UTF-8")
    start = first.removeprefix(codecs.BOM_UTF8).strip()
    if not start:
        raise PipelineError(f"{path} is empty: expected a header line and rows")
    if re.match(rb"<(!doctype|html|\?xml|head|body)", start, re.IGNORECASE):
        raise PipelineError(f"{path} is an HTML or XML page, no table: a download that failed? Fetch the file again")


def _header(path: Path) -> list[str]:
    """The names as they stand, which differ from each other beyond spaces around them."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            names = next(row for row in csv.reader(file) if row)
        except csv.Error:  # a cell of over 128 KiB
            names = [""]
    if not all(len(name) <= _LONGEST_NAME for name in names) or names == [""]:
        raise PipelineError(f"{path} has no readable header: is a quote in it left open?")
    for separator, word in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if len(names) == 1 and separator in names[0]:
            raise PipelineError(f"{path} is separated by {word}, expected commas: save it again with commas")
    plain = [name.strip() for name in names]
    if repeated := sorted({name for name in plain if plain.count(name) > 1}):
        shown = ", ".join(repr(name) for name in repeated)
        raise PipelineError(f"{path}: the header names {shown} more than once; rename or remove one")
    return names


def _read_again(path: Path, text: pa.csv.ConvertOptions) -> pa.Table:
    """On one thread, for only then pyarrow says which row is at fault."""
    one = pa.csv.ReadOptions(use_threads=False)
    try:
        return pa.csv.read_csv(path, one, parse_options=_PARSE, convert_options=text)
    except pa.ArrowInvalid as error:
        raise PipelineError(
            f"{path} is no table: {_reason(error)}; every row needs as many cells as the header"
        ) from None


def _reason(error: Exception) -> str:
    message = " ".join(str(error).split()).removeprefix("CSV parse error: ")
    if found := re.match(r"Row #(\d+): Expected (\d+) columns, got (\d+)", message):
        row, expected, got = found.groups()
        # Quoted line ends and blank lines make rows differ from lines, so this names the row for what it is.
        return f"row {row} (the header is row 1) has {got} cells, expected {expected}"
    return message[:200]
