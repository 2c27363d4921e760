"""Labelled live rows that count as test rows."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.contract import paths
from pipeline.contract.column import Column
from pipeline.contract.errors import PipelineError
from pipeline.gate import unseen_rows
from pipeline.tables import parquet
from tests.tables import make_schema

SCHEMA = make_schema(
    Column("a", "float"), Column("b", "category", categories=("x", "y")), Column("y", "float", "target")
)


@pytest.fixture
def splits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    """A training and a test split in this folder, and an empty data/live; returns the rows of both."""
    monkeypatch.chdir(tmp_path)
    paths.LIVE.mkdir(parents=True)
    rows = pd.DataFrame({"a": np.arange(10.0), "b": pd.Categorical(["x", "y"] * 5), "y": np.arange(10.0) * 2})
    table = rows.assign(row=range(10), fold=np.arange(10) % 3 - 1)
    parquet.write(table[table["fold"] >= 0], paths.TRAIN)
    parquet.write(table[table["fold"] < 0], paths.TEST)
    return rows


def test_rows_that_a_model_has_seen_do_not_count(splits: pd.DataFrame) -> None:
    """Rows of the training and the test split, and those without a target, are no fresh evidence; the others are typed
    as the splits are. The last of two rows with one prediction id counts."""
    new = pd.DataFrame({"a": [50.0, 51, 51], "b": ["x", "y", "y"], "y": [1.0, 2, 3], "prediction_id": ["k", "m", "m"]})
    unlabelled = pd.DataFrame({"a": [60.0], "b": ["x"], "y": [np.nan], "prediction_id": ["n"]})
    seen = splits.astype({"b": "str"}).assign(prediction_id=[f"s{row}" for row in range(10)])
    pd.concat([seen, new, unlabelled]).to_csv(paths.LIVE / "rows.csv", index=False)
    found = unseen_rows.labelled(SCHEMA).table
    assert found[["a", "b", "y"]].astype({"b": "str"}).values.tolist() == [[50.0, "x", 1.0], [51.0, "y", 3.0]]
    assert found.dtypes["a"] == "float64"


def test_a_row_that_was_sent_again_counts_once(splits: pd.DataFrame) -> None:
    """Equal rows, in one file or in two, are one row of evidence: copies would make the gate surer than it may be."""
    sent = pd.DataFrame({"a": [50.0, 50, 51], "b": ["x", "x", "y"], "y": [1.0, 1, 2], "prediction_id": ["k", "l", "m"]})
    sent.to_csv(paths.LIVE / "first.csv", index=False)
    sent.drop(columns="prediction_id").to_csv(paths.LIVE / "second.csv", index=False)
    assert unseen_rows.labelled(SCHEMA).table["a"].tolist() == [50, 51]


def test_no_live_rows(splits: pd.DataFrame) -> None:
    """An empty folder, and live rows without a target column, add nothing."""
    assert unseen_rows.labelled(SCHEMA).table.empty
    splits.astype({"b": "str"}).drop(columns="y").to_parquet(paths.LIVE / "rows.parquet")
    assert unseen_rows.labelled(SCHEMA).table.empty


def test_rows_that_training_would_reject_are_counted(splits: pd.DataFrame) -> None:
    """A labelled row with a category that the schema does not know is no evidence, and does not vanish silently."""
    pd.DataFrame({"a": [50.0, 51], "b": ["x", "z"], "y": [1.0, 2]}).to_csv(paths.LIVE / "rows.csv", index=False)
    table, unusable = unseen_rows.labelled(SCHEMA)
    assert (len(table), unusable.tolist()) == (1, ["b unknown_category"])


def test_an_unreadable_live_file_is_an_error(splits: pd.DataFrame) -> None:
    """A damaged file is not taken for an absent one."""
    (paths.LIVE / "rows.parquet").write_bytes(b"PAR1 half")
    with pytest.raises(PipelineError, match=r"data/live/rows\.parquet"):
        unseen_rows.labelled(SCHEMA)
