"""A first schema for any table: it loads, the pipeline runs with it as it is, and it says what to look at."""

from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.contract import cell_text, schema
from pipeline.contract.column import PARTS, RESERVED, Column
from pipeline.contract.errors import PipelineError
from pipeline.contract.params import Clean
from pipeline.contract.schema import Schema
from pipeline.profiling.column_guess import guess
from pipeline.profiling.column_profile import profile
from pipeline.profiling.inferred_schema import infer
from pipeline.profiling.schema_text import to_yaml
from pipeline.tables import raw_table
from stages.clean import Cleaned, clean
from tests.conftest import ROOT
from tests.describable import PRICES, ROWS, SIZES, table

PARAMS = Clean(min_rows=1, test_fraction=0.3, folds=2, max_rejected_fraction=1)
HOUSING = ROOT / "data/raw/housing.csv"


def loaded(inferred: Schema, folder: Path) -> Schema:
    path = folder / "schema.yaml"
    path.write_text(to_yaml(inferred), encoding="utf-8")
    return schema.load(path)


def cleaned(raw: pd.DataFrame, target: str, folder: Path) -> tuple[Schema, Cleaned]:
    """Inferred, written, read back unchanged, and used to clean the same table."""
    inferred = infer(raw, target).schema
    read = loaded(inferred, folder)
    assert read == inferred
    return read, clean(raw, read, PARAMS)


def column(values: object, name: str = "x", rows: int = ROWS) -> Column:
    return guess(profile(pd.Series(np.resize(np.array(values, dtype=object), rows), name=name))).column


def remarks(raw: pd.DataFrame, target: str = "price") -> dict[str, str]:
    return {remark.name: f"{remark.topic}: {remark.detail}" for remark in infer(raw, target).remarks if remark.name}


def told(raw: pd.DataFrame, name: str) -> list[str]:
    return [f"{each.topic}: {each.detail}" for each in infer(raw, "price").remarks if each.name == name]


# One strategy a kind of column, for each of its cells.
NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers(-(2**70), 2**70).map(str),
    st.sampled_from(["1e400", "-0", "1e-320", ".5", "7.", "+3", "007", " 4 "]),
)
KINDS = st.one_of(
    st.just(NUMBERS),
    st.just(st.integers(-5, 5).map(str)),
    st.just(st.sampled_from([*cell_text.TRUE, *cell_text.FALSE])),
    st.lists(st.text(max_size=4), min_size=1, max_size=5).map(st.sampled_from),
    st.just(st.text(max_size=6)),
    st.just(st.dates().map(str)),
    st.just(st.datetimes().map(lambda moment: moment.isoformat())),
    st.sampled_from(["%d/%m/%Y", "%m/%d/%Y", "%d.%m.%y %H:%M", "%Y.%m.%d", "%m-%d-%Y %I:%M %p"]).map(
        lambda form: st.datetimes(datetime(1970, 1, 1)).map(lambda moment: moment.strftime(form))
    ),
    st.just(st.sampled_from(["1,5", "$1,200", "12 %", "1.2.2020", "?", "3"])),
    st.just(st.sampled_from(["train", "test"])),
    st.sampled_from(["x", "", "NA", "1"]).map(st.just),
)
NAMES = st.one_of(
    st.text(min_size=1, max_size=8),
    st.sampled_from(["id", "split", "Id", "yes", "5", "1e-05", "null", "2020-01-01", 'say "hi"', "Fläche m²", "a: b"]),
    st.just("n" * 200),
).filter(lambda name: name not in {*RESERVED, "size", "price"})


@st.composite
def raw_tables(draw: st.DrawFn) -> pd.DataFrame:
    columns = {"size": SIZES}
    for name in draw(st.lists(NAMES, max_size=4, unique=True)):
        kind = draw(KINDS)
        if draw(st.booleans()):
            kind = st.one_of(kind, st.sampled_from(cell_text.MISSING))
        few = draw(st.lists(kind, min_size=1, max_size=ROWS))
        columns[name] = draw(st.permutations(np.resize(np.array(few, dtype=object), ROWS).tolist()))
    prices = [*PRICES[:-2], *draw(st.sampled_from([PRICES[-2:], ["", "NA"], ["5", "null"]]))]
    return pd.DataFrame({**columns, "price": prices})


