"""No bad table gets through, and no good one is refused for how it is written.

Each bad table ends `clean` with exit 1, one message that says what, where and what to do, and untouched outputs.
"""

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from pipeline.contract import errors
from stages import clean
from tests.conftest import ROOT

HEADER, *LINES = (ROOT / "data/raw/housing.csv").read_text().splitlines()
NAMES = HEADER.split(",")


def table(rows: list[str] | None = None, header: str = HEADER, end: str = "\n") -> str:
    return end.join([header, *(LINES if rows is None else rows)]) + end


def with_cells(column: str, cell: Callable[[str], str], every: int = 1) -> str:
    """The shipped table with the cells of one column changed, in each `every`-th row."""
    place = NAMES.index(column)
    rows = [line.split(",") for line in LINES]
    for row in rows[::every]:
        row[place] = cell(row[place])
    return table([",".join(row) for row in rows])


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the shipped schema, parameters and table, in which clean has run once."""
    for name in ("params.yaml", "data/schema.yaml", "data/raw/housing.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    clean.main()
    return tmp_path


def outputs(folder: Path) -> dict[str, bytes]:
    files = [*folder.glob("data/clean/*"), *folder.glob("metrics/*")]
    return {path.name: path.read_bytes() for path in files}


LATIN_1 = table(header=HEADER.replace("MEDV", "PRÉCIO")).encode("latin-1")
NO_TARGET, NO_FEATURE = HEADER.replace("MEDV", "MDEV"), HEADER.replace("LSTAT", "X")
BAD = {
    "no file": (None, r"data/raw holds no \.csv or \.parquet file: put the raw table there"),
    "empty": (b"", r"housing\.csv is empty: expected a header line and rows"),
    "blank": (b"\n\n  \n", r"housing\.csv is empty"),
    "header only": (table([]), r"has 0 rows, expected at least clean\.min_rows = 50"),
    "too few rows": (table(LINES[:49]), r"has 49 rows, expected at least clean\.min_rows = 50"),
    "missing target": (table(header=NO_TARGET), r"no column MEDV \(did you mean 'MDEV'\?\); it has"),
    "missing feature": (table(header=NO_FEATURE), r"no column LSTAT; it has CRIM, .*: correct its header"),
    "duplicate header": (table(header=HEADER.replace("ZN", "CRIM")), r"the header names 'CRIM' more than once"),
    "semicolons": (table().replace(",", ";"), r"separated by semicolons, expected commas: save it again"),
    "line for Excel": ("sep=,\n" + table(), r"housing\.csv begins with the line 'sep=,', which is for Excel alone"),
    "another line for Excel": ('"sep=;"\n' + table(), r"begins with the line 'sep=;', which is for Excel alone"),
    "workbook": ("workbook", r"data/raw/other\.xlsx is an Excel workbook: save the sheet as CSV"),
    "tabs": (table().replace(",", "\t"), r"separated by tabs, expected commas"),
    "decimal commas": (
        with_cells("RM", lambda c: f'"{c.replace(".", ",")}"'),
        r"most for column RM: row 0: RM = '6,575' \(unparseable\).*with a point, not a comma",
    ),
    "Latin-1": (LATIN_1, r"is not UTF-8: byte 0xc9 in line 1 .*iconv"),
    "UTF-16": (table().encode("utf-16"), r"is UTF-16, expected UTF-8; convert it: iconv -f UTF-16"),
    "UTF-16 without a mark": (table().encode("utf-16-le"), r"holds NUL bytes: it is binary"),
    "UTF-32": (table().encode("utf-32"), r"is UTF-32, expected UTF-8"),
    "cut in a character": (table().encode() + b"\xc3", r"is not UTF-8: byte 0xc3 in line 508"),
    "open quote": (table(header='"' + HEADER), r"has no readable header: is a quote in it left open"),
    "binary": (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", r"holds NUL bytes: it is binary"),
    "compressed": (gzip.compress(table().encode()), r"NUL bytes|not UTF-8"),
    "HTML": ("<!DOCTYPE html>\n<html><body>404</body></html>\n", r"is an HTML or XML page, no table: a download"),
    "short row": (
        table([*LINES[:60], "1,2,3", *LINES[60:]]),
        r"row 62 \(the header is row 1\) has 3 cells, expected 14",
    ),
    "long row": (table([*LINES[:60], LINES[60] + ",9"]), r"row 62 \(the header is row 1\) has 15 cells, expected 14"),
    "text": (
        with_cells("RM", lambda c: "six"),
        r"506 of 506 rows .* column RM: row 0: RM = 'six' \(unparseable\); row 1.*row 2",
    ),
    "no target": (with_cells("MEDV", lambda c: ""), r"column MEDV: row 0: MEDV = '' \(missing target\)"),
    "few targets": (
        with_cells("MEDV", lambda c: "").replace(",\n", ",24\n", 40),
        r"466 of 506 rows have no target, so that 40 are left .* at least clean\.min_rows = 50; .*give role target to",
    ),
    "few targets, and few of them usable": (
        table(
            [f"{line.rpartition(',')[0]},{'' if k % 2 else 'x' if k % 20 == 0 else 24}" for k, line in enumerate(LINES)]
        ),
        r"26 of 253 rows are rejected, .* most for column MEDV: row 0: MEDV = 'x' \(unparseable\); row 20: ",
    ),
    "wholly missing": (
        with_cells("LSTAT", lambda c: "NA"),
        r"column LSTAT has no value in any usable row: fill it, or",
    ),
    "not nullable": (with_cells("RM", lambda c: "", 10), r"51 of 506 .* column RM: row 0: RM = '' \(missing value\)"),
    "all rows the same": (table([LINES[0]] * 500), r"no row falls into .*too small or too uniform"),
    "empty Parquet": ("empty parquet", r"other\.parquet is empty: replace the raw file"),
    "no Parquet": ("parquet", r"other\.parquet is no readable Parquet file .*: replace the raw file"),
    "parts that differ": (
        "parts",
        r"b\.csv and data/raw/a\.csv must have the same columns; only one of them has LSTAT, X",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_table_is_refused(workspace: Path, name: str) -> None:
    """A bad table ends with exit 1 and one line that says what, where and what to do; no output changes."""
    content, said = BAD[name]
    before = outputs(workspace)
    raw = workspace / "data/raw/housing.csv"
    if content is None:
        raw.unlink()
    elif content == "parts":
        raw.rename(raw.with_name("a.csv"))
        raw.with_name("b.csv").write_text(table(header=NO_FEATURE))
    elif content == "empty parquet":
        raw.rename(raw.with_name("other.parquet")).write_bytes(b"")
    elif content in ("parquet", "workbook"):
        raw.rename(raw.with_name({"parquet": "other.parquet", "workbook": "other.xlsx"}[str(content)]))
    else:
        raw.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(SystemExit, match=rf"\Aerror: [^\n]*({said})[^\n]*\Z"):
        errors.run_command(clean.main)
    assert outputs(workspace) == before


def test_rows_without_a_target_are_no_accident(workspace: Path) -> None:
    """Half of the rows without a target leave the others to train on: they are counted apart from rejected rows, which
    must stay few among those with a target."""
    (workspace / "data/raw/housing.csv").write_text(with_cells("MEDV", lambda c: "", every=2))
    clean.main()
    totals = json.loads(outputs(workspace)["clean.json"])
    assert totals["rejected"] == totals["rejected_missing_target"] == 253
    assert totals["rows_train"] + totals["rows_test"] == 253


def with_extra(line: str, cell: str) -> str:
    return f"{cell},{line}"


def spread_over_lines(rows: list[str]) -> list[str]:
    return [with_extra(line, f'"two\nlines, ""quoted"" {i}"') for i, line in enumerate(rows)]


def reordered() -> str:
    order = sorted(range(len(NAMES)), reverse=True)
    return "\n".join(",".join(line.split(",")[i] for i in order) for line in [HEADER, *LINES]) + "\n"


GOOD = {
    "byte-order mark": b"\xef\xbb\xbf" + table().encode(),
    "CRLF": table(end="\r\n"),
    "quoted cells": table([",".join(f'"{cell}"' for cell in line.split(",")) for line in LINES]),
    "quoted line ends": table(spread_over_lines(LINES), header=with_extra(HEADER, "note")),
    "trailing blank lines": table() + "\n\n\n",
    "no last line end": table().rstrip("\n"),
    "column order": reordered(),
    "extra columns": table([with_extra(line, "x") for line in LINES], header=with_extra(HEADER, "note")),
    "spaces": table([line.replace(",", " , ") for line in LINES], header=HEADER.replace(",", " , ")),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_table_is_the_same_however_it_is_written(workspace: Path, name: str) -> None:
    """Marks, line ends, quotes, blank lines, column order and extra columns change no cell and no row's side."""
    before = outputs(workspace)
    content = GOOD[name]
    (workspace / "data/raw/housing.csv").write_bytes(content.encode() if isinstance(content, str) else content)
    clean.main()
    for part in ("train.parquet", "test.parquet"):
        assert outputs(workspace)[part] == before[part]


