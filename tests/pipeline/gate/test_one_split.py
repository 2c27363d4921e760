"""Cross-validation of a table that has one split."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from pipeline.contract import paths
from pipeline.contract.column import Column
from pipeline.gate import repeated_cv
from pipeline.tables import parquet
from tests.tables import make_schema


def test_one_split_shows_no_spread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a time column and two folds there is one split: the sentence says so, and makes no interval of it."""
    monkeypatch.chdir(tmp_path)
    schema = make_schema(Column("t", "float", "time"), Column("a", "float"), Column("y", "float", "target"))
    columns = {"row": range(20), "t": np.arange(20.0), "a": np.arange(20.0), "fold": np.arange(20) // 10}
    parquet.write(pd.DataFrame({**columns, "y": np.arange(20) % 7 + 1.0}), paths.TRAIN)
    monkeypatch.setattr(repeated_cv.recipe, "read", lambda _: SimpleNamespace(schema=schema))
    monkeypatch.setattr(repeated_cv, "errors", lambda model, table, splits: np.ones(len(splits)))
    assert repeated_cv.sentence(b"", b"").endswith("change of RMSE: none, one split shows no spread.")
