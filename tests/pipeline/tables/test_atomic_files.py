"""Files that are whole or absent."""

from pathlib import Path

import pytest

from pipeline.tables.atomic_files import replacing


def test_two_writers_share_no_partial_file(tmp_path: Path) -> None:
    """Two writers of one file write beside it under different names, even with the same process id, as in two
    containers; the one that ends last wins, and nothing else is left."""
    target = tmp_path / "table.parquet"
    with replacing(target) as first, replacing(target) as second:
        assert first != second
        assert {first.suffix, second.suffix} == {".partial"}
        first.write_text("first")
        second.write_text("second")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("table.parquet", "first")]


def test_an_error_leaves_the_old_file(tmp_path: Path) -> None:
    """A writer that fails leaves the file as it was, and no partial file."""
    target = tmp_path / "table.parquet"
    target.write_text("old")

    def fail() -> None:
        with replacing(target) as partial:
            partial.write_text("half")
            raise OSError("disk full")

    with pytest.raises(OSError, match="full"):
        fail()
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("table.parquet", "old")]
