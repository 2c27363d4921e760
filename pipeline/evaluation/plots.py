"""The data behind `dvc plots show`: one small table for each plot, whose looks are in dvc.yaml."""

from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from pipeline.tables import sampling
from pipeline.tables.plot_data import PlotData

POINTS = 1_000  # of a scatter plot: more hide each other, and Git keeps every version of them


def points(numbers: pd.Series, actual: np.ndarray, predicted: np.ndarray) -> PlotData:
    """Return `predictions` (predicted, actual) and `residuals` (predicted, actual minus predicted), in the target's
    unit: at most POINTS rows, those whose `numbers` have the smallest hashes."""
    chosen = sampling.sample(numbers, POINTS)
    actual, predicted = actual[chosen], predicted[chosen]
    return {
        "predictions": pd.DataFrame({"predicted": predicted, "actual": actual}),
        "residuals": pd.DataFrame({"predicted": predicted, "residual": actual - predicted}),
    }


def coverage(actual: np.ndarray, predictions: np.ndarray, level: float) -> pd.DataFrame:
    """Return a row for each decile of the predictions: `decile` (1: the lowest), `n`, `coverage` of the prediction
    intervals with its score interval at `level` (`low`, `high`; Wilson 1927), and their mean `width`.

    `predictions` [rows, 3] are prediction, lower, upper; `width` is in the target's unit. Equal predictions share a
    decile, so that one may be larger or absent.
    """
    predicted, lower, upper = predictions.T
    decile = 1 + np.searchsorted(np.quantile(predicted, np.arange(1, 10) / 10), predicted)
    rows = pd.DataFrame({"inside": (lower <= actual) & (actual <= upper), "width": upper - lower}).groupby(decile)
    inside, n = rows["inside"].sum(), rows.size()
    bounds = [stats.binomtest(*pair).proportion_ci(level, "wilson") for pair in zip(inside, n, strict=True)]
    low, high = zip(*bounds, strict=True)
    columns = {"n": n, "coverage": inside / n, "low": low, "high": high, "width": rows["width"].mean()}
    return pd.DataFrame(columns).rename_axis("decile").reset_index()


def families(metrics: dict[str, dict[str, Any]]) -> pd.DataFrame:
    """Return a row for each family that was trained, the best first: `cv_rmse`, and `low` and `high` one standard error
    around it."""
    trained = {name: record for name, record in metrics.items() if "skipped" not in record}
    cv = {name: (record["cv_rmse"], record["cv_rmse_se"]) for name, record in trained.items()}
    rows = [(name, value, value - error, value + error) for name, (value, error) in cv.items()]
    table = pd.DataFrame(rows, columns=["family", "cv_rmse", "low", "high"])
    return table.sort_values(["cv_rmse", "family"], ignore_index=True)