@given(raw_tables())
@example(
    table(x=["1e-05", "a"], y=["yes", "?"], n=["NO", "null", "2020-01-01", "1"], e=["a: b", "- c", "#d", "e\x85f"])
)
def test_any_table_runs_with_its_first_schema(tmp_path_factory: pytest.TempPathFactory, raw: pd.DataFrame) -> None:
    """Whatever its columns hold and are called, only rows without a target are rejected by a table's first schema."""
    _, result = cleaned(raw, "price", tmp_path_factory.mktemp("any"))
    missing = raw.index[raw["price"].isin(cell_text.MISSING)]
    assert result.rejected["row"].tolist() == missing.tolist()
    assert set(result.rejected["reason"]) <= {"missing_target"}


def test_boston_is_read_as_its_shipped_schema_says(tmp_path: Path) -> None:
    """Dtypes and roles of the housing table are those of data/schema.yaml; a column is nullable only where a cell is
    missing, and no row is rejected."""
    raw = raw_table.read_part(HOUSING)
    raw.loc[[3, 9], "LSTAT"] = ["NA", ""]
    found, result = cleaned(raw, "MEDV", tmp_path)
    shipped = schema.load(ROOT / "data/schema.yaml")
    assert [(c.name, c.dtype, c.role) for c in found.columns] == [(c.name, c.dtype, c.role) for c in shipped.columns]
    assert [c.name for c in found.columns if c.nullable] == ["LSTAT"]
    assert result.counts["rejected"] == 0


def test_typed_columns_are_known(tmp_path: Path) -> None:
    """Booleans, timestamps, nullable integers, huge floats and a target of whole floats of a Parquet part are what they
    are."""
    raw = table(b=[True, False], n=[1, None, 300])
    raw["b"], raw["n"], raw["price"] = raw["b"].astype("boolean"), raw["n"].astype("Int64"), raw["price"].astype(float)
    raw["t"] = pd.date_range("2020-01-01", periods=ROWS, tz="Europe/Berlin")
    raw["huge"] = np.arange(ROWS) * 1e300
    raw.drop(columns="size").to_parquet(tmp_path / "part.parquet")
    found, result = cleaned(raw_table.read_part(tmp_path / "part.parquet"), "price", tmp_path)
    assert [(c.name, c.dtype, c.role) for c in found.columns] == [
        ("b", "bool", "feature"),
        ("n", "int", "feature"),
        ("price", "int", "target"),
        ("t", "datetime", "time"),
        ("huge", "float", "feature"),
    ]
    assert result.counts["rejected"] == 0


@pytest.mark.parametrize(
    ("values", "dtype", "role"),
    [
        ([0, 1], "bool", "feature"),
        (["yes", "no", "NA"], "bool", "feature"),
        (["1", "2.0", "3e0"], "int", "feature"),
        (["1", "2.5"], "float", "feature"),
        (["gas", "oil", ""], "category", "feature"),
        (["1", "2", "K"], "category", "feature"),
        (["01234", "90210"], "category", "feature"),
        (["1,5", "2,5"], "float", "ignore"),
        (["$1,200", "$900"], "float", "ignore"),
        (["31.12.2020", "1.1.2021"], "datetime", "feature"),
        (["31.12.2020", "12/31/2020"], "category", "ignore"),
        (["2020-01-01", "2021-01-01"], "datetime", "feature"),
        ([f"2020-02-{1 + k % 28:02}" for k in range(ROWS - 1)] + [""], "datetime", "feature"),
        (["a"], "category", "ignore"),
        (["", "NA"], "float", "ignore"),
        ([str(k) for k in range(ROWS)], "int", "id"),
        ([f"h{k}" for k in range(ROWS)], "category", "id"),
        ([f"a house with {k} rooms, a garden and a view of the river" for k in range(ROWS)], "category", "ignore"),
        ([f"n{k // 2 % 29}" for k in range(ROWS)], "category", "feature"),
        ([f"n{k * 2 // 3}" for k in range(ROWS)], "category", "ignore"),
        ([str(2**60 + k * 3) for k in range(ROWS)], "category", "id"),
        ([f"2020-02-{1 + k % 28:02} 10:{k:02}" for k in range(ROWS)], "datetime", "time"),
        ([*(str(k / 8) for k in range(ROWS - 1)), "?"], "float", "ignore"),
    ],
)
def test_a_column_is_guessed(values: list[object], dtype: str, role: str) -> None:
    """The cells decide: booleans, whole numbers, numbers, moments, few texts, ids; what teaches nothing is ignored."""
    found = column(values)
    assert (found.dtype, found.role) == (dtype, role)


