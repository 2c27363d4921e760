"""Roles: who decides which row tests and which rows train together."""

import numpy as np
import pandas as pd
import pytest

from pipeline.contract.errors import PipelineError
from pipeline.contract.params import Clean, Train
from pipeline.contract.schema import Column
from pipeline.tables import splitting
from stages.clean import clean
from stages.train import fit
from tests.tables import make_schema

PARAMS = Clean(min_rows=1, test_fraction=0.25, folds=3, max_rejected_fraction=0.5)
X, Y = Column("x", "float"), Column("y", "float", role="target")


def raw(n: int = 400, seed: int = 0) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    days = pd.date_range("2020-01-01", periods=n, freq="D").strftime("%Y-%m-%dT%H:%M:%S")
    return pd.DataFrame(
        {
            "x": generator.normal(size=n),
            "y": generator.normal(size=n),
            "key": [f"k{i}" for i in range(n)],
            "house": generator.choice([f"house {i}" for i in range(60)], n),
            "sold": days[generator.permutation(n)],
            "year": generator.integers(2000, 2020, n).astype(str),
            "part": generator.choice(["train", "test"], n, p=[0.7, 0.3]),
        }
    )


def cleaned(*columns: Column, table: pd.DataFrame | None = None) -> pd.DataFrame:
    return clean(raw() if table is None else table, make_schema(X, Y, *columns), PARAMS).table


def test_an_id_decides_instead_of_the_features() -> None:
    """With an id, a row whose features are corrected stays where it is."""
    key = Column("key", "category", role="id")
    changed = raw().assign(x=0.5)
    assert cleaned(key)["fold"].tolist() == cleaned(key, table=changed)["fold"].tolist()


def test_a_group_stays_together() -> None:
    """Rows of one group are on one side and in one fold, whatever their features."""
    table = cleaned(Column("house", "category", role="group"))
    assert table.groupby("house")["fold"].nunique().max() == 1
    assert set(table["fold"]) == {splitting.TEST, 0, 1, 2}


def test_a_given_split_is_taken() -> None:
    """With a column of role split, its rows `test` are the test split and all others train."""
    table = cleaned(Column("part", "category", role="split", categories=("train", "test")))
    assert ((table["fold"] == splitting.TEST) == (table["part"] == "test")).all()


def test_a_given_split_divides_no_group() -> None:
    """A given split that puts a group on both sides is an error that names one, for it would leak."""
    columns = (
        Column("part", "category", role="split", categories=("train", "test")),
        Column("house", "category", role="group"),
    )
    with pytest.raises(PipelineError, match=r"column part puts .* groups of house on both sides, such as 'house"):
        cleaned(*columns)
    whole = raw().assign(part=lambda t: np.where(t["house"].str.endswith("1"), "test", "train"))
    table = cleaned(*columns, table=whole)
    assert ((table["fold"] == splitting.TEST) == table["house"].str.endswith("1")).all()


@pytest.mark.parametrize("time", [Column("sold", "category", role="time"), Column("year", "int", role="time")])
def test_the_latest_rows_test(time: Column) -> None:
    """With a time, every test row is later than every training row, and about test_fraction of the rows test."""
    table = cleaned(time)
    test = table["fold"] == splitting.TEST
    assert table.loc[test, time.name].min() > table.loc[~test, time.name].max()
    assert abs(test.mean() - 0.25) < 0.05


def test_folds_go_forward_in_time() -> None:
    """With a time, a fold is validated by models that saw earlier rows only; the first block is never validated."""
    time = Column("sold", "category", role="time")
    schema = make_schema(X, Y, time)
    table = cleaned(time)
    splits = splitting.splits(table["fold"].to_numpy(), schema)
    assert len(splits) == PARAMS.folds
    for train, held in splits:
        assert table.loc[train, "sold"].max() < table.loc[held, "sold"].min()
    _, record = fit(
        table,
        schema,
        Train(seed=0, interval_level=0.9, max_leaves=1000, device="cpu", families={"linear": {}}),
        "linear",
    )
    training = table[table["fold"] != splitting.TEST]
    assert np.isnan(record.out_of_fold).tolist() == (training["fold"] == 0).tolist()
    assert np.isfinite(record.cv_rmse)


def test_a_group_is_as_late_as_its_latest_row() -> None:
    """With a time and a group, a group is never divided and no training row is later than a group that tests."""
    table = cleaned(Column("sold", "category", role="time"), Column("house", "category", role="group"))
    assert table.groupby("house")["fold"].nunique().max() == 1
    latest = table.groupby("house")["sold"].max()
    tested = table.groupby("house")["fold"].first() == splitting.TEST
    assert latest[~tested].max() < latest[tested].min()


@pytest.mark.parametrize("cell", ["2020-13-01", "yesterday", "1.5.2020", "2020-02-30"])
def test_a_moment_that_is_none_is_rejected(cell: str) -> None:
    """A cell of a time column that is no ISO 8601 moment rejects its row."""
    table = raw()
    table.loc[5, "sold"] = cell
    result = clean(table, make_schema(X, Y, Column("sold", "category", role="time")), PARAMS)
    assert result.rejected[["row", "column", "reason", "value"]].to_numpy().tolist() == [
        [5, "sold", "unparseable", cell]
    ]


def test_moments_have_one_form() -> None:
    """A date, a time with a zone, and a timestamp of a Parquet part are moments in UTC."""
    column = Column("t", "category", role="time")
    texts = pd.Series(["2020-01-02", "2020-01-02T01:00:00+01:00", "2020-01-02 00:00:00Z"])
    from pipeline.tables.cell_parser import parse

    moments = parse(pd.DataFrame({"t": texts}), (column,))[0]["t"]
    assert moments.nunique() == 1
    stamps = pd.DataFrame({"t": pd.to_datetime(pd.Series(["2020-01-02"] * 3))})
    assert parse(stamps, (column,))[0]["t"].tolist() == moments.tolist()


def test_one_moment_is_no_time() -> None:
    """A time column with one value cannot order rows: an error that says so."""
    with pytest.raises(PipelineError, match="column year has role time and one value"):
        cleaned(Column("year", "int", role="time"), table=raw().assign(year="2001"))


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (Column("key", "category", role="id", nullable=True), "role id must be nullable: false"),
        (Column("key", "float", role="id"), "role id must be int, or category without"),
        (Column("key", "bool", role="time"), "role time must be int or float, or category without"),
        (Column("key", "category", role="split", categories=("a", "b")), "role split must be category with the"),
        (Column("key", "float", role="group"), "role group must be int or category"),
    ],
)
def test_a_role_has_its_type(tmp_path, column: Column, said: str) -> None:
    """A column whose dtype does not suit its role is an error of the schema that says what would."""
    import msgspec
    import yaml

    from pipeline.contract import schema

    keys = {k: v for k, v in msgspec.to_builtins(column).items() if k != "name"}
    path = tmp_path / "schema.yaml"
    columns = {"x": {"dtype": "float"}, "y": {"dtype": "float", "role": "target"}, "key": keys}
    path.write_text(yaml.safe_dump({"version": 1, "source": {"origin": "o", "licence": "l"}, "columns": columns}))
    with pytest.raises(PipelineError, match=said):
        schema.load(path)
