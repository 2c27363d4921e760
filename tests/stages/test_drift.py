"""Drift: the report on live rows that differ from the reference, and on those that do not."""

import json
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from msgspec.structs import replace

from pipeline.contract.column import Column
from pipeline.drift import expected_loss, page
from stages.drift import compare
from tests.tables import make_schema
from tests.weather import DRIFT, WEATHER, feedback, timed, weather

NUMBERS = make_schema(*(Column(name, "float", nullable=True) for name in "abc"), Column("y", "float", role="target"))


def alarming(report: dict) -> list[str]:
    """Return the features that alarm by themselves."""
    return [n for n, f in report["features"].items() if any(isinstance(t, dict) and t.get("alarm") for t in f.values())]


def numbers(n: int, correlation: float, seed: int) -> pd.DataFrame:
    covariance = [[1, correlation, 0], [correlation, 1, 0], [0, 0, 1]]
    drawn = np.random.default_rng(seed).multivariate_normal([0, 0, 0], covariance, n)
    return pd.DataFrame(drawn, columns=list("abc"))


def hot_rows_err(n: int) -> pd.DataFrame:
    """Return reference rows whose residuals are large where it is hot."""
    return weather(n, 0).assign(residual=lambda t: np.where(t["heat"] > 22, 5.0, 1.0))


@pytest.mark.parametrize("rows", [pd.DataFrame(), weather(49, 1).assign(heat=99.0), timed(99, 1).assign(heat=99.0)])
def test_few_live_rows_are_no_verdict(rows: pd.DataFrame) -> None:
    """Below drift.min_rows, or drift.window_rows with a time, the report says `insufficient` and detects nothing."""
    report = compare(weather(300, 0), rows, WEATHER, DRIFT)
    assert (report["verdict"], report["drift_detected"], report["retrain"]) == ("insufficient", False, False)


@pytest.mark.parametrize(
    ("change", "verdict", "broken", "feature"),
    [
        ({"heat": lambda t: t["heat"] + 5}, "shifted", False, "heat"),
        ({"heat": lambda t: 1000.0 + t["heat"]}, "shifted", False, "heat"),
        ({"heat": lambda t: 3000.0 + t["heat"]}, "shifted", True, "heat"),
        ({"rain": lambda t: t.index % 3 > 0}, "shifted", False, "rain"),
        ({"wind": lambda t: "n"}, "shifted", False, "wind"),
        ({"heat": lambda t: t["heat"].where(t.index % 5 > 0)}, "data_quality", True, "heat"),
        ({"heat": lambda t: np.nan}, "data_quality", True, "heat"),
        ({"wind": lambda t: t["wind"].where(t.index % 5 > 0, "up")}, "data_quality", True, "wind"),
        ({"heat": lambda t: t["heat"].map(str).where(t.index % 5 > 0, "hot")}, "data_quality", True, "heat"),
    ],
)
def test_drift_is_found_and_named(change: dict, verdict: str, broken: bool, feature: str) -> None:
    """In 200 rows each change is found, and no other feature is named: a shift, values beyond the reference or the
    bounds, other shares of a bool or a category, missing values, unknown categories, text for numbers. A shift asks for
    a retrain, unless values are broken."""
    report = compare(weather(300, 0), weather(200, 1).assign(**change), WEATHER, DRIFT)
    assert (report["verdict"], report["drift_detected"], alarming(report)) == (verdict, True, [feature])
    assert feature in report["summary"]
    assert (report["retrain"], report["broken"]) == (not broken, broken)
    json.dumps(report, allow_nan=False)


def test_broken_values_are_never_learned_from() -> None:
    """Missing values beside a shift, and beside errors that grew, leave the verdict as it is and ask for no retrain.
    A feature that is stuck at a new value is a shift: the rows may come from one place."""
    gone = {"wind": lambda t: t["wind"].where(t.index % 5 > 0)}
    for reference, rows, verdict in (
        (weather(300, 0), weather(200, 1).assign(heat=lambda t: t["heat"] + 5), "shifted"),
        (feedback(400, 0, 1.0), feedback(300, 1, 2.0), "risk"),
    ):
        whole, broken = (compare(reference, table, WEATHER, DRIFT) for table in (rows, rows.assign(**gone)))
        assert (whole["verdict"], whole["retrain"], whole["broken"]) == (verdict, True, False)
        assert (broken["verdict"], broken["retrain"], broken["broken"]) == (verdict, False, True)
        assert "Nothing is learned from broken values." in page.render(broken)
    stuck = compare(weather(300, 0), weather(200, 1).assign(heat=35.0), WEATHER, DRIFT)
    assert stuck["features"]["heat"]["constant"]["alarm"]
    assert (stuck["verdict"], stuck["retrain"]) == ("shifted", True)


