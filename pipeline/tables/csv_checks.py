"""Checks that a file is a CSV table: UTF-8 text with a header of distinct names, separated by commas."""

import codecs
import csv
import io
import re

from pipeline.contract.errors import PipelineError
from pipeline.contract.yaml_config import other_encoding
from pipeline.tables.sources import Source

START = 2**22  # bytes at the beginning of a file, which must hold its header
_LONGEST_NAME = 1000  # characters; a longer name is text behind a quote that was left open


def header(start: bytes, source: Source) -> list[str]:
    """Return the names in the header, as they are written, from the first START bytes of a file.

    Raises PipelineError for another encoding, binary data, HTML, another separator, and names that repeat.
    """
    _check_start(start, source)
    text = io.TextIOWrapper(io.BytesIO(start), encoding="utf-8-sig", errors="surrogateescape", newline="")
    try:
        names = next(row for row in csv.reader(text) if row)
    except csv.Error:  # a cell of over 128 KiB
        names = [""]
    if names == [""] or any(len(name) > _LONGEST_NAME for name in names):
        raise PipelineError(f"{source} has no readable header: is a quote in it left open?")
    check_text("".join(names).encode(errors="surrogateescape"), source, 1)
    for separator, word in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if len(names) == 1 and separator in names[0]:
            raise PipelineError(f"{source} is separated by {word}, expected commas: save it again with commas")
    plain = [name.strip() for name in names]
    if plain.count("") > 1:
        unnamed = ", ".join(str(place) for place, name in enumerate(plain, 1) if not name)
        raise PipelineError(f"{source}: columns {unnamed} have no name; name or remove them")
    if repeated := ", ".join(sorted({repr(name) for name in plain if plain.count(name) > 1})):
        raise PipelineError(f"{source}: the header names {repeated} more than once; rename or remove one")
    return names


def check_text(content: bytes, source: Source, line: int) -> None:
    """Raise PipelineError where `content`, which begins in that line of the file, is not UTF-8."""
    if content.isascii():
        return
    try:
        content.decode()
    except UnicodeDecodeError as error:
        line += content[: error.start].count(b"\n")
        raise PipelineError(
            f"{source} is not UTF-8: byte 0x{content[error.start]:02x} in line {line} "
            f"(Latin-1 or Windows-1252?); convert it: iconv -f WINDOWS-1252 -t UTF-8"
        ) from None


def _check_start(start: bytes, source: Source) -> None:
    if name := other_encoding(start):
        raise PipelineError(f"{source} is {name}, expected UTF-8; convert it: iconv -f {name} -t UTF-8")
    if b"\0" in start:
        raise PipelineError(f"{source} holds NUL bytes: it is binary, or UTF-16 without a mark; expected UTF-8 text")
    text = start.removeprefix(codecs.BOM_UTF8).strip()
    if not text:
        raise PipelineError(f"{source} is empty: expected a header line and rows")
    if found := re.match(rb"\"?sep=.", text):
        line = found[0].decode(errors="replace").strip('"')
        raise PipelineError(f"{source} begins with the line {line!r}, which is for Excel alone: remove that line")
    if re.match(rb"<(!doctype|html|\?xml|head|body)", text, re.IGNORECASE):
        raise PipelineError(f"{source} is an HTML or XML page, no table: a download that failed? Fetch the file again")
