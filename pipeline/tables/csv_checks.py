"""What makes a file a CSV table: UTF-8 text with a header of distinct names, separated by commas."""

import codecs
import csv
import io
import re

from pipeline.contract.errors import PipelineError
from pipeline.tables.sources import Source, open_source

BLOCK = 2**20  # bytes read at a time
_LONGEST_NAME = 1000  # characters; a longer one is the rest of the file behind a quote that nobody closed
_WIDE = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


def encoding(source: Source) -> str:
    """`utf-8`, or `utf-8-sig` with a byte-order mark; the whole file is decoded, block by block.

    Raises PipelineError for an empty file, other encodings, binary data and HTML.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    line = 1
    with open_source(source) as file:
        first = block = file.read(BLOCK)
        check_start(first, source)
        while block:
            following = file.read(BLOCK)
            try:
                line += decoder.decode(block, final=not following).count("\n")
            except UnicodeDecodeError as error:
                raise PipelineError(_not_text(error, source, line)) from None
            block = following
    return "utf-8-sig" if first.startswith(codecs.BOM_UTF8) else "utf-8"


def header(source: Source) -> list[str]:
    """The column names as they stand in the file; only its beginning is read."""
    with open_source(source) as file:
        check_start(file.read(BLOCK), source)
    names = read_names(source)
    check_text("".join(names).encode(errors="surrogateescape"), source, 1)
    return names


def read_names(source: Source) -> list[str]:
    """The names of the header, without a check of the encoding.

    Raises PipelineError for another separator, a name that stands twice and a header that cannot be read.
    """
    with open_source(source) as binary, _as_text(binary) as file:
        try:
            names = next(row for row in csv.reader(file) if row)
        except csv.Error:  # a cell of over 128 KiB
            names = [""]
    if not all(len(name) <= _LONGEST_NAME for name in names) or names == [""]:
        raise PipelineError(f"{source} has no readable header: is a quote in it left open?")
    for separator, word in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if len(names) == 1 and separator in names[0]:
            raise PipelineError(f"{source} is separated by {word}, expected commas: save it again with commas")
    plain = [name.strip() for name in names]
    if repeated := sorted({name for name in plain if plain.count(name) > 1}):
        shown = ", ".join(repr(name) for name in repeated)
        raise PipelineError(f"{source}: the header names {shown} more than once; rename or remove one")
    return names


def check_text(content: bytes, source: Source, line: int) -> None:
    """Raise PipelineError where `content`, which begins in that line of the file, is not UTF-8."""
    try:
        content.decode()
    except UnicodeDecodeError as error:
        raise PipelineError(_not_text(error, source, line)) from None


def check_start(first: bytes, source: Source) -> None:
    """Raise PipelineError where the first bytes are another encoding, binary data, HTML or nothing."""
    for mark, name in _WIDE.items():
        if first.startswith(mark):
            raise PipelineError(f"{source} is {name}, expected UTF-8; convert it: iconv -f {name} -t UTF-8")
    if b"\0" in first:
        raise PipelineError(
            f"{source} holds NUL bytes: it is binary (or UTF-16 without a mark), expected text in UTF-8"
        )
    start = first.removeprefix(codecs.BOM_UTF8).strip()
    if not start:
        raise PipelineError(f"{source} is empty: expected a header line and rows")
    if re.match(rb"<(!doctype|html|\?xml|head|body)", start, re.IGNORECASE):
        raise PipelineError(f"{source} is an HTML or XML page, no table: a download that failed? Fetch the file again")


def _as_text(binary: io.BufferedReader) -> io.TextIOWrapper:
    # Some rows behind the header are read with it; they are checked where they are used.
    return io.TextIOWrapper(binary, encoding="utf-8-sig", errors="surrogateescape", newline="")


def _not_text(error: UnicodeDecodeError, source: Source, line: int) -> str:
    line += error.object[: error.start].count(b"\n")
    return (
        f"{source} is not UTF-8: byte 0x{error.object[error.start]:02x} in line {line} "
        f"(Latin-1 or Windows-1252?); convert it: iconv -f WINDOWS-1252 -t UTF-8"
    )
