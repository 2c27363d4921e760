"""The wear of a test split: which earlier verdicts were on today's rows."""

import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.contract.column import Column
from pipeline.contract.errors import PipelineError
from pipeline.gate import wear
from pipeline.tables import cell_parser

COLUMNS = (
    Column("area", "float"),
    Column("rooms", "int", nullable=True),
    Column("sea", "bool"),
    Column("street", "category", categories=("n", "s")),
    Column("sold", "datetime", role="time"),
    Column("price", "float", role="target"),
)


def rows(n: int, seed: int = 0) -> pd.DataFrame:
    """Typed values, as a Parquet part has them."""
    generator = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "area": generator.normal(100, 20, n),
            "rooms": pd.array([None, *generator.integers(1, 9, n - 1)], dtype="Int64"),
            "sea": generator.random(n) < 0.5,
            "street": generator.choice(["n", "s"], n),
            "sold": pd.Timestamp("2024-01-01") + pd.to_timedelta(generator.integers(0, 9_000, n), unit="h"),
            "price": generator.normal(0, 1, n).round(2),
        }
    )


def sketched(raw: pd.DataFrame) -> str:
    return wear.sketch(cell_parser.parse(raw, COLUMNS)[0], COLUMNS)


def numbered(values: np.ndarray) -> str:
    """The sketch of rows that an id names."""
    return wear.sketch(pd.DataFrame({"id": values}), (Column("id", "int", role="id"),))


@pytest.mark.parametrize("n", [100, 1_000])
def test_neither_a_row_more_nor_the_order_nor_the_format_makes_another_split(n: int) -> None:
    """All rows of the earlier split count as seen in another order, or as text of a CSV file in place of Parquet; after
    one row more it alone is new."""
    table = rows(n)
    before = sketched(table)
    assert sketched(table.sample(frac=1, random_state=1).reset_index(drop=True)) == before
    text = pd.read_csv(io.StringIO(table.to_csv(index=False)), dtype=str, keep_default_na=False)
    assert sketched(text[reversed(text.columns)]) == before
    more = sketched(pd.concat([rows(1, seed=5), table], ignore_index=True))
    assert wear.share_seen(more, before) == pytest.approx(n / (n + 1), abs=1e-12 if n == 100 else 0.01)
    assert wear.share_seen(sketched(rows(n, seed=9)), before) == 0


@given(st.lists(st.integers(0, 60)), st.lists(st.integers(0, 60), min_size=1))
def test_small_splits_are_compared_exactly(earlier: list[int], today: list[int]) -> None:
    """With fewer than 128 rows in each split the share is that of today's rows, of which equal ones are counted."""
    left, seen = list(earlier), 0
    for value in today:
        if value in left:
            left.remove(value)
            seen += 1
    columns = (Column("x", "int"),)
    found = (wear.sketch(pd.DataFrame({"x": pd.array(each, "Int64")}), columns) for each in (today, earlier))
    assert max(len(earlier), len(today)) >= wear.SIZE or wear.share_seen(*found) == seen / len(today)


@pytest.mark.parametrize(("earlier", "error"), [(500, 0.05), (1_000, 0.05), (4_000, 0.1)])
def test_the_error_of_the_estimate_near_one_half(earlier: int, error: float) -> None:
    """Of 1,000 rows of which an earlier split had half, the estimate is unbiased; its standard error is 0.044 where the
    earlier split was no larger, and 0.089 where it was four times as large."""
    found = []
    for seed in range(200):
        drawn = np.random.default_rng(seed).permutation(10_000)
        found.append(wear.share_seen(numbered(drawn[:1_000]), numbered(drawn[500 : 500 + earlier])))
    assert np.std(found) < error
    assert np.mean(found) == pytest.approx(0.5, abs=4 * error / np.sqrt(200))


@pytest.mark.parametrize(
    ("today", "same"),
    [
        (range(1_000), True),  # the same rows
        (range(1_300), True),  # grown
        (range(3_000), False),  # grown so much that two rows of three were never judged on
        (range(300), True),  # a part of it
        (range(250, 1_250), True),  # a quarter replaced
        (range(750, 1_750), False),  # three quarters replaced
        (range(5_000, 6_000), False),  # other rows
    ],
)
def test_a_look_counts_where_it_had_more_than_half_of_todays_rows(today: range, same: bool) -> None:
    """The share is that of today's rows: a split that grew, or a part of it, stays worn until most rows are new."""
    line = {"test": "t", "champion": "c", "rmse_current": 1.0, "challenger": "a"}
    line["row_sketch"] = numbered(np.arange(1_000))
    assert wear.looks([line], "u", numbered(np.array(today)), "mine") == (["a"] if same else [])


def test_wear_counts_other_files_on_the_same_rows() -> None:
    """Distinct challengers that met a champion on these rows count; the same file again, first models, a champion
    against itself, other splits and promotions do not. A line without a sketch matches by the hash of the file."""
    line = {"test": "t", "champion": "c", "rmse_current": 1.0, "verdict": "keep"}
    sketch, other = numbered(np.arange(100)), numbered(np.arange(900, 1_000))
    lines = [
        {**line, "challenger": "a"},
        {**line, "challenger": "a", "row_sketch": sketch},
        {**line, "challenger": "b", "test": "s", "row_sketch": sketch},
        {**line, "challenger": "mine"},
        {**line, "challenger": "c"},
        {**line, "challenger": "d", "test": "u"},
        {**line, "challenger": "e", "test": "u", "row_sketch": other},
        {**line, "challenger": "f", "champion": None, "rmse_current": None},
        {"promoted": "a", "forced": False},
    ]
    assert wear.looks(lines, "t", sketch, "mine") == ["a", "b"]
    assert wear.looks(lines, "t", sketch, "a") == ["b", "mine"]
    assert wear.looks([], "t", sketch, "a") == []


@pytest.mark.parametrize("sketch", ["xyz", "123", 5, None])
def test_a_sketch_that_is_none_is_an_error(sketch: object) -> None:
    """A spoilt sketch is no other split: it is named."""
    line = {"champion": "c", "rmse_current": 1.0, "challenger": "a", "row_sketch": sketch}
    with pytest.raises(PipelineError, match=r"history.jsonl: expected a sketch of rows in hex under 'row_sketch'"):
        wear.looks([line], "t", numbered(np.arange(9)), "mine")
