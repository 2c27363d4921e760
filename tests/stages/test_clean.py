"""Cells to typed rows: nothing silently wrong, and a split that stays where it is."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.contract.errors import PipelineError
from pipeline.contract.params import Clean
from pipeline.contract.schema import Column, Schema
from pipeline.tables import cell_parser, row_hash, sampling, splitting
from stages.clean import clean
from tests.tables import make_schema

PARAMS = Clean(min_rows=1, test_fraction=0.3, folds=2, max_rejected_fraction=0.5)


def numbers(n: int, seed: int = 0) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    return pd.DataFrame({"a": generator.normal(size=n), "b": generator.normal(size=n), "y": generator.normal(size=n)})


AB = make_schema(Column("a", "float"), Column("b", "float"), Column("y", "float", role="target"))


def test_cells_become_typed_values(raw: pd.DataFrame, schema: Schema) -> None:
    """Text cells become floats, integers, booleans and categories; the markers of missing stay missing."""
    typed, problems = cell_parser.parse(raw, schema.used)
    assert problems.empty
    assert typed["area"].tolist() == [50, 60.5, 70, 80, 90]
    assert typed["rooms"].isna().tolist() == [False, False, True, True, False]
    assert typed["rooms"].dropna().tolist() == [2, 3, 5]
    assert typed["garden"].fillna(False).tolist() == [True, False, False, True, False]
    # This schema names a category `NA`, so there it is a value and no marker.
    assert typed["street"].astype(object).where(typed["street"].notna(), None).tolist() == [
        "north",
        "south",
        None,
        "NA",
        "north",
    ]
    assert [str(dtype) for dtype in typed.dtypes] == ["float64", "Int64", "boolean", "category", "float64"]


def test_typed_cells_need_no_text(raw: pd.DataFrame, schema: Schema) -> None:
    """A table whose columns are numbers already gives the same values as its text."""
    numeric = raw.drop(columns=["garden", "street"]).apply(lambda c: pd.to_numeric(c.replace("NA", "")))
    columns = tuple(column for column in schema.used if column.name in numeric)
    pd.testing.assert_frame_equal(cell_parser.parse(numeric, columns)[0], cell_parser.parse(raw, columns)[0])


@pytest.mark.parametrize(
    ("column", "cell", "reason"),
    [
        ("area", "fifty", "unparseable"),
        ("area", "1,5", "unparseable"),
        ("area", "1e400", "unparseable"),
        ("area", "inf", "unparseable"),
        ("area", "0x10", "unparseable"),
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
    """A row with a cell that the schema does not allow is rejected, with the column, the reason and the cell."""
    raw.loc[3, column] = cell
    typed, problems = cell_parser.parse(raw, schema.used)
    assert problems.to_dict("records") == [{"row": 3, "column": column, "reason": reason, "value": cell}]
    assert len(typed) == len(raw)


def test_rejected_rows_are_kept_with_their_cells(raw: pd.DataFrame, schema: Schema) -> None:
    """Rows in = rows of both splits + rejected rows, and a rejected row keeps its raw cells."""
    raw = pd.concat([raw] * 20, ignore_index=True).assign(area=[str(10 + i) for i in range(100)])
    raw.loc[7, "street"] = "west"
    cleaned = clean(raw, schema, PARAMS)
    assert cleaned.counts["rows_in"] == 100 == len(cleaned.table) + len(cleaned.rejected)
    assert cleaned.counts["rejected_unknown_category"] == cleaned.counts["rejected"] == 1
    assert cleaned.rejected.loc[0, ["row", "column", "street"]].tolist() == [7, "street", "west"]
    assert sorted([*cleaned.table["row"], 7]) == list(range(100))


def test_too_many_rejected_rows_stop_the_run(raw: pd.DataFrame, schema: Schema) -> None:
    """More rejected rows than allowed are an error with the worst column and example rows."""
    raw["rooms"] = "many"
    with pytest.raises(PipelineError, match=r"5 of 5 rows are rejected.*column rooms: row 0: rooms = 'many'.*row 2"):
        clean(raw, schema, PARAMS)


def test_a_missing_column_is_named(raw: pd.DataFrame, schema: Schema) -> None:
    """A table without a column of the schema is an error that names it and the columns that are there."""
    with pytest.raises(PipelineError, match=r"no column price; it has area, rooms"):
        clean(raw.drop(columns="price"), schema, PARAMS)


def test_too_few_rows_stop_the_run(raw: pd.DataFrame, schema: Schema) -> None:
    """Fewer rows than clean.min_rows are an error."""
    with pytest.raises(PipelineError, match=r"has 5 rows, expected at least clean.min_rows = 9"):
        clean(raw, schema, Clean(min_rows=9, test_fraction=0.3, folds=2, max_rejected_fraction=0.5))


def by_content(table: pd.DataFrame) -> dict[tuple[float, ...], int]:
    return {tuple(line[:2]): line[-1] for line in table[["a", "b", "fold"]].itertuples(index=False)}


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), kept=st.integers(30, 99))
def test_the_split_does_not_move(seed: int, kept: int) -> None:
    """A row keeps its side and its fold when rows go and when rows or columns change places, whatever its target."""
    table = numbers(100, seed)
    before = by_content(clean(table, AB, PARAMS).table)
    shuffled = table.sample(kept, random_state=seed)[["y", "b", "a"]].assign(y=0.0).reset_index(drop=True)
    after = by_content(clean(shuffled, AB, PARAMS).table)
    assert after.items() <= before.items()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=30))
def test_the_split_does_not_see_the_format(values: list[int]) -> None:
    """24, 24.0, +24 and 2.4e1 are one value: the hash of their rows is the same."""
    columns = (Column("a", "float"),)
    forms = [
        [str(v) for v in values],
        [f"{v}.0" for v in values],
        [f"{v:+d}" for v in values],
        [f"{v:e}" for v in values],
    ]
    hashes = [
        row_hash.hash_rows(cell_parser.parse(pd.DataFrame({"a": form}), columns)[0], columns).tolist() for form in forms
    ]
    assert hashes[0] == hashes[1] == hashes[2] == hashes[3]


def test_duplicates_go_to_one_side() -> None:
    """Rows with equal features share side and fold, so that no test row was seen in training."""
    table = pd.concat([numbers(60), numbers(60).assign(y=1.0)], ignore_index=True)
    folds = clean(table, AB, PARAMS).table["fold"]
    assert folds[:60].tolist() == folds[60:].tolist()


def test_shares_are_as_asked() -> None:
    """The test split and the folds have the sizes that were asked for, within chance (4 standard errors)."""
    fold = splitting.assign(numbers(20_000), AB, 0.2, 5, None)
    assert abs((fold == splitting.TEST).mean() - 0.2) < 4 * np.sqrt(0.16 / 20_000)
    shares = fold[fold != splitting.TEST].value_counts(normalize=True)
    assert (abs(shares - 0.2) < 4 * np.sqrt(0.16 / 16_000)).all()


def test_folds_do_not_follow_the_split() -> None:
    """Split, fold and sample are decided independently of each other."""
    table = numbers(20_000)
    a, b = (splitting.assign(table, AB, fraction, 5, None) for fraction in (0.2, 0.6))
    kept = b[b != splitting.TEST]
    assert (a[kept.index] == kept).all()
    picked = sampling.sample(pd.Series(range(20_000)), 5_000)
    assert abs((b.iloc[picked] == splitting.TEST).mean() - 0.6) < 4 * np.sqrt(0.24 / 5_000)


def test_validation_rows_are_never_trained_on() -> None:
    """Each training row is validated once, by a fit without it, and rows of the test split take no part."""
    fold = np.array([0, 1, 2, splitting.TEST, 0, 1, 2, splitting.TEST])
    held = [h for _, h in splitting.splits(fold, AB)]
    assert sorted(np.concatenate(held)) == [0, 1, 2, 4, 5, 6]
    assert all(not set(train) & set(h) and splitting.TEST not in fold[train] for train, h in splitting.splits(fold, AB))
