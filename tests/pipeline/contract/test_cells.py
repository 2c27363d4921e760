"""One value has one reading: a cell by itself, as the server reads it, and a whole column, as cleaning reads it."""

import math
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.contract import cell_text, cells
from pipeline.contract.cells import UnusableError
from pipeline.contract.column import Column
from pipeline.tables import cell_values, raw_table

WORDS = ("1", "1.0", "007", "7", "2.5", "WD", "NA", "None", "yes", "True", "?", "-999", "other", "-0")
COLUMNS = st.one_of(
    st.builds(
        lambda dtype, missing: Column("x", dtype, missing=missing),
        st.sampled_from(["float", "int", "bool"]),
        st.sampled_from([(), ("?", "-999"), ("1", "0.0")]),
    ),
    st.builds(
        lambda names, missing, other: Column(
            "x", "category", categories=tuple(names), missing=missing, other=names[0] if other else ""
        ),
        st.lists(st.sampled_from(WORDS), min_size=1, max_size=4, unique=True),
        st.sampled_from([(), ("?", "-999.0")]),
        st.booleans(),
    ),
)
TEXTS = st.one_of(
    st.text(max_size=4),
    st.text("0123456789.eE+-", max_size=6),
    st.sampled_from([*cell_text.MISSING, *cell_text.TRUE, *cell_text.FALSE, *WORDS, "-999.0", "1.00", "-0.0", "1e400"]),
).flatmap(lambda text: st.sampled_from([text, f"{text} ", f"\t{text}", f"{text}.0"]))
NUMBERS = st.one_of(
    st.integers(-1000, 1000),
    st.integers(-(2**62), 2**62),
    st.floats(),
    st.sampled_from([0.0, -0.0, 1.0, 2.5, -999.0, 2.0**53, 2.0**53 + 2, 1e22]),
)


def alone(cell: Any, column: Column) -> Any:
    """Return how the cell reads by itself: its number, None where it is missing, or `unusable`."""
    try:
        number = cells.to_number(cell, column)
    except UnusableError:
        return "unusable"
    return None if math.isnan(number) else number


def in_a_column(stored: pd.Series, column: Column) -> Any:
    """Return how the one cell of a column reads, in the same form."""
    values, unusable = cell_values.convert(stored, column)
    if unusable[0]:
        return "unusable"
    if column.dtype == "category":
        return None if values.cat.codes[0] < 0 else values.cat.codes[0]
    return None if values.isna()[0] else float(values[0])


@given(COLUMNS, st.one_of(TEXTS, NUMBERS))
@example(Column("x", "category", categories=("1", "2")), "1.0")
@example(Column("x", "category", categories=("1", "2")), 1.0)
@example(Column("x", "bool"), "yes")
def test_a_cell_and_a_column_read_alike(column: Column, cell: str | float) -> None:
    """Any text and any number has in any column one reading, alone (JSON) and in a column (CSV, Parquet)."""
    assert in_a_column(pd.Series([cell]), column) == alone(cell, column)


MOMENTS = st.one_of(
    st.datetimes(timezones=st.timezones()).map(str),
    st.from_regex(cell_text.MOMENT, fullmatch=True),
    st.sampled_from(["10:05", "01/02/2026", "yesterday", "NA", "2026-02-30", "2026-11-30T10:05:00Z", "2026/11/30"]),
    st.text("0123456789-/: TZ+.", max_size=25),
    st.from_regex(r"[0-3]?[0-9][/.][01]?[0-9][/.]([12][0-9])?[0-9]{2}( [0-9]?[0-9]:[0-5][0-9])?", fullmatch=True),
    st.integers(0, 10**10),
)


DATES = st.one_of(
    st.just(Column("t", "category", role="time")),
    st.builds(
        lambda form, missing: Column("t", "datetime", format=form, missing=missing),
        st.sampled_from(["", "%d/%m/%Y", "%m/%d/%Y", "%Y%m%d", "%d.%m.%y %H:%M", "%Y-%m-%dT%H:%M:%S%z"]),
        st.sampled_from([(), ("?", "01/02/2026", "2026-11-30")]),
    ),
)