@pytest.mark.parametrize(
    ("cells", "form", "parts", "said"),
    [
        (["2020-01-01", "2020-01-08"], "", ("yearday", "days"), ""),
        (["2020-01-01T05:00", "2020-01-01T09:30"], "", ("hour", "days"), ""),
        (["31/12/2020", "1/1/2021"], "%d/%m/%Y", ("year", "month", "weekday", "yearday", "days"), ""),
        (["12/31/2020 11:00 PM", "1/1/2020 1:05 AM"], "%m/%d/%Y %I:%M %p", PARTS[1:], ""),
        (["1.2.20", "2.2.20"], "%d.%m.%y", ("weekday", "yearday", "days"), 'change the key format: format: "%m.%d.%y"'),
        (["2020.1.5", "2020.1.12"], "%Y.%m.%d", ("yearday", "days"), ""),
    ],
)
def test_a_date_is_known_by_its_form(cells: list[str], form: str, parts: tuple[str, ...], said: str) -> None:
    """Dates in ISO 8601 or one other order are read; a day above 12 tells the order, and a remark says so where none
    does. The model gets the parts that vary, which a remark names."""
    raw = table(sold=cells)
    [found] = [column for column in infer(raw, "price").schema.columns if column.name == "sold"]
    assert (found.dtype, found.role, found.format, found.parts) == ("datetime", "feature", form, parts)
    remarks = told(raw, "sold")
    assert f"the model sees these parts of the date (key parts): {', '.join(parts)}" in remarks
    assert any("which no cell proves" in each and said in each for each in remarks) == bool(said)


def test_a_date_that_orders_the_rows_is_the_time(tmp_path: Path) -> None:
    """A date in every row, with many moments, gets role time: the latest rows are tested. The model sees no year and no
    days of it, for those of later rows are always new."""
    hours = pd.date_range("2020-01-31 20:00", periods=ROWS, freq="7h").strftime("%d/%m/%Y %H:%M")
    found, result = cleaned(table(sold=hours), "price", tmp_path)
    time = found.columns[1]
    assert (time.role, time.format, time.parts) == ("time", "%d/%m/%Y %H:%M", ("month", "weekday", "hour"))
    assert [column.name for column in found.features] == ["size", "sold"]
    assert (
        result.table["sold"][result.table["fold"] == -1].min() > result.table["sold"][result.table["fold"] > -1].max()
    )


@pytest.mark.parametrize("name", ["id", "Id", "house_id", "houseId", "parcel-ID", "uuid"])
def test_a_unique_column_named_id_is_the_id(name: str) -> None:
    """A column named like an id whose values never repeat has role id, and goes before other candidates."""
    raw = table(**{"number": range(ROWS), name: [9000 + 7 * k for k in range(ROWS)]})
    assert [c.role for c in infer(raw, "price").schema.columns] == ["feature", "ignore", "id", "target"]


