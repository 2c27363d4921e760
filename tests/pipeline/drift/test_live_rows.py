"""Live rows from CSV and Parquet files, with and without times, in windows."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.contract.column import Column
from pipeline.contract.errors import PipelineError
from pipeline.drift import live_rows, metrics, page, windows
from stages.drift import compare
from tests.tables import make_schema
from tests.weather import DRIFT, WEATHER, timed, weather


def report_of(folder: Path) -> dict:
    return compare(weather(300, 5), live_rows.of_folder(folder, WEATHER), WEATHER, DRIFT)


def test_alpha_is_spent_once() -> None:
    """The shares of any number of windows add up to less than 1."""
    spent = np.cumsum([windows.share(k) for k in range(1, 50_001)])
    assert (np.diff(spent) > 0).all()
    assert spent[-1] == pytest.approx(1 - 1 / math.log2(50_002))


def test_a_change_is_dated() -> None:
    """Windows follow the order of time, whatever the order in the file; rows without a time are counted and in none.
    The report names the first window that alarms and shows the figures from there on."""
    rows = pd.concat([timed(1_000, 1), weather(20, 2)], ignore_index=True)
    rows.loc[600:, "heat"] += 8.0
    report = compare(weather(400, 0), rows.sample(frac=1, random_state=0), WEATHER, DRIFT)
    assert (report["verdict"], report["n_live"], report["n_untimed"]) == ("shifted", 1_020, 20)
    assert report["began"] == {"first": "2026-01-01T10:00:00Z", "last": "2026-01-01T11:39:00Z"}
    assert [bool(window["alarms"]) for window in report["timeline"]] == [False] * 6 + [True] * 3
    assert report["features"]["heat"]["mean_shift"] == pytest.approx(8 / 5, abs=0.2)


def test_later_rows_change_no_earlier_window() -> None:
    """The result of a window stays when rows are appended."""
    rows, reference = timed(1_250, 1), weather(400, 0)
    before, after = (compare(reference, rows.head(n), WEATHER, DRIFT)["timeline"] for n in (780, 1_250))
    assert [window["rows"] for window in after] == [100] * 8 + [200] * 2
    assert after[: len(before)] == before


def test_live_rows_are_read_from_csv_and_parquet(tmp_path: Path) -> None:
    """Files give the same report as one table, and a column that a file lacks is missing there. A file that is no table
    or lacks the time is an error that names it."""
    rows = weather(300, 0)
    rows.to_csv(tmp_path / "a.csv", index=False)
    rows.to_parquet(tmp_path / "b.parquet", index=False)
    assert report_of(tmp_path) == compare(weather(300, 5), pd.concat([rows, rows]), WEATHER, DRIFT)
    rows.drop(columns="heat").to_csv(tmp_path / "c.csv", index=False)
    assert report_of(tmp_path)["features"]["heat"]["rates"]["missing"][1] == pytest.approx(1 / 3)
    for name, content in (("d.csv", "heat,rain\n1,2,3\n"), ("d.parquet", "heat")):
        (tmp_path / name).write_text(content)
        with pytest.raises(PipelineError, match=name):
            report_of(tmp_path)
        (tmp_path / name).unlink()
    timed(10, 0).to_csv(tmp_path / "e.csv", index=False)
    with pytest.raises(PipelineError, match=r"a\.csv has no column prediction_time"):
        report_of(tmp_path)


def test_times_are_read_in_any_form() -> None:
    """Times as timestamps, as ISO 8601 text and as numbers of the schema's time column order the rows alike."""
    rows = timed(300, 1)
    rows.loc[200:, "heat"] += 10
    texts = rows.assign(prediction_time=rows["prediction_time"].map(lambda moment: moment.isoformat()))
    days = rows.drop(columns="prediction_time").assign(day=range(300))
    own = make_schema(*WEATHER.columns, Column("day", "int", role="time"))
    for table, schema in ((rows, WEATHER), (texts, WEATHER), (days, own)):
        timeline = compare(weather(300, 0), table, schema, DRIFT)["timeline"]
        assert [window["alarms"] for window in timeline] == [[], [], ["heat"]]


