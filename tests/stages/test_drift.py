"""Drift: what a report says of live rows that differ from the reference, and of those that do not."""

import json
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from msgspec.structs import replace

from pipeline.contract.schema import Column
from pipeline.drift import expected_loss
from stages.drift import compare
from tests.tables import make_schema
from tests.weather import DRIFT, WEATHER, feedback, weather


def alarming(report: dict) -> list[str]:
    """The features that alarm by themselves."""
    return [n for n, f in report["features"].items() if any(isinstance(t, dict) and t.get("alarm") for t in f.values())]


def test_few_live_rows_are_no_verdict() -> None:
    """With fewer live rows than drift.min_rows the report says `insufficient` and detects nothing."""
    report = compare(weather(300, 0), weather(49, 1).assign(heat=99.0), WEATHER, DRIFT)
    assert (report["verdict"], report["drift_detected"], report["retrain"]) == ("insufficient", False, False)


@pytest.mark.parametrize(
    ("change", "verdict", "feature"),
    [
        ({"heat": lambda t: t["heat"] + 5}, "shifted", "heat"),
        ({"heat": lambda t: 1000.0 + t["heat"]}, "shifted", "heat"),
        ({"heat": lambda t: 3000.0 + t["heat"]}, "shifted", "heat"),
        ({"rain": lambda t: t.index % 3 > 0}, "shifted", "rain"),
        ({"wind": lambda t: "n"}, "shifted", "wind"),
        ({"heat": lambda t: t["heat"].where(t.index % 5 > 0)}, "data_quality", "heat"),
        ({"heat": lambda t: np.nan}, "data_quality", "heat"),
        ({"wind": lambda t: t["wind"].where(t.index % 5 > 0, "up")}, "data_quality", "wind"),
        ({"heat": lambda t: t["heat"].map(str).where(t.index % 5 > 0, "hot")}, "data_quality", "heat"),
    ],
)
def test_drift_is_found_and_named(change: dict, verdict: str, feature: str) -> None:
    """A shifted number, values beyond the reference (and the bounds), another share of yes, one category alone, more
    or all missing, unknown categories, text for numbers: each is found in 200 rows, and no other feature is named."""
    report = compare(weather(300, 0), weather(200, 1).assign(**change), WEATHER, DRIFT)
    assert (report["verdict"], report["drift_detected"], alarming(report)) == (verdict, True, [feature])
    assert feature in report["summary"]
    assert report["retrain"] is False
    json.dumps(report, allow_nan=False)


def test_a_value_that_stands_still() -> None:
    """A feature that nearly always is 0 in the reference and always in 300 live rows is called constant, though its
    distribution hardly moved; with one other value it is not."""
    reference = weather(600, 0).assign(heat=lambda t: np.where(t.index % 8, 0.0, t["heat"]))
    stuck = weather(300, 1).assign(heat=0.0)
    report = compare(reference, stuck, WEATHER, DRIFT)
    assert report["features"]["heat"]["constant"]["alarm"]
    assert "one value only" in " ".join(report["findings"])
    stuck.loc[5, "heat"] = 20.0
    assert not compare(reference, stuck, WEATHER, DRIFT)["features"]["heat"]["constant"]["alarm"]


def test_features_that_part_company_are_found() -> None:
    """A correlation that is gone, with every feature's own distribution as it was, is a shift that names the pair."""
    pairs = make_schema(
        Column("a", "float"), Column("b", "float"), Column("c", "float"), Column("y", "float", role="target")
    )
    generator = np.random.default_rng(0)

    def rows(n: int, together: float) -> pd.DataFrame:
        drawn = generator.multivariate_normal([0, 0, 0], [[1, together, 0], [together, 1, 0], [0, 0, 1]], n)
        return pd.DataFrame(drawn, columns=list("abc"))

    report = compare(rows(300, 0.8), rows(200, 0.0), pairs, DRIFT)
    assert (report["verdict"], report["joint"]["alarm"], alarming(report)) == ("shifted", True, [])
    assert report["moved"] == ["a and b"]
    assert report["joint"]["reference"] > 0.6 > 0.3 > abs(report["joint"]["live"])