def test_only_one_column_has_a_role(tmp_path: Path) -> None:
    """The first time is the time, the others are features and named; a split column with train and test is the split; a
    target of 0 and 1 is a number."""
    days = pd.date_range("2020-01-01", periods=ROWS).strftime("%Y-%m-%d")
    raw = table(sold=days, listed=days, Split=["train", "test", "train"]).assign(price=["0", "1"] * (ROWS // 2))
    found, result = cleaned(raw, "price", tmp_path)
    assert [c.role for c in found.columns] == ["feature", "time", "feature", "split", "target"]
    assert found.target.dtype == "int"
    assert "role feature: sold has role time already: 2020-01-01 to 2020-02-29" in told(raw, "listed")
    assert result.counts["rows_test"] == ROWS // 3


def test_remarks_name_what_to_look_at() -> None:
    """What was ignored, guessed or looks wrong is said with the column, the cells and what to do."""
    raw = table(
        lot=[*(str(k / 8) for k in range(ROWS - 1)), "?"],
        heating=[*["gas", "oil"] * (ROWS // 2 - 1), "peat", ""],
        rooms=["1", "2", "3"],
        owner_id=["7", "8", "9", "11"],
        sale_year=[str(1990 + k % 30) for k in range(ROWS)],
        double=[str(2 * float(price)) for price in PRICES],
        fee=["1,5", "2,5"],
        nothing=[""],
        same=["x"],
    )
    raw[""] = range(ROWS)
    raw.loc[[1, 2], "price"] = ["NA", ">50"]
    said = remarks(raw)
    for name, words in {
        "lot": """then remove the role: '?' (1 x): missing: ["?"]; first in row 59""",
        "heating": "nullable, for cells are missing: 1 of 58",
        "rooms": "int with few values; if they are names",
        "owner_id": "named like an id, but not used as one; with role group",
        "sale_year": "named like a time",
        "double": "nearly the target itself (correlation)",
        "fee": "write 1234.5: such as '1,5'",
        "nothing": "role ignore: no value in any row that has a target",
        "same": "always 'x'",
        "column 12": "left out: it has no name",
    }.items():
        assert words in said[name]
    assert any(remark.name == "heating" and "'peat'" in remark.detail for remark in infer(raw, "price").remarks)
    details = [remark.detail for remark in infer(raw, "price").remarks if remark.name == "price"]
    assert details == ["1 of 60 rows", "1 of 60 rows: '>50' in row 2"]


@pytest.mark.parametrize(
    ("raw", "target", "said"),
    [
        (table(), "prise", r"no column 'prise' to predict \(did you mean 'price'\?\); it has size, price"),
        (table(row=["1", "2"]), "price", "the header has row, reserved"),
        (table(a=["x", "y"]), "a", r"'a' cannot be the target: 60 of its 60 values are no numbers \('x', 'y'\)"),
        (table(a=["", "NA"]), "a", "'a' has no value in any row"),
        (table().head(0), "price", "a header and no rows"),
        (table()[["price"]], "price", "no column can be a feature"),
        (table(a=["x"])[["a", "price"]], "price", r"no column can be a feature \(a: role ignore: the same value"),
        (pd.DataFrame([["1", "2", "3"]], columns=["a", "a", "y"]), "y", "names 'a' more than once"),
    ],
)
def test_a_table_that_cannot_be_described_is_an_error(raw: pd.DataFrame, target: str, said: str) -> None:
    """An absent or unusable target, a reserved or repeated name, and a table without a feature are named."""
    with pytest.raises(PipelineError, match=said):
        infer(raw, target)


def test_the_yaml_has_one_line_a_column(tmp_path: Path) -> None:
    """Each column is one line in the order of the file, and text that YAML would misread is quoted."""
    words = ["yes", "NO", "1", "1e-05", "null.", "2020-01-01", "y", "~", "0x1", "12:30", "a, b", "{c", "oil"]
    raw = table(**{"5": words, "yes": ["3.5", "4"], "a: b #c": words, "B": [1.5, 2]})
    text = to_yaml(infer(raw, "price").schema)
    assert list(yaml.safe_load(text)["columns"]) == ["size", "5", "yes", "a: b #c", "B", "price"]
    assert yaml.safe_load(text)["columns"]["5"]["categories"] == sorted(words)
    lines = text[text.index("columns:") :].splitlines()
    assert len(lines) == 7
    assert lines[5] == '  B: {dtype: float, unit: "", description: "", min: 1.37, max: 2.13}'