def test_a_stuck_feature_is_found() -> None:
    """A feature that is 0 in most reference rows and in all live rows alarms as constant; with one other value it does
    not."""
    reference = weather(600, 0).assign(heat=lambda t: np.where(t.index % 8, 0.0, t["heat"]))
    stuck = weather(300, 1).assign(heat=0.0)
    report = compare(reference, stuck, WEATHER, DRIFT)
    assert report["features"]["heat"]["constant"]["alarm"]
    assert "one value only" in " ".join(report["findings"])
    stuck.loc[5, "heat"] = 20.0
    assert not compare(reference, stuck, WEATHER, DRIFT)["features"]["heat"]["constant"]["alarm"]


def test_a_lost_correlation_is_found() -> None:
    """A correlation that is gone is a shift that names the pair, while no feature alarms alone."""
    report = compare(numbers(300, 0.8, 0), numbers(200, 0.0, 1), NUMBERS, DRIFT)
    assert (report["verdict"], report["joint"]["alarm"], alarming(report)) == ("shifted", True, [])
    assert report["moved"] == ["a and b"]
    assert report["joint"]["reference"] > 0.6 > 0.3 > abs(report["joint"]["live"])


def test_missing_values_change_no_correlation() -> None:
    """With half or all values of one of two correlated features missing, the verdict is `data_quality` alone."""
    reference, rows = numbers(400, 0.97, 0), numbers(200, 0.97, 1)
    for missing in (rows["b"].where(rows.index % 2 > 0), np.nan):
        report = compare(reference, rows.assign(b=missing), NUMBERS, DRIFT)
        assert (report["verdict"], report["joint"]["alarm"], report["moved"]) == ("data_quality", False, ["b"])


def test_predictions_that_move_are_a_shift() -> None:
    """Where only the predictions moved, the verdict is `shifted` and says so."""
    sides = [weather(n, n).assign(prediction=np.random.default_rng(n).normal(size=n)) for n in (300, 200)]
    assert compare(sides[0], sides[1], WEATHER, DRIFT)["verdict"] == "none"
    report = compare(sides[0], sides[1].assign(prediction=lambda t: t["prediction"] + 1), WEATHER, DRIFT)
    assert (report["verdict"], report["prediction"]["alarm"]) == ("shifted", True)
    assert report["summary"].startswith("the predictions rose by 0.9")


def test_errors_that_grow_are_a_risk() -> None:
    """Feedback with larger errors than the reference's is `risk` and asks for a retrain without any shift; smaller ones
    and a rise below drift.min_risk do not."""
    reference = feedback(400, 0, 1.0)
    assert compare(reference, feedback(300, 1, 0.6), WEATHER, DRIFT)["verdict"] == "none"
    report = compare(reference, feedback(300, 1, 1.5), WEATHER, DRIFT)
    assert (report["verdict"], report["drift_detected"], report["retrain"]) == ("risk", True, True)
    assert report["performance"]["effect"] == pytest.approx(0.5, abs=0.15)
    assert compare(reference, feedback(300, 1, 1.5), WEATHER, replace(DRIFT, min_risk=1.0))["verdict"] == "none"


def test_a_shift_to_where_the_model_errs_is_a_risk() -> None:
    """Live rows that moved to large residuals are `risk`. Those that moved to small ones are `shifted`, and ask for
    no retrain without drift.retrain_on_shift."""
    up, down = (weather(300, 1).assign(heat=lambda t, by=by: t["heat"] + by) for by in (4, -4))
    risky = compare(hot_rows_err(1_000), up, WEATHER, DRIFT, importance={"heat": 2.0})
    assert (risky["verdict"], risky["retrain"]) == ("risk", True)
    assert 1.1 < risky["expected_loss"]["low"] < risky["expected_loss"]["ratio"] < risky["expected_loss"]["high"]
    for limits, retrain in ((DRIFT, True), (replace(DRIFT, retrain_on_shift=False), False)):
        safe = compare(hot_rows_err(1_000), down, WEATHER, limits, importance={"heat": 2.0})
        assert (safe["verdict"], safe["retrain"]) == ("shifted", retrain)