@pytest.mark.parametrize("cell", ["10:05", "01/02/2026", "1764497100", "yesterday"])
@pytest.mark.parametrize("name", ["prediction_time", "time", "day"])
def test_an_unreadable_time_is_data_quality(tmp_path: Path, name: str, cell: str) -> None:
    """A time that cannot be read is `data_quality`, names column and cell, and the rest is judged without time, so that
    a shift is still found; with few rows too."""
    schema = make_schema(*WEATHER.columns, Column("day", "category", role="time"))
    rows = timed(300, 1).rename(columns={"prediction_time": name})
    rows[name] = rows[name].astype("str").where(rows.index != 7, cell)

    def report(table: pd.DataFrame) -> dict:
        table.to_csv(tmp_path / "rows.csv", index=False)
        return compare(weather(400, 0), live_rows.of_folder(tmp_path, schema), schema, DRIFT)

    said = f"{name}: 1 cell cannot be read as a time, such as {cell!r}"
    found = report(rows)
    assert (found["verdict"], found["drift_detected"], found["timeline"]) == ("data_quality", True, [])
    assert [finding[: len(said)] for finding in found["findings"]] == [said]
    assert "Drift: <b>data quality</b>" in page.render(found)
    moved = report(rows.assign(heat=rows["heat"] + 5))
    assert (moved["verdict"], moved["findings"][-1][: len(said)]) == ("shifted", said)
    few = report(rows.head(10))
    assert (few["verdict"], few["drift_detected"], few["summary"][: len(said)]) == ("data_quality", True, said)
    assert "10 live rows, too few" in page.render(few)
    assert metrics.metrics(few)["findings"] == [few["summary"]]


def test_a_column_that_no_file_has_is_missing(tmp_path: Path) -> None:
    """A feature that no file has is `data_quality`, whatever the predictions do; text is no prediction. An empty folder
    has no columns."""
    reference = weather(300, 0).assign(prediction=lambda t: t["heat"] + t["rain"], residual=1.0)
    assert live_rows.of_folder(tmp_path, WEATHER).columns == ()
    weather(200, 1).drop(columns="heat").assign(prediction="hot").to_csv(tmp_path / "rows.csv", index=False)
    rows = live_rows.of_folder(tmp_path, WEATHER)
    for predict in (None, lambda part: part["heat"].fillna(0.0).to_numpy()):
        report = compare(reference, rows, WEATHER, DRIFT, predict=predict)
        assert report["verdict"] == "data_quality"
        assert "heat: 100% of the values are missing, before 0%" in report["findings"]


@pytest.mark.parametrize("arrival", [{}, {"prediction_time": "2026-01-01T10:00:00Z"}])
def test_a_time_that_the_model_sees_is_missing_too(tmp_path: Path, arrival: dict) -> None:
    """A column of time of which the model sees parts, and which no file has, is `data_quality` by its name; the other
    columns are judged without it."""
    schema = make_schema(*WEATHER.columns, Column("day", "datetime", role="time", parts=("month",)))
    reference = weather(300, 0).assign(day=pd.date_range("2026-01-01", periods=300, tz="UTC"))
    weather(200, 1).assign(**arrival).to_csv(tmp_path / "rows.csv", index=False)
    report = compare(reference, live_rows.of_folder(tmp_path, schema), schema, DRIFT)
    assert report["verdict"] == "data_quality"
    assert "day: 100% of the values are missing, before 0%" in report["findings"]


def test_a_list_in_a_cell_is_an_error(tmp_path: Path) -> None:
    """A Parquet file with lists in a column that is compared is refused by name; other columns may hold them."""
    weather(60, 1).assign(note=[[1]] * 60).to_parquet(tmp_path / "rows.parquet")
    assert report_of(tmp_path)["verdict"] == "none"
    weather(60, 1).assign(heat=[[1]] * 60).to_parquet(tmp_path / "rows.parquet")
    with pytest.raises(PipelineError, match=r"column heat holds list.*, expected one value a row"):
        report_of(tmp_path)
