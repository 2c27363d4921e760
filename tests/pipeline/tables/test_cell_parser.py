"""Cells to typed values, with nothing silently wrong."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.contract import cell_text
from pipeline.contract.column import Column
from pipeline.contract.schema import Schema
from pipeline.tables import cell_parser, row_hash


def test_cells_become_typed_values(raw: pd.DataFrame, schema: Schema) -> None:
    """Text cells become floats, integers, booleans and categories; the markers of missing stay missing."""
    typed, problems = cell_parser.parse(raw, schema.used)
    assert problems.empty
    assert typed["area"].tolist() == [50, 60.5, 70, 80, 90]
    assert typed["rooms"].isna().tolist() == [False, False, True, True, False]
    assert typed["rooms"].dropna().tolist() == [2, 3, 5]
    assert typed["garden"].fillna(False).tolist() == [True, False, False, True, False]
    # This schema names a category `NA`, so there it is a value and no marker.
    assert typed["street"].astype(object).fillna("-").tolist() == ["north", "south", "-", "NA", "north"]
    assert [str(dtype) for dtype in typed.dtypes] == ["float64", "Int64", "boolean", "category", "float64"]


def test_typed_cells_need_no_text(raw: pd.DataFrame, schema: Schema) -> None:
    """A table whose columns are numbers already gives the same values as its text."""
    numeric = raw.drop(columns=["garden", "street"]).apply(lambda c: pd.to_numeric(c.replace("NA", "")))
    columns = tuple(column for column in schema.used if column.name in numeric)
    pd.testing.assert_frame_equal(cell_parser.parse(numeric, columns)[0], cell_parser.parse(raw, columns)[0])


@pytest.mark.parametrize(
    ("column", "cell", "reason"),
    [
        *(("area", cell, "unparseable") for cell in ("fifty", "1,5", "1e400", "inf", "0x10")),
        ("area", "-0.1", "out_of_bounds"),
        ("area", "1000.1", "out_of_bounds"),
        ("area", "", "missing_value"),
        ("rooms", "2.5", "unparseable"),
        ("garden", "2", "unparseable"),
        ("street", "west", "unknown_category"),
        ("price", "", "missing_target"),
        ("price", "n.a.", "unparseable"),
    ],
)
def test_an_unusable_cell_rejects_its_row(
    raw: pd.DataFrame, schema: Schema, column: str, cell: str, reason: str
) -> None:
    """A row with a cell that the schema does not allow is listed with the column, the reason and the cell."""
    raw.loc[3, column] = cell
    typed, problems = cell_parser.parse(raw, schema.used)
    assert problems.to_dict("records") == [{"row": 3, "column": column, "reason": reason, "value": cell}]
    assert len(typed) == len(raw)


def test_the_first_reason_is_listed(raw: pd.DataFrame, schema: Schema) -> None:
    """Of several problems of a row the first by reason is listed, and of one reason that of the first column."""
    raw.loc[1] = ["-1", "many", "maybe", "west", "100"]
    raw.loc[3] = ["-1", "99", "", "", ""]
    lines = cell_parser.parse(raw, schema.used)[1]
    assert lines[["row", "column"]].to_numpy().tolist() == [[1, "rooms"], [3, "price"]]


@pytest.mark.parametrize("dtype", ["float", "int", "bool", "category"])
def test_markers_of_missing_are_missing(dtype: str) -> None:
    """`NA`, `NaN`, `null`, empty cells and spaces are missing values of a nullable column, whatever its type."""
    column = Column("x", dtype, nullable=True)  # type: ignore[arg-type]
    typed, problems = cell_parser.parse(pd.DataFrame({"x": [*cell_text.MISSING, "  ", " NA "]}), (column,))
    assert typed["x"].isna().all()
    assert problems.empty


def test_moments_have_one_form() -> None:
    """A date, a time with a zone, and a timestamp of a Parquet part are moments in UTC; no other text is a moment."""
    column = Column("t", "category", role="time")
    texts = pd.DataFrame({"t": ["2020-01-02", "2020-01-02T01:00:00+01:00", "2020-01-02 00:00:00Z"]})
    stamps = pd.DataFrame({"t": pd.to_datetime(pd.Series(["2020-01-02"] * 3))})
    moments = cell_parser.parse(texts, (column,))[0]["t"]
    assert moments.nunique() == 1
    assert cell_parser.parse(stamps, (column,))[0]["t"].tolist() == moments.tolist()
    wrong = ["2020-13-01", "yesterday", "1.5.2020", "2020-02-30"]
    problems = cell_parser.parse(pd.DataFrame({"t": ["2020-01-01", *wrong]}), (column,))[1]
    assert problems["value"].tolist() == wrong
    assert set(problems["reason"]) == {"unparseable"}


@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=30))
def test_a_hash_does_not_see_the_format(values: list[int]) -> None:
    """24, 24.0, +24 and 2.4e1 are one value: the hashes of their rows are the same."""
    columns = (Column("a", "float"),)
    forms = ([form.format(value) for value in values] for form in ("{}", "{}.0", "{:+d}", "{:e}"))
    parsed = (cell_parser.parse(pd.DataFrame({"a": cells}), columns)[0] for cells in forms)
    assert len({tuple(row_hash.hash_rows(table, columns)) for table in parsed}) == 1
