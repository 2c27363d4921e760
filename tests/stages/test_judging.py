"""Scores, the history and drift: figures against other implementations, alarms against simulations."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from stages import history, scores, shift
from stages.drift import compare, read_live
from stages.errors import PipelineError
from stages.params import Drift
from stages.reference import build
from stages.schema import Column
from tests.stages.conftest import make_schema


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.floats(0.1, 1e4), st.floats(0.1, 1e4)), min_size=3, max_size=40, unique_by=lambda t: t[0]))
def test_scores_equal_scikit_learns(pairs: list[tuple[float, float]]) -> None:
    """RMSE, MAE, R2 and MAPE are those of scikit-learn."""
    actual, predicted = np.array(pairs).T
    mine = scores.point_scores(actual, predicted)
    assert mine["rmse"] == pytest.approx(metrics.root_mean_squared_error(actual, predicted))
    assert mine["mae"] == pytest.approx(metrics.mean_absolute_error(actual, predicted))
    assert mine["r2"] == pytest.approx(metrics.r2_score(actual, predicted), rel=1e-6, abs=1e-6)
    assert mine["mape"] == pytest.approx(metrics.mean_absolute_percentage_error(actual, predicted))


def test_ratio_study_by_hand() -> None:
    """COD, PRD and PRB of four sales, computed by hand from their definitions."""
    actual, predicted = np.array([100.0, 200, 300, 400]), np.array([110.0, 190, 330, 360])
    found = scores.ratio_study(actual, predicted)
    # Ratios 1.1, 0.95, 1.1, 0.9; median 1.025; mean absolute deviation (0.075 + 0.075 + 0.075 + 0.125) / 4.
    assert found["cod"] == pytest.approx(100 * 0.0875 / 1.025)
    assert found["prd"] == pytest.approx(1.0125 / (990 / 1000))
    size = np.log2((actual + predicted / 1.025) / 2)
    slope = np.polyfit(size, (predicted / actual - 1.025) / 1.025, 1)[0]
    assert found["prb"] == pytest.approx(slope)


def test_ratios_mean_nothing_at_zero() -> None:
    """With a target of 0 or less, MAPE and the ratio study are null instead of a number that misleads."""
    actual, predicted = np.array([0.0, 1, 2]), np.array([1.0, 1, 2])
    assert set(scores.ratio_study(actual, predicted).values()) == {None}
    assert scores.point_scores(actual, predicted)["mape"] is None


def test_the_bootstrap_has_the_right_spread() -> None:
    """Resampled RMSEs spread as the standard error of the root of a mean says, paired or alone."""
    squared = np.random.default_rng(0).exponential(size=2_000)
    found = scores.resampled_rmse(squared, 4_000, seed=1)
    expected = squared.std() / np.sqrt(len(squared)) / (2 * np.sqrt(squared.mean()))
    assert found.std() == pytest.approx(expected, rel=0.06)
    both = scores.resampled_rmse(np.column_stack([squared, squared]), 4_000, seed=1)
    assert np.allclose(both[:, 0], found)


def test_history_only_grows(tmp_path) -> None:
    """A verdict is added below the others; a line torn by a kill spoils no later one and is named when read."""
    path = tmp_path / "history.jsonl"
    history.append({"verdict": "keep"}, path)
    history.append({"verdict": "promote"}, path)
    assert [entry["verdict"] for entry in history.read(path)] == ["keep", "promote"]
    path.write_text(path.read_text() + '{"verd')
    history.append({"verdict": "inconclusive"}, path)
    with pytest.raises(PipelineError, match="line 3: expected one JSON object"):
        history.read(path)
    assert path.read_text().splitlines()[3].endswith('"inconclusive"}')


WEATHER = make_schema(
    Column("heat", "float", nullable=True),
    Column("rain", "bool"),
    Column("wind", "category", categories=("n", "e", "s", "w")),
    Column("y", "float", role="target"),
)
DRIFT = Drift(alpha=0.01, min_rows=50)


def weather(n: int, seed: int) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "row": range(n),
            "heat": generator.normal(20, 5, n),
            "rain": generator.random(n) < 0.3,
            "wind": generator.choice(list("nesw"), n),
        }
    )


def test_few_live_rows_are_no_verdict() -> None:
    """With fewer live rows than drift.min_rows the report says `insufficient` and detects nothing."""
    report = compare(weather(300, 0), weather(49, 1).assign(heat=99.0), WEATHER, DRIFT)
    assert (report["verdict"], report["drift_detected"]) == ("insufficient", False)


def test_no_drift_is_seldom_reported() -> None:
    """Of 300 comparisons without any drift, at most 1 % plus three standard errors alarm."""
    alarms = sum(compare(weather(300, s), weather(200, 1000 + s), WEATHER, DRIFT)["drift_detected"] for s in range(300))
    assert alarms / 300 <= 0.01 + 3 * np.sqrt(0.01 * 0.99 / 300)


@pytest.mark.parametrize(
    ("change", "verdict", "feature"),
    [
        ({"heat": lambda t: t["heat"] + 5}, "shifted", "heat"),
        ({"heat": lambda t: 1000.0}, "shifted", "heat"),
        ({"rain": lambda t: t.index % 3 > 0}, "shifted", "rain"),
        ({"wind": lambda t: "n"}, "shifted", "wind"),
        ({"heat": lambda t: t["heat"].where(t.index % 5 > 0)}, "data_quality", "heat"),
    ],
)
def test_drift_is_found_and_named(change: dict, verdict: str, feature: str) -> None:
    """A shifted number, values beyond the reference, another share of yes, a category alone, more missing: each is
    found in 200 rows, and no other feature is named."""
    report = compare(weather(300, 0), weather(200, 1).assign(**change), WEATHER, DRIFT)
    named = [name for name, tests in report["features"].items() if any(t["alarm"] for t in tests.values())]
    assert (report["verdict"], report["drift_detected"], named) == (verdict, True, [feature])


def test_absent_columns_are_left_out() -> None:
    """A feature that the live rows do not have is left out of the report."""
    report = compare(weather(300, 0), weather(200, 1).drop(columns="wind"), WEATHER, DRIFT)
    assert set(report["features"]) == {"heat", "rain"}


def test_live_rows_are_read_from_csv_and_parquet(tmp_path) -> None:
    """data/live may hold CSV and Parquet parts; both are read as typed features."""
    rows = weather(30, 0)
    rows.to_csv(tmp_path / "a.csv", index=False)
    rows.to_parquet(tmp_path / "b.parquet", index=False)
    live = read_live(tmp_path, WEATHER)
    assert live["heat"].tolist() == pytest.approx([*rows["heat"], *rows["heat"]])
    assert live["wind"].tolist() == [*rows["wind"], *rows["wind"]]


def test_holm_by_hand() -> None:
    """Holm's adjusted p-values of 0.01, 0.04, 0.03 are 0.03, 0.06, 0.06."""
    assert shift.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def test_the_reference_is_a_stable_sample() -> None:
    """The reference keeps what it had when rows are added, up to those that newcomers push out, and is never larger."""
    table = weather(1_000, 0).assign(prediction=1.0, residual=0.0)
    small = build(table.head(500), WEATHER, 100)
    large = build(table, WEATHER, 100)
    assert list(small.columns) == ["row", "heat", "rain", "wind", "prediction", "residual"]
    assert len(small) == len(large) == 100
    assert set(large.loc[large["row"] < 500, "row"]) <= set(small["row"])
    assert len(build(table, WEATHER, 5_000)) == 1_000
