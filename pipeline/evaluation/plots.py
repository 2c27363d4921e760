"""The data behind `dvc plots show`: small tables, one a plot, whose looks stand in dvc.yaml."""

from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

from pipeline.tables import sampling
from pipeline.tables.plot_data import PlotData

POINTS = 1_000  # of a scatter plot: more hide each other, and Git keeps every version of them


def points(numbers: pd.Series, actual: np.ndarray, predicted: np.ndarray) -> PlotData:
    """`predictions` (predicted, actual) and `residuals` (predicted, residual: actual minus predicted), all in the
    target's unit; at most POINTS rows, those with the smallest hashes of their numbers."""
    chosen = sampling.sample(numbers, POINTS)
    actual, predicted = actual[chosen], predicted[chosen]
    return {
        "predictions": pd.DataFrame({"predicted": predicted, "actual": actual}),
        "residuals": pd.DataFrame({"predicted": predicted, "residual": actual - predicted}),
    }


def coverage(actual: np.ndarray, predictions: np.ndarray, level: float) -> pd.DataFrame:
    """Columns `decile` (1: the lowest predictions), `n`, `coverage` with its Wilson score interval at `level` (`low`,
    `high`; Wilson 1927), and `width` (mean, in the target's unit) of the prediction intervals.

    `predictions` [rows, 3] are prediction, lower, upper. Equal predictions share a decile, so that one may be larger
    or absent.
    """
    predicted, lower, upper = predictions.T
    decile = 1 + np.searchsorted(np.quantile(predicted, np.arange(1, 10) / 10), predicted)
    each = pd.DataFrame({"coverage": (lower <= actual) & (actual <= upper), "width": upper - lower}).groupby(decile)
    found, n = each.mean().astype(float), each.size()
    z = NormalDist().inv_cdf((1 + level) / 2)
    share, shrink = found["coverage"], 1 + z**2 / n
    centre = (share + z**2 / (2 * n)) / shrink
    half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / shrink
    table = found.assign(n=n, low=centre - half, high=centre + half).rename_axis("decile").reset_index()
    return table[["decile", "n", "coverage", "low", "high", "width"]]


def families(metrics: dict[str, dict[str, Any]]) -> pd.DataFrame:
    """A row a family, the best first: `cv_rmse`, and `low` and `high` one standard error around it."""
    columns = {name: (record["cv_rmse"], record["cv_rmse_se"]) for name, record in metrics.items()}
    found = [(name, value, value - error, value + error) for name, (value, error) in columns.items()]
    table = pd.DataFrame(found, columns=["family", "cv_rmse", "low", "high"])
    return table.sort_values(["cv_rmse", "family"], ignore_index=True)
