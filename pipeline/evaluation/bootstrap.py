"""Percentile bootstrap intervals of the metrics on a finite test split.

`predictions` [rows, 3] are prediction, lower, upper, as a model file gives them.
"""

import numpy as np

from pipeline.contract.params import Evaluate
from pipeline.evaluation import metrics

Figures = dict[str, float | None]
Interval = tuple[float, float] | None


def figures(actual: np.ndarray, predictions: np.ndarray) -> Figures:
    """Point scores, ratio study and interval scores of the same rows."""
    predicted, lower, upper = predictions.T
    return {
        **metrics.point_scores(actual, predicted),
        **metrics.ratio_study(actual, predicted),
        **metrics.interval_scores(actual, lower, upper),
    }


def rmse_interval(actual: np.ndarray, predicted: np.ndarray, limits: Evaluate) -> Interval:
    """The interval of RMSE; None for one row, of which every resample is the same."""
    if len(actual) < 2:
        return None
    squared = np.square(predicted - actual)
    return _bounds(metrics.resampled_rmse(squared, limits.bootstrap_samples, limits.seed), limits.level)


def intervals(actual: np.ndarray, predictions: np.ndarray, limits: Evaluate) -> dict[str, Interval]:
    """For each of `figures` its percentile interval (Efron and Tibshirani 1993, chapter 13): rows are drawn with
    replacement. None for one row and where the figure is not defined; resamples without it are left out.
    """
    generator, n = np.random.default_rng(limits.seed), len(actual)
    drawn = (generator.integers(0, n, n) for _ in range(limits.bootstrap_samples if n > 1 else 0))
    resamples = [figures(actual[rows], predictions[rows]) for rows in drawn]
    found: dict[str, Interval] = {}
    for name, value in figures(actual, predictions).items():
        values = [resample[name] for resample in resamples if resample[name] is not None]
        found[name] = _bounds(np.array(values, dtype=float), limits.level) if value is not None and values else None
    # The one figure with an interval in the contract.
    return {**found, "rmse": rmse_interval(actual, predictions[:, 0], limits)}


def _bounds(values: np.ndarray, level: float) -> tuple[float, float]:
    tail = (1 - level) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)
