"""The split and the folds: what a row is, or a column with a role, decides its place."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.contract.column import Column
from pipeline.contract.errors import PipelineError
from pipeline.contract.params import Clean, Train
from pipeline.tables import sampling, splitting
from stages.clean import clean
from stages.train import fit
from tests.tables import make_schema

PARAMS = Clean(min_rows=1, test_fraction=0.25, folds=3, max_rejected_fraction=0.5)
X, Y = Column("x", "float"), Column("y", "float", role="target")
XY = make_schema(X, Y)


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


def test_a_given_split_divides_no_group() -> None:
    """With a column of role split, its rows `test` are the test split; a group on both sides is a named error."""
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
    families = {"linear": {}}
    params = Train(
        seed=0, interval_level=0.9, search_rows=1000, max_settings=24, max_leaves=1000, device="cpu", families=families
    )
    _, record = fit(table, schema, params, "linear")
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


def test_one_moment_is_no_time() -> None:
    """A time column with one value cannot order rows: an error that says so."""
    with pytest.raises(PipelineError, match="column year has role time and one value"):
        cleaned(Column("year", "int", role="time"), table=raw().assign(year="2001"))


def by_content(table: pd.DataFrame) -> dict[float, int]:
    return dict(zip(table["x"], table["fold"], strict=True))


@given(seed=st.integers(0, 10_000), kept=st.integers(30, 99))
def test_the_split_does_not_move(seed: int, kept: int) -> None:
    """A row keeps its side and its fold when rows go and when rows or columns change places, whatever its target."""
    table = raw(100, seed)
    before = by_content(clean(table, XY, PARAMS).table)
    shuffled = table.sample(kept, random_state=seed)[["y", "x"]].assign(y=0.0).reset_index(drop=True)
    after = by_content(clean(shuffled, XY, PARAMS).table)
    assert after.items() <= before.items()


def test_duplicates_go_to_one_side() -> None:
    """Rows with equal features share side and fold, so that no test row was seen in training."""
    table = pd.concat([raw(60), raw(60).assign(y=1.0)], ignore_index=True)
    folds = clean(table, XY, PARAMS).table["fold"]
    assert folds[:60].tolist() == folds[60:].tolist()


def test_shares_are_as_asked() -> None:
    """The test split and the folds have the sizes that were asked for, within chance (4 standard errors)."""
    fold = splitting.assign(raw(20_000), XY, 0.2, 5, splitting.Cuts())
    assert abs((fold == splitting.TEST).mean() - 0.2) < 4 * np.sqrt(0.16 / 20_000)
    shares = fold[fold != splitting.TEST].value_counts(normalize=True)
    assert (abs(shares - 0.2) < 4 * np.sqrt(0.16 / 16_000)).all()


def test_folds_do_not_follow_the_split() -> None:
    """Split, fold and sample are decided independently of each other."""
    table = raw(20_000)
    a, b = (splitting.assign(table, XY, fraction, 5, splitting.Cuts()) for fraction in (0.2, 0.6))
    kept = b[b != splitting.TEST]
    assert (a[kept.index] == kept).all()
    picked = sampling.sample(pd.Series(range(20_000)), 5_000)
    assert abs((b.iloc[picked] == splitting.TEST).mean() - 0.6) < 4 * np.sqrt(0.24 / 5_000)


def test_validation_rows_are_never_trained_on() -> None:
    """Each training row is validated once, by a fit without it, and rows of the test split take no part."""
    fold = np.array([0, 1, 2, splitting.TEST, 0, 1, 2, splitting.TEST])
    splits = splitting.splits(fold, XY)
    assert sorted(np.concatenate([held for _, held in splits])) == [0, 1, 2, 4, 5, 6]
    assert all(not set(train) & set(held) and splitting.TEST not in fold[train] for train, held in splits)
