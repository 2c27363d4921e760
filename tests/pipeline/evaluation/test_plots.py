"""The data of the plots."""

import numpy as np
import pandas as pd
import pytest

from pipeline.evaluation import plots
from pipeline.tables import plot_data
from tests.houses import around


def test_coverage_by_decile_by_hand() -> None:
    """Each decile of 20 predictions has two; its coverage is their share inside, with Wilson's interval around it."""
    predicted = np.arange(20.0)
    actual = predicted + np.array([0.0, 9] + [0] * 16 + [9, 9])
    found = plots.coverage(actual, around(predicted), 0.95)
    assert list(found["decile"]) == list(range(1, 11))
    assert set(found["n"]) == {2}
    assert list(found["coverage"]) == [0.5, *[1.0] * 8, 0.0]
    assert set(found["width"]) == {2.0}
    # Wilson (1927) for 1 of 2, 2 of 2 and 0 of 2 at 95 %.
    assert found.loc[[0, 1, 9], ["low", "high"]].to_numpy() == pytest.approx(
        np.array([[0.0945, 0.9055], [0.3424, 1], [0, 0.6576]]), abs=1e-4
    )


def test_equal_predictions_share_a_decile() -> None:
    """A model that always says the same has one decile."""
    found = plots.coverage(np.arange(7.0), around(np.full(7, 3.0)), 0.95)
    assert found[["decile", "n"]].to_numpy().tolist() == [[1, 7]]
    assert found["coverage"].item() == pytest.approx(3 / 7)


def test_a_scatter_plot_has_at_most_a_thousand_points() -> None:
    """The plots of a large table show a sample that depends on the row numbers alone, each with its own residual."""
    numbers, actual = pd.Series(range(5_000)), np.arange(5_000.0)
    data = plots.points(numbers, actual, actual - 2)
    assert {len(table) for table in data.values()} == {plots.POINTS}
    assert set(data["residuals"]["residual"]) == {2.0}
    other = plots.points(numbers, actual, actual - 3)
    assert other["predictions"]["actual"].equals(data["predictions"]["actual"])


def test_families_come_best_first() -> None:
    """The plot of cross-validation has a row a family, the best first, with one standard error to each side."""
    found = plots.families(
        {"a": {"cv_rmse": 3.0, "cv_rmse_se": 0.5}, "b": {"cv_rmse": 2.0, "cv_rmse_se": 0.25, "x": 1}}
    )
    assert found.to_numpy().tolist() == [["b", 2.0, 1.75, 2.25], ["a", 3.0, 2.5, 3.5]]


def test_plot_data_are_the_same_bytes_everywhere(tmp_path) -> None:
    """Plot data have six digits and the line ends of Unix; a missing figure is an empty cell."""
    plot_data.save({"t": pd.DataFrame({"name": ["a, b", "c"], "value": [1 / 3, np.nan]})}, tmp_path / "plots")
    assert (tmp_path / "plots/t.csv").read_bytes() == b'name,value\n"a, b",0.333333\nc,\n'
