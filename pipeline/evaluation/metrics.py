"""Metrics of predictions. All arrays are [rows]; `predictions` [rows, 3] are prediction, lower, upper, as a model
file gives them."""

import numpy as np

from pipeline.contract.number_text import share

Scores = dict[str, float | None]


def scores(actual: np.ndarray, predictions: np.ndarray) -> Scores:
    """Return point scores, ratio study and interval scores of the same rows."""
    predicted, lower, upper = predictions.T
    return {
        **point_scores(actual, predicted),
        **ratio_study(actual, predicted),
        **interval_scores(actual, lower, upper),
    }


def rmse(actual: np.ndarray, predicted: np.ndarray) -> float:
    """Return the root mean squared error, in the target's unit."""
    return float(np.sqrt(np.mean(np.square(predicted - actual))))


def against_median(new: float, constant: float) -> str:
    """Say how far an RMSE is from `constant`, that of always saying the training median."""
    if constant == 0:
        return "always saying the median makes no error in these rows, so they can show no better model"
    if new == constant:
        return "RMSE is that of always saying the median"
    words = "below" if new < constant else "above"
    return f"RMSE is {share(abs(1 - new / constant))} {words} that of always saying the median"


def point_scores(actual: np.ndarray, predicted: np.ndarray) -> Scores:
    """Return `rmse`, `mae` and `bias` in the target's unit, `r2` and `mape` as shares.

    `mape` is None where a target is 0 or less, because a share of that means nothing; `r2` where all targets are equal.
    """
    error = predicted - actual
    spread = np.square(actual - actual.mean()).sum()
    return {
        "rmse": rmse(actual, predicted),
        "mae": float(np.abs(error).mean()),
        "r2": float(1 - np.square(error).sum() / spread) if spread > 0 else None,
        "mape": float(np.abs(error / actual).mean()) if (actual > 0).all() else None,
        "bias": float(error.mean()),
    }


def ratio_study(actual: np.ndarray, predicted: np.ndarray) -> Scores:
    """Return COD, PRD and PRB of the ratios predicted / actual (IAAO, Standard on Ratio Studies, 2013, appendix B).

    COD: 100 times the mean absolute deviation of the ratios from their median, divided by that median. PRD: the mean
    ratio divided by the ratio of sums. PRB: the slope of (ratio - median) / median on log2 of half the sum of actual
    and predicted / median. All are None where a target or a prediction is 0 or less: a ratio means nothing there.
    """
    if (actual <= 0).any() or (predicted <= 0).any():
        return {"cod": None, "prd": None, "prb": None}
    ratio = predicted / actual
    middle = np.median(ratio)
    size = np.log2(0.5 * (actual + predicted / middle))
    centred = size - size.mean()
    spread = np.square(centred).sum()
    return {
        "cod": float(100 * np.abs(ratio - middle).mean() / middle),
        "prd": float(ratio.mean() / (predicted.sum() / actual.sum())),
        "prb": float((centred * (ratio - middle) / middle).sum() / spread) if spread > 0 else None,
    }


def interval_scores(actual: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> dict[str, float]:
    """Return `coverage`, the share of actual values inside, and `interval_width`, the mean in the target's unit."""
    inside = (lower <= actual) & (actual <= upper)
    return {"coverage": float(inside.mean()), "interval_width": float((upper - lower).mean())}
