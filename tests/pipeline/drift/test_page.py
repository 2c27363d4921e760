"""The page and the metrics of drift, and the stage that writes them."""

import json

import numpy as np
import pandas as pd
import pytest

from pipeline.contract.column import Column
from pipeline.drift import metrics, page
from stages.drift import compare
from tests.conftest import Project
from tests.tables import make_schema
from tests.weather import DRIFT, WEATHER, feedback


def test_the_page_stays_small() -> None:
    """With 500 features, 60 categories and names that look like HTML the page is under 300 kB, needs nothing from
    elsewhere, and escapes what it shows; the metrics and the plot stay small too."""
    names = [f"<b>f{k}</b>" for k in range(499)]
    wind = Column("w&w", "category", categories=tuple(f"<i>{k}" for k in range(60)))
    wide = make_schema(*(Column(name, "float") for name in names), wind, Column("y", "float", role="target"))
    generator = np.random.default_rng(0)
    reference, rows = (
        pd.DataFrame(generator.normal(by, 1, (n, 499)), columns=names).assign(
            **{"w&w": generator.choice(wind.categories, n)}
        )
        for n, by in ((300, 0), (500, 1))
    )
    moments = pd.date_range("2026-01-01", periods=500, freq="min", tz="UTC")
    report = compare(reference, rows.assign(prediction_time=moments), wide, DRIFT)
    shown = page.render(report)
    assert len(shown.encode()) < 300_000
    for unwanted in ("<b>f", "<i>0", "<script", "http://", "https://", "url("):
        assert unwanted not in shown
    assert len(json.dumps(metrics.metrics(report))) < 10_000
    assert len(metrics.plot_data(report)) == metrics.LISTED


@pytest.mark.parametrize("rows", [0, 60, 300])
def test_the_page_says_what_the_report_says(rows: int) -> None:
    """Every report, empty ones too, is a page with its verdict and summary; metrics have the same keys always."""
    report = compare(feedback(300, 0, 1.0), feedback(rows, 1, 2.0), WEATHER, DRIFT)
    shown = page.render(report)
    assert f"<b>{report['verdict']}</b>" in shown
    assert report["summary"][1:] in shown
    assert set(metrics.metrics(report)) >= {"verdict", "drift_detected", "retrain", "n_live", "expected_ratio"}


def test_the_stage_names_what_moved(reproduced: Project) -> None:
    """Test rows are `none`. Rows with LSTAT shifted and rooms scaled are an alarm that names both in every output."""
    rows = pd.read_parquet(reproduced.path("data/clean/test.parquet")).drop(columns=["row", "fold", "MEDV"])
    rows.to_csv(reproduced.path("data/live/rows.csv"), index=False)
    assert "drift: none (" in reproduced.stage("drift").stdout
    quiet = json.loads(reproduced.path("metrics/drift.json").read_text())
    assert (quiet["drift_detected"], quiet["retrain"], quiet["n_moved"]) == (False, False, 0)
    assert quiet["prediction_effect"] < 0.25
    rows.assign(LSTAT=rows["LSTAT"] + 8, RM=rows["RM"] * 0.8).to_csv(reproduced.path("data/live/rows.csv"), index=False)
    assert "standard deviations" in reproduced.stage("drift").stdout
    loud = json.loads(reproduced.path("metrics/drift.json").read_text())
    assert loud["verdict"] in ("shifted", "risk")
    assert {"LSTAT", "RM"} <= set(loud["moved"])
    for name in ("metrics/drift.html", "metrics/plots/drift.csv"):
        assert "LSTAT" in reproduced.path(name).read_text()
