"""Which files of a folder are tables, for every command that reads one."""

from pathlib import Path

import pytest

from ops import schema
from pipeline.contract.errors import PipelineError
from pipeline.drift import live_rows
from pipeline.tables import partitions, sources
from tests.tables import make_schema
from tests.weather import WEATHER


@pytest.mark.parametrize("name", ["table.xlsx", "table.XLS"])
def test_a_workbook_is_named(tmp_path: Path, name: str) -> None:
    """An Excel workbook is an error that says what to do: in data/raw, in data/live, to `infer` and to `score`, by its
    name or beside other files."""
    (tmp_path / name).write_bytes(b"PK")
    readers = [
        lambda: sources.list_sources(tmp_path),
        lambda: live_rows.of_folder(tmp_path, WEATHER),
        lambda: schema.print_inferred(tmp_path / name, "y"),
        lambda: partitions.list_partitions(lambda function, items, label: [], tmp_path / name),
    ]
    for read in readers:
        with pytest.raises(PipelineError, match=rf"{name} is an Excel workbook: save the sheet as CSV"):
            read()


def test_a_companion_of_macos_is_skipped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file `._rows.csv` beside live rows is skipped with a word, and so is Excel's mark of an open workbook."""
    (tmp_path / "rows.csv").write_text("heat\n1\n")
    (tmp_path / "._rows.csv").write_bytes(b"\x00")
    (tmp_path / "~$rows.xlsx").write_bytes(b"")
    assert live_rows.of_folder(tmp_path, make_schema(*WEATHER.columns)).columns == ("heat", "rain", "wind", "seen")
    assert "._rows.csv is skipped" in capsys.readouterr().err
