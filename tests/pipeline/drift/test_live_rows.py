"""Live rows as they come: from CSV and Parquet, with and without times, in blocks."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.contract.errors import PipelineError
from pipeline.contract.schema import Column, Schema
from pipeline.drift import live_rows, windows
from stages.drift import compare
from tests.weather import DRIFT, WEATHER, timed, weather


def test_alpha_is_spent_once() -> None:
    """The shares of all blocks add up to at most the whole, however many there are."""
    spent = np.cumsum([windows.share(k) for k in range(1, 50_001)])
    assert (np.diff(spent) > 0).all()
    assert spent[-1] == pytest.approx(1 - 1 / math.log2(50_002))


def test_a_change_is_dated() -> None:
    """Rows with a time are judged in blocks, in the order of time whatever their order in the file; the report names
    the first block that alarms and shows the figures from there on."""
    rows = timed(1_000, 1)
    rows.loc[600:, "heat"] += 8.0
    report = compare(weather(400, 0), rows.sample(frac=1, random_state=0), WEATHER, DRIFT)
    assert report["verdict"] == "shifted"
    assert report["began"] == {"first": "2026-01-01T10:00:00Z", "last": "2026-01-01T11:39:00Z"}
    assert [bool(block["alarms"]) for block in report["timeline"]] == [False] * 6 + [True] * 3
    assert report["features"]["heat"]["mean_shift"] == pytest.approx(8 / 5, abs=0.2)


def test_later_rows_change_no_earlier_block() -> None:
    """What was said of a block stays what it was when rows are appended; rows that fill no block wait."""
    rows, reference = timed(1_250, 1), weather(400, 0)
    before, after = (compare(reference, rows.head(n), WEATHER, DRIFT)["timeline"] for n in (780, 1_250))
    assert [block["rows"] for block in after] == [100] * 8 + [200] * 2
    assert after[: len(before)] == before
    assert compare(reference, rows.head(99), WEATHER, DRIFT)["verdict"] == "insufficient"


def test_rows_without_a_moment_are_counted_and_not_judged() -> None:
    """A live row with no time is in no block, and the report says how many there are."""
    rows = timed(220, 1)
    rows.loc[::11, "prediction_time"] = pd.NaT
    report = compare(weather(300, 0), rows, WEATHER, DRIFT)
    assert (report["n_live"], report["n_untimed"], len(report["timeline"])) == (220, 20, 2)


def test_live_rows_are_read_from_csv_and_parquet(tmp_path) -> None:
    """data/live may hold CSV and Parquet parts, which give the same counts as one table; a column that a part lacks is
    missing there, and a part that is no table is an error that names it."""
    rows = weather(300, 0)
    rows.to_csv(tmp_path / "a.csv", index=False)
    rows.to_parquet(tmp_path / "b.parquet", index=False)
    both = compare(weather(300, 5), live_rows.of_folder(tmp_path, WEATHER), WEATHER, DRIFT)
    assert both == compare(weather(300, 5), pd.concat([rows, rows]), WEATHER, DRIFT)
    rows.drop(columns="heat").to_csv(tmp_path / "c.csv", index=False)
    thirds = compare(weather(300, 5), live_rows.of_folder(tmp_path, WEATHER), WEATHER, DRIFT)
    assert thirds["features"]["heat"]["rates"]["missing"][1] == pytest.approx(1 / 3)
    (tmp_path / "d.csv").write_text("heat,rain\n1,2,3\n")
    with pytest.raises(PipelineError, match=r"d\.csv"):
        compare(weather(300, 5), live_rows.of_folder(tmp_path, WEATHER), WEATHER, DRIFT)
    (tmp_path / "d.csv").unlink()
    timed(10, 0).to_csv(tmp_path / "e.csv", index=False)
    with pytest.raises(PipelineError, match=r"a\.csv has no column prediction_time"):
        live_rows.of_folder(tmp_path, WEATHER)


def test_times_are_read_in_any_form(tmp_path) -> None:
    """Times as timestamps, as ISO 8601 text and as numbers of the schema's time column order the rows alike."""
    rows = timed(300, 1)
    rows.loc[200:, "heat"] += 10
    texts = rows.assign(prediction_time=rows["prediction_time"].map(lambda moment: moment.isoformat()))
    own = Schema(version=1, source=WEATHER.source, columns=(*WEATHER.columns, Column("day", "int", role="time")))
    reports = [
        compare(weather(300, 0), table, about, DRIFT)["timeline"]
        for table, about in (
            (rows, WEATHER),
            (texts, WEATHER),
            (rows.drop(columns="prediction_time").assign(day=range(300)), own),
        )
    ]
    assert [[block["alarms"] for block in report] for report in reports] == [[[], [], ["heat"]]] * 3


def test_a_column_that_no_file_has_is_missing(tmp_path: Path) -> None:
    """A feature that a file of live rows does not have is missing there and alarms, and the predictions that move with
    it change nothing in that; text for a prediction is none; in an empty folder nothing is."""
    reference = weather(300, 0).assign(prediction=lambda t: t["heat"] + t["rain"], residual=1.0)
    assert live_rows.of_folder(tmp_path, WEATHER).columns == ()
    weather(200, 1).drop(columns="heat").assign(prediction="hot").to_csv(tmp_path / "rows.csv", index=False)
    rows = live_rows.of_folder(tmp_path, WEATHER)
    for predict in (None, lambda part: part["heat"].fillna(0.0).to_numpy()):
        report = compare(reference, rows, WEATHER, DRIFT, predict=predict)
        assert report["verdict"] == "data_quality"
        assert "heat: 100% of the values are missing, before 0%" in report["findings"]


def test_a_list_in_a_cell_is_an_error(tmp_path: Path) -> None:
    """A Parquet file with lists in a column that is compared is refused by name; in others it is no matter."""
    weather(60, 1).assign(note=[[1]] * 60).to_parquet(tmp_path / "rows.parquet")
    assert compare(weather(300, 0), live_rows.of_folder(tmp_path, WEATHER), WEATHER, DRIFT)["verdict"] == "none"
    weather(60, 1).assign(heat=[[1]] * 60).to_parquet(tmp_path / "rows.parquet")
    with pytest.raises(PipelineError, match=r"column heat holds list.*, expected one value a row"):
        compare(weather(300, 0), live_rows.of_folder(tmp_path, WEATHER), WEATHER, DRIFT)
