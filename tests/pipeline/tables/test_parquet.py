"""pipeline.tables.parquet: typed tables and raw parts as Parquet files."""

from pathlib import Path

import pandas as pd
import pytest

from pipeline.contract.column import Column
from pipeline.distributed.executor import Executor
from pipeline.drift import live_rows
from pipeline.tables import cell_parser, parquet, partitions, raw_table
from tests.tables import make_schema


def test_arrow_opens_a_local_file_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No thread of Arrow holds a file object of Python, which aborts a process that ends in that moment."""
    path = tmp_path / "table.parquet"
    pd.DataFrame({"row": [1, 2]}).to_parquet(path)
    monkeypatch.setattr(parquet, "open_source", lambda source: pytest.fail(f"{source} was opened by Python"))
    assert parquet.read(path)["row"].tolist() == [1, 2]


def test_an_index_of_pandas_is_a_column(tmp_path: Path) -> None:
    """A column that pandas stored as its index is a column to every reader, and row labels without a name are none;
    whole numbers beside missing cells stay exact."""
    more = {"0": pd.array([True, None, False], "boolean"), "id": pd.array([2**53 + 1, None, 3], "Int64")}
    table = pd.DataFrame({"AGE": [5, 9, 7], **more})
    table.set_index("AGE").to_parquet(tmp_path / "named.parquet")
    table.set_axis([3, 1, 5]).to_parquet(tmp_path / "unnamed.parquet")
    columns = (Column("AGE", "int"), Column("id", "category"), Column("0", "bool", nullable=True))
    live = live_rows.of_folder(tmp_path, make_schema(*columns, Column("y", "float", role="target")))
    frames = list(live.batches())
    for path in (tmp_path / "named.parquet", tmp_path / "unnamed.parquet"):
        assert sorted(raw_table.column_names(path)) == ["0", "AGE", "id"]
        parts = partitions.list_partitions(Executor().map, path)
        frames += [raw_table.read_part(path), *partitions.batches(parts[0], parts[0].columns, 10)]
    assert len(frames) == 6
    for frame in frames:
        typed, _ = cell_parser.parse(frame, columns)
        assert typed["AGE"].tolist() == [5, 9, 7]
        assert typed["id"].fillna("-").tolist() == [str(2**53 + 1), "-", "3"]
        assert typed["0"].isna().tolist() == [False, True, False]
