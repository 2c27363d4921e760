"""Scores, the history and the reference: figures against other implementations."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as peer

from pipeline.contract.errors import PipelineError
from pipeline.evaluation import metrics
from pipeline.registry import history
from pipeline.tables.sampling import reference
from tests.weather import WEATHER, weather


@given(st.lists(st.tuples(st.floats(0.1, 1e4), st.floats(0.1, 1e4)), min_size=3, max_size=40, unique_by=lambda t: t[0]))
def test_scores_equal_scikit_learns(pairs: list[tuple[float, float]]) -> None:
    """RMSE, MAE, R2 and MAPE are those of scikit-learn."""
    actual, predicted = np.array(pairs).T
    mine = metrics.point_scores(actual, predicted)
    assert mine["rmse"] == pytest.approx(peer.root_mean_squared_error(actual, predicted))
    assert mine["mae"] == pytest.approx(peer.mean_absolute_error(actual, predicted))
    assert mine["r2"] == pytest.approx(peer.r2_score(actual, predicted), rel=1e-6, abs=1e-6)
    assert mine["mape"] == pytest.approx(peer.mean_absolute_percentage_error(actual, predicted))


def test_ratio_study_by_hand() -> None:
    """COD, PRD and PRB of four sales, computed by hand from their definitions."""
    actual, predicted = np.array([100.0, 200, 300, 400]), np.array([110.0, 190, 330, 360])
    found = metrics.ratio_study(actual, predicted)
    # Ratios 1.1, 0.95, 1.1, 0.9; median 1.025; mean absolute deviation (0.075 + 0.075 + 0.075 + 0.125) / 4.
    assert found["cod"] == pytest.approx(100 * 0.0875 / 1.025)
    assert found["prd"] == pytest.approx(1.0125 / (990 / 1000))
    size = np.log2((actual + predicted / 1.025) / 2)
    slope = np.polyfit(size, (predicted / actual - 1.025) / 1.025, 1)[0]
    assert found["prb"] == pytest.approx(slope)


def test_ratios_mean_nothing_at_zero() -> None:
    """With a target of 0 or less, MAPE and the ratio study are null instead of a number that misleads."""
    actual, predicted = np.array([0.0, 1, 2]), np.array([1.0, 1, 2])
    assert set(metrics.ratio_study(actual, predicted).values()) == {None}
    assert metrics.point_scores(actual, predicted)["mape"] is None


def test_the_bootstrap_has_the_right_spread() -> None:
    """Resampled RMSEs spread as the standard error of the root of a mean says, paired or alone."""
    squared = np.random.default_rng(0).exponential(size=2_000)
    found = metrics.resampled_rmse(squared, 4_000, seed=1)
    expected = squared.std() / np.sqrt(len(squared)) / (2 * np.sqrt(squared.mean()))
    assert found.std() == pytest.approx(expected, rel=0.06)
    both = metrics.resampled_rmse(np.column_stack([squared, squared]), 4_000, seed=1)
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


def test_the_reference_is_a_stable_sample() -> None:
    """The reference keeps what it had when rows are added, up to those that newcomers push out, and is never larger."""
    table = weather(1_000, 0).assign(prediction=1.0, residual=0.0)
    small = reference(table.head(500), WEATHER, 100)
    large = reference(table, WEATHER, 100)
    assert list(small.columns) == ["row", "heat", "rain", "wind", "prediction", "residual"]
    assert len(small) == len(large) == 100
    assert set(large.loc[large["row"] < 500, "row"]) <= set(small["row"])
    assert len(reference(table, WEATHER, 5_000)) == 1_000