def test_missing_values_alone_part_no_company() -> None:
    """Of two features that go together one has half of its values, or none, in the live rows: that is `data_quality`,
    and the correlation of the rest is as it was."""
    pair = make_schema(
        Column("a", "float"),
        Column("b", "float", nullable=True),
        Column("c", "float"),
        Column("y", "float", role="target"),
    )
    generator = np.random.default_rng(0)
    drawn = [pd.DataFrame(generator.normal(size=(n, 3)), columns=list("abc")) for n in (400, 200)]
    reference, rows = (side.assign(b=side["a"] + side["b"] / 4) for side in drawn)
    for missing in (rows["b"].where(rows.index % 2 > 0), np.nan):
        report = compare(reference, rows.assign(b=missing), pair, DRIFT)
        assert (report["verdict"], report["joint"]["alarm"], report["moved"]) == ("data_quality", False, ["b"])


def test_predictions_that_move_are_a_shift() -> None:
    """Where both sides have predictions and only these moved, the verdict is `shifted` and says so."""
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
    """Live rows that moved to where the reference's residuals are large are `risk`; moved to where they are small, they
    are `shifted`, and then retrain only with drift.retrain_on_shift."""
    reference = weather(1_000, 0).assign(residual=lambda t: np.where(t["heat"] > 22, 5.0, 1.0))
    up, down = (weather(300, 1).assign(heat=lambda t, by=by: t["heat"] + by) for by in (4, -4))
    risky = compare(reference, up, WEATHER, DRIFT, importance={"heat": 2.0})
    assert (risky["verdict"], risky["retrain"]) == ("risk", True)
    assert 1.1 < risky["expected_loss"]["low"] < risky["expected_loss"]["ratio"] < risky["expected_loss"]["high"]
    for limits, retrain in ((DRIFT, False), (replace(DRIFT, retrain_on_shift=True), True)):
        safe = compare(reference, down, WEATHER, limits, importance={"heat": 2.0})
        assert (safe["verdict"], safe["retrain"]) == ("shifted", retrain)


def test_a_shift_of_what_the_model_ignores_asks_for_no_retrain() -> None:
    """A shift of a feature on which the model does not depend is reported, says so, and retrains nothing, even where
    its values once went with larger residuals."""
    reference = weather(1_000, 0).assign(residual=lambda t: np.where(t["heat"] > 22, 5.0, 1.0))
    moved = weather(300, 1).assign(heat=lambda t: t["heat"] + 4)
    report = compare(reference, moved, WEATHER, DRIFT, importance={"heat": 0.0, "rain": 1.0})
    assert (report["verdict"], report["drift_detected"], report["retrain"]) == ("shifted", True, False)
    assert report["summary"].startswith("heat rose by 0.")
    assert report["summary"].endswith("the model does not depend on it")


def test_what_the_model_does_not_take_may_be_left_out() -> None:
    """A feature that has no importance, for `features.exclude` leaves it out, is reported where it shifts, and nothing
    is said where callers do not send it."""
    reference = weather(1_000, 0).assign(residual=1.0)
    moved, absent = (weather(300, 1).assign(heat=values) for values in (lambda t: t["heat"] + 4, np.nan))
    report = compare(reference, moved, WEATHER, DRIFT, importance={"rain": 1.0, "wind": 0.0})
    assert (report["verdict"], report["retrain"]) == ("shifted", False)
    assert report["summary"].endswith("the model does not depend on it")
    assert compare(reference, absent, WEATHER, DRIFT, importance={"rain": 1.0, "wind": 0.0})["verdict"] == "none"


def test_where_the_reference_has_no_rows_nothing_is_expected() -> None:
    """Of live rows far beyond the reference the report says how many they are, and no expected error."""
    reference = weather(500, 0).assign(residual=1.0)
    report = compare(reference, weather(100, 1).assign(heat=lambda t: t["heat"] + 500), WEATHER, DRIFT)
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
    """10,000 reference rows, the most that a reference has, take less than 40 MB for 1,000 resamples."""
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
    assert set(report["features"]) == {"heat", "rain"}
    assert compare(reference.head(1), weather(1, 1), WEATHER, replace(DRIFT, min_rows=1))["verdict"] == "none"
    assert compare(reference, pd.DataFrame(), WEATHER, DRIFT)["verdict"] == "insufficient"


def test_rows_that_stand_twice_are_no_drift() -> None:
    """A live table that is the reference twice over differs from it in nothing."""
    reference = weather(300, 0)
    report = compare(reference, pd.concat([reference, reference]), WEATHER, DRIFT)
    assert report["verdict"] == "none"
    assert report["features"]["heat"]["values"]["effect"] == 0