@pytest.mark.parametrize(
    ("importance", "absent"), [({"heat": 0.0, "rain": 1.0}, "data_quality"), ({"rain": 1.0, "wind": 0.0}, "none")]
)
def test_a_shift_of_what_the_model_ignores_asks_for_no_retrain(importance: dict, absent: str) -> None:
    """A shift of a feature on which the model does not depend is reported and retrains nothing, even where its values
    go with larger residuals. A feature that the model does not take may be left out."""
    moved, missing = (weather(300, 1).assign(heat=values) for values in (lambda t: t["heat"] + 4, np.nan))
    report = compare(hot_rows_err(1_000), moved, WEATHER, DRIFT, importance=importance)
    assert (report["verdict"], report["drift_detected"], report["retrain"]) == ("shifted", True, False)
    assert report["summary"].startswith("heat rose by 0.")
    assert report["summary"].endswith("the model does not depend on it")
    assert compare(hot_rows_err(1_000), missing, WEATHER, DRIFT, importance=importance)["verdict"] == absent


def test_no_error_is_expected_beyond_the_reference() -> None:
    """Of live rows far beyond the reference the report says how many they are, and no expected error."""
    report = compare(hot_rows_err(500), weather(100, 1).assign(heat=500.0), WEATHER, DRIFT)
    assert "ratio" not in report["expected_loss"]
    assert report["expected_loss"]["beyond"] == 1.0


def test_reweighting_finds_the_error_of_the_live_mix() -> None:
    """With the same relation on both sides the reweighted RMSE is near the true live RMSE."""
    generator = np.random.default_rng(0)
    ours, theirs = generator.normal(0, 1, (4_000, 2)), generator.normal([0.7, 0], [0.8, 1], (2_000, 2))
    residuals, errors = (np.exp(side[:, 0] / 2) * generator.normal(size=len(side)) for side in (ours, theirs))
    found = expected_loss.reweighted(ours, theirs, residuals)
    truth = np.sqrt(np.square(errors).mean() / np.square(residuals).mean())
    assert found["ratio"] == pytest.approx(truth, rel=0.08)
    assert found["low"] < truth < found["high"]
    assert expected_loss.reweighted(ours, ours, residuals)["ratio"] == pytest.approx(1.0, abs=0.01)


def test_memory_of_the_expected_loss_is_bounded() -> None:
    """1,000 resamples of 10,000 reference rows, the most that a reference has, take less than 40 MB."""
    generator = np.random.default_rng(0)
    ours, theirs, residuals = (generator.normal(size=size) for size in ((10_000, 30), (2_000, 30), 10_000))
    tracemalloc.start()
    try:
        expected_loss.reweighted(ours, theirs, residuals)
        assert tracemalloc.get_traced_memory()[1] < 40e6
    finally:
        tracemalloc.stop()


def test_huge_tables_alarm_by_effect_only() -> None:
    """With 200,000 rows a shift of a twentieth of a standard deviation is significant and no alarm; half of one is."""
    reference, rows = weather(10_000, 0), weather(200_000, 1)
    report = compare(reference, rows.assign(heat=rows["heat"] + 0.4), WEATHER, DRIFT)
    assert report["features"]["heat"]["values"]["p_adjusted"] < 1e-4
    assert report["verdict"] == "none"
    assert compare(reference, rows.assign(heat=rows["heat"] + 2.5), WEATHER, DRIFT)["verdict"] == "shifted"


def test_odd_features_do_not_stop_the_report() -> None:
    """Constant, empty and one-valued features, on one side or both, and columns that are absent give a report."""
    reference = weather(100, 0).assign(heat=1.0)
    for change in ({"heat": 1.0}, {"heat": np.nan}, {"heat": 2.0}, {"wind": None}, {"heat": np.inf}):
        json.dumps(compare(reference, weather(60, 1).assign(**change), WEATHER, DRIFT), allow_nan=False)
        json.dumps(compare(weather(60, 1).assign(**change), weather(60, 2), WEATHER, DRIFT), allow_nan=False)
    report = compare(reference, weather(200, 1).drop(columns="wind"), WEATHER, DRIFT)
    assert set(report["features"]) == {"heat", "rain", "seen"}
    assert compare(reference.head(1), weather(1, 1), WEATHER, replace(DRIFT, min_rows=1))["verdict"] == "none"