def test_companions_of_macos_are_skipped(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file `._housing.csv` of macOS is no part of the table, and a word says so."""
    before = outputs(workspace)
    (workspace / "data/raw/._housing.csv").write_bytes(b"\x00\x05\x16\x07")
    clean.main()
    assert outputs(workspace) == before
    assert "data/raw/._housing.csv is skipped: macOS keeps" in capsys.readouterr().err


def test_parts_are_one_table(workspace: Path) -> None:
    """A table in a CSV and a Parquet part, columns in another order, is the table in one file."""
    before = outputs(workspace)
    raw = workspace / "data/raw/housing.csv"
    whole = pd.read_csv(raw)
    raw.unlink()
    whole.head(200).to_csv(raw.with_name("a.csv"), index=False)
    whole.tail(306)[NAMES[::-1]].to_parquet(raw.with_name("b.parquet"))
    clean.main()
    assert outputs(workspace) == before


def test_the_report_says_what_is_in_each_column(workspace: Path) -> None:
    """data/clean/report.json counts missing cells and rejected rows by column and lists columns that the schema does
    not have; metrics/clean.json has totals only."""
    rows = with_cells("LSTAT", lambda c: "NA", every=4).splitlines()
    rows[3] = rows[3].replace("0.02729", "-1")
    (workspace / "data/raw/housing.csv").write_text("\n".join(with_extra(r, "note") for r in rows) + "\n")
    clean.main()
    report = json.loads(outputs(workspace)["report.json"])
    assert report["columns"]["LSTAT"] == {"missing": 127, "rejected": 0}
    assert report["columns"]["CRIM"] == {"missing": 0, "rejected": 1}
    assert report["extra_columns"] == ["note"]
    totals = json.loads(outputs(workspace)["clean.json"])
    assert totals["rejected"] == totals["rejected_out_of_bounds"] == 1
