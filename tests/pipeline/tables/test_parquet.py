"""pipeline.tables.parquet: typed tables and raw parts as Parquet files."""

from pathlib import Path

import pandas as pd
import pytest

from pipeline.tables import parquet


def test_arrow_opens_a_local_file_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No thread of Arrow holds a file object of Python, which aborts a process that ends in that moment."""
    path = tmp_path / "table.parquet"
    pd.DataFrame({"row": [1, 2]}).to_parquet(path)
    monkeypatch.setattr(parquet, "open_source", lambda source: pytest.fail(f"{source} was opened by Python"))
    assert parquet.read(path)["row"].tolist() == [1, 2]