@given(MOMENTS, DATES)
@example("1/1/2026", Column("t", "datetime", format="%d/%m/%Y"))
@example("01/02/2026", Column("t", "datetime", format="%d/%m/%Y", missing=("01/02/2026",)))
@example("01/02/2026 ", Column("t", "datetime", format="%d/%m/%Y", missing=("1/2/2026",)))
@example("2026-11-30T00:00", Column("t", "datetime", missing=("2026-11-30",)))
@example("now", Column("t", "datetime", format="%d/%m/%Y"))
@example(20261130, Column("t", "datetime", format="%Y%m%d"))
def test_a_moment_reads_alike(cell: str | float, column: Column) -> None:
    """Any text is the same moment alone and in a column, or none in both, in ISO 8601 and in any format."""
    values, unusable = cell_values.convert(pd.Series([cell]), column)
    try:
        moment = cells.to_moment(cell, column)
    except UnusableError:
        assert unusable[0]
        return
    assert not unusable[0]
    assert (None if values.isna()[0] else values[0].to_pydatetime(warn=False)) == moment


@pytest.mark.parametrize("form", ["", "%d/%m/%Y"])
def test_a_date_of_a_parquet_file_needs_no_format(tmp_path: Path, form: str) -> None:
    """Dates and timestamps of Arrow, with a zone or without, are the moments that they are, whatever the text of other
    files looks like; so are they among text, where a CSV file is another part of the table."""
    day = datetime(2026, 2, 1)
    stored = {
        "day": pa.array([day.date(), None], pa.date32()),
        "day64": pa.array([day, None], pa.date64()),
        "plain": pa.array([day, None], pa.timestamp("ns")),
        "seconds": pa.array([day, None], pa.timestamp("s")),
        "utc": pa.array([day, None], pa.timestamp("us", "UTC")),
        "berlin": pa.array([day, None], pa.timestamp("ms", "Europe/Berlin")),  # stored in UTC
    }
    pa.parquet.write_table(pa.table(stored), tmp_path / "part.parquet")
    table = raw_table.read_part(tmp_path / "part.parquet")
    table["mixed"] = pd.Series(["1/2/2026" if form else "2026/02/01", None], dtype=object)
    table.loc[1, "mixed"] = pd.Timestamp(day)
    for name in table:
        values, unusable = cell_values.convert(table[name], Column(name, "datetime", format=form))
        assert (values.dtype, values[0], unusable.any()) == ("datetime64[us, UTC]", pd.Timestamp(day, tz="UTC"), False)
        assert values.isna()[1] == (name != "mixed")


@pytest.mark.parametrize(
    ("keys", "read"),
    [
        ({"dtype": "category", "categories": ("1", "2")}, {"1": 0, "1.0": 0, 1: 0, 2.0: 1, " 2 ": 1, "3": "unusable"}),
        ({"dtype": "category", "categories": ("007", "7")}, {"007": 0, "7": 1, 7.0: 1, "7.0": 1}),
        ({"dtype": "category", "categories": ("WD", "NA")}, {"WD ": 0, "NA": 1, "": None, "null": None}),
        ({"dtype": "category", "categories": ("a", "b"), "other": "b"}, {"a": 0, "zz": 1, 17: 1, "": None, "NA": None}),
        ({"dtype": "category", "categories": ("a",), "missing": ("?", "9")}, {"?": None, "9.0": None, 9: None}),
        ({"dtype": "float", "missing": ("?", "-999")}, {" ?": None, "-999.0": None, -999: None, "-9.99e2": None}),
        ({"dtype": "int", "missing": ("-1",)}, {"-1.0": None, -1: None, "2.0": 2, "2.5": "unusable"}),
        ({"dtype": "bool", "missing": ("unknown",)}, {"yes": 1, "No": 0, True: 1, "unknown": None, "2": "unusable"}),
    ],
)  # fmt: skip
def test_the_right_reading(keys: dict[str, Any], read: dict[Any, Any]) -> None:
    """A whole number has one form, space around text is nothing, a listed category is never missing, the column's own
    markers are (a number by its value too), and `other` takes what is not listed."""
    column = Column("x", **keys)
    for cell, value in read.items():
        assert alone(cell, column) == in_a_column(pd.Series([cell]), column) == value, cell
