"""Metrics, against scikit-learn's and by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as peer

from pipeline.evaluation import metrics


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
    """MAPE and the ratio study are null where a target is 0 or less."""
    actual, predicted = np.array([0.0, 1, 2]), np.array([1.0, 1, 2])
    assert set(metrics.ratio_study(actual, predicted).values()) == {None}
    assert metrics.point_scores(actual, predicted)["mape"] is None
