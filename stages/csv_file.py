"""A CSV file to text cells, strictly: what is no table is an error that says what it is instead."""

import codecs
import csv
import io
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
from fsspec.core import url_to_fs

from stages.errors import PipelineError

Source = Path | str  # a file, or the URL of one that fsspec reads

_BLOCK = 2**20  # bytes
_COLUMN = 2**15  # bytes of a block for each column, about 4,000 cells
_LONGEST_NAME = 1000  # characters; a longer one is the rest of the file behind a quote that nobody closed
_PARSE = pa.csv.ParseOptions(newlines_in_values=True)
_WIDE = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


def read(path: Source) -> pa.Table:
    """Every cell as text under the names of the header, an empty cell as empty text.

    Takes commas, UTF-8 with or without a byte-order mark, LF or CRLF, quoted cells with line ends in them, blank lines.
    Raises PipelineError for anything else, and for rows that have more or fewer cells than the header.
    """
    names = header(path)
    with opened(path) as file:
        try:
            return parse(file, names)
        except pa.ArrowInvalid:
            encoding(path)  # says where other bytes than UTF-8 are, which pyarrow refuses too
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
    names = _names(path)
    # Many columns: as many rows at a time as of few, for each column takes its time however short it is.
    block = max(_BLOCK, _COLUMN * len(names))
    text = _text(names, [name for name in names if name.strip() in wanted])
    # Arrow reads ahead in a thread, which is still at it now and then when the process ends. With a file of Python's it
    # then wants Python's lock, and the process aborts (apache/arrow#34314); of a local file Arrow has one of its own.
    with pa.OSFile(str(path)) if isinstance(path, Path) else opened(path) as file:
        try:
            options = pa.csv.ReadOptions(block_size=block)
            with pa.csv.open_csv(file, options, parse_options=_PARSE, convert_options=text) as reader:
                for batch in reader:
                    table = pa.Table.from_batches([batch])
                    yield table.rename_columns([name.strip() for name in table.column_names])
        except pa.ArrowInvalid:
            with opened(path) as again:
                parse_again(again, names, pa.csv.ReadOptions(), path)
            raise


def count(path: Source) -> int:
    """The rows, with the errors of `read`."""
    return sum(batch.num_rows for batch in batches(path, columns(path)[:1]))


def columns(path: Source) -> list[str]:
    """The names of the columns, with the errors of `read`."""
    return [name.strip() for name in _names(path)]


def opened(path: Source) -> io.BufferedReader:
    """A file to read from, or what a URL names.

    Raises PipelineError where a URL cannot be opened.
    """
    if isinstance(path, Path):
        return path.open("rb")
    try:
        filesystem, name = url_to_fs(path)
        file: io.BufferedReader = filesystem.open(name, "rb")
    except ImportError as error:
        package = getattr(error.__cause__, "name", None) or error.name
        raise PipelineError(f"{path} cannot be opened: pip install {package}, also where Dask's workers run") from None
    except Exception as error:  # of the package behind the protocol: a network, an access right, a name
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise PipelineError(f"{path} cannot be opened ({reason}): correct data/raw/*.urls, or give access") from None
    return file


def extent(path: Source) -> tuple[int, int]:
    """Where the text begins, after a byte-order mark, and where it ends, in bytes; with the errors of `header`."""
    header(path)
    with opened(path) as file:
        start = len(codecs.BOM_UTF8) if file.read(3) == codecs.BOM_UTF8 else 0
        return start, file.seek(0, io.SEEK_END)


def header(path: Source) -> list[str]:
    """The names as they stand in the file; only its beginning is read."""
    with opened(path) as file:
        _check_start(file.read(_BLOCK), path)
    names = _header(path)
    check_text("".join(names).encode(errors="surrogateescape"), path, 1)
    return names


def check_text(content: bytes, path: Source, line: int) -> None:
    """Raises PipelineError where bytes that begin in that line are no UTF-8."""
    try:
        content.decode()
    except UnicodeDecodeError as error:
        raise PipelineError(_not_text(error, path, line)) from None


def _names(path: Source) -> list[str]:
    encoding(path)
    return _header(path)


def encoding(path: Source) -> str:
    """`utf-8`, or `utf-8-sig` with a byte-order mark; the whole file is decoded, block by block.

    Raises PipelineError for an empty file, other encodings, binary data and HTML.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    line = 1
    with opened(path) as file:
        first = block = file.read(_BLOCK)
        _check_start(first, path)
        while block:
            following = file.read(_BLOCK)
            try:
                line += decoder.decode(block, final=not following).count("\n")
            except UnicodeDecodeError as error:
                raise PipelineError(_not_text(error, path, line)) from None
            block = following
    return "utf-8-sig" if first.startswith(codecs.BOM_UTF8) else "utf-8"


def _not_text(error: UnicodeDecodeError, path: Source, line: int) -> str:
    line += error.object[: error.start].count(b"\n")
    return (
        f"{path} is not UTF-8: byte 0x{error.object[error.start]:02x} in line {line} "
        f"(Latin-1 or Windows-1252?); convert it: iconv -f WINDOWS-1252 -t UTF-8"
    )


def _check_start(first: bytes, path: Source) -> None:
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


def _header(path: Source) -> list[str]:
    """The names as they stand, which differ from each other beyond spaces around them."""
    with opened(path) as binary, _as_text(binary) as file:
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


def _as_text(binary: io.BufferedReader) -> io.TextIOWrapper:
    # The rows behind the header, of which it reads some too, are checked where they are read.
    return io.TextIOWrapper(binary, encoding="utf-8-sig", errors="surrogateescape", newline="")


def _reason(error: Exception, before: int) -> str:
    message = " ".join(str(error).split()).removeprefix("CSV parse error: ")
    if found := re.match(r"Row #(\d+): Expected (\d+) columns, got (\d+)", message):
        row, expected, got = found.groups()
        # Quoted line ends and blank lines make rows differ from lines, so this names the row for what it is.
        return f"row {int(row) + before} (the header is row 1) has {got} cells, expected {expected}"
    return message[:200]
