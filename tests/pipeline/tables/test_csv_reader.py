"""CSV files read block by block: the same cells and errors as of the whole file."""

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.contract.errors import PipelineError
from pipeline.tables import csv_checks, csv_reader

HEADER = "first,second,third"
# Quoted with line ends, commas and doubled quotes; quotes that are text because the cell began before them.
CELLS = st.one_of(
    st.text("ab ", max_size=3),
    st.text('a,\n"', max_size=5).map(lambda text: '"' + text.replace('"', '""') + '"'),
    st.sampled_from(['5" pipe', 'a"', 'a""', ' "a', '"a"b"c', '""""', '"\r\n"']),
)


def in_blocks(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """From here on, files are read in blocks of `size` bytes after their header."""
    monkeypatch.setattr(csv_checks, "START", len(HEADER) + 8)
    monkeypatch.setattr(csv_reader, "BLOCK", size)
    monkeypatch.setattr(csv_reader, "_BLOCK_OF_COLUMN", 0)


@given(
    rows=st.lists(st.tuples(CELLS, CELLS), max_size=12),
    end=st.sampled_from(["\n", "\r\n"]),
    blank=st.sets(st.integers(0, 12)),
    mark=st.booleans(),
    last=st.booleans(),
    size=st.integers(1, 60),
)
@example(rows=[('5" pipe', '"a\nb"')] * 3, end="\n", blank=set(), mark=True, last=True, size=7)
def test_blocks_are_the_file(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, str]], end: str, blank: set[int], mark: bool, last: bool, size: int,
) -> None:  # fmt: skip
    """Read in blocks of any size, a CSV file has the cells that Arrow reads from the whole, whatever its quoted cells
    hold: with quotes inside of plain cells, blank lines, CRLF, a byte-order mark, with or without a last line end."""
    lines = [HEADER, *(f"x,{a},{b}" for a, b in rows)]
    lines = [line for place, each in enumerate(lines) for line in ([""] if place in blank and place else []) + [each]]
    content = b"\xef\xbb\xbf" * mark + (end.join(lines) + end * (last or not rows)).encode()
    path = tmp_path_factory.mktemp("csv") / "table.csv"
    path.write_bytes(content)
    whole = pa.csv.read_csv(
        io.BytesIO(content),
        parse_options=pa.csv.ParseOptions(newlines_in_values=True),
        convert_options=pa.csv.ConvertOptions(column_types=dict.fromkeys(HEADER.split(","), pa.string())),
    )
    with pytest.MonkeyPatch.context() as patch:
        in_blocks(patch, size)
        seen: list[bytes] = []
        assert pa.concat_tables(csv_reader.batches(path, seen=seen.append)).equals(whole)
        assert b"".join(seen) == content


def test_a_fault_is_named_by_its_place_in_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row with too few cells is named by its row and a byte that is no UTF-8 by its line, in whichever block it is;
    a quote that is left open is an error once no row ends in 16 MB."""
    in_blocks(monkeypatch, 20)
    path = tmp_path / "table.csv"
    good = [f'{k},"two\nlines",x' for k in range(50)]
    for fault, said in {
        b"1,2": r"row 52 \(the header is row 1\) has 2 cells, expected 3",
        b"1,\xe9,3": r"is not UTF-8: byte 0xe9 in line 102",
    }.items():
        path.write_bytes("\n".join([HEADER, *good, ""]).encode() + fault + b"\n" + "\n".join(good).encode())
        with pytest.raises(PipelineError, match=said):
            list(csv_reader.batches(path))
    monkeypatch.setattr(csv_reader, "_LONGEST_ROW", 100)
    path.write_text("\n".join([HEADER, *good, '1,"2,3', *["1,2,3"] * 50]))
    with pytest.raises(PipelineError, match="from line 102 on; is a quote left open"):
        list(csv_reader.batches(path))
