"""Partitions of a raw table: their batches are the table, with its row numbers."""

from pathlib import Path

import pandas as pd
import pytest

from pipeline.distributed.executor import Executor
from pipeline.tables import csv_checks, csv_reader, partitions, raw_table


def read(folder: Path, rows: int) -> list[pd.DataFrame]:
    found = partitions.list_partitions(Executor().map, folder)
    return [batch for part in found for batch in partitions.batches(part, part.columns, rows)]


def test_batches_are_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CSV files larger than what is read at a time, with quoted line ends, blank lines and another column order, and
    row groups of a Parquet file: batches have the rows of the whole in their order, numbered through."""
    monkeypatch.setattr(csv_checks, "START", 2**20)
    monkeypatch.setattr(csv_reader, "BLOCK", 2**20)
    rows = pd.DataFrame({"number": range(60_000), "text": 'two\nlines, "quoted" and long enough for several blocks'})
    rows.astype(str).to_csv(tmp_path / "a.csv", index=False)
    rows.tail(10)[["text", "number"]].astype(str).to_csv(tmp_path / "b.csv", index=False, lineterminator="\r\n")
    with (tmp_path / "b.csv").open("ab") as file:
        file.write(b"\r\n\r\nlast,1\r\n")
    rows.astype(str).head(1000).to_parquet(tmp_path / "c.parquet", row_group_size=300)
    whole = raw_table.read(tmp_path)
    for size, least in ((10**6, 6), (5000, 9)):
        found = read(tmp_path, size)
        assert len(found) >= least
        pd.testing.assert_frame_equal(pd.concat(found), whole)


def test_a_file_without_rows_is_one_empty_batch(tmp_path: Path) -> None:
    """A CSV file that is a header has one batch with its columns; a Parquet file without row groups has none."""
    (tmp_path / "a.csv").write_text("x,y\n")
    pd.DataFrame({"x": [], "y": []}).to_parquet(tmp_path / "b.parquet")
    (batch, *_) = read(tmp_path, 10)
    assert (list(batch), len(batch)) == (["x", "y"], 0)
