"""Metrics of predictions, and bootstrap resamples of the RMSE."""

import numpy as np


def rmse(actual: np.ndarray, predicted: np.ndarray) -> float:
    """Root mean squared error, in the target's unit."""
    return float(np.sqrt(np.mean(np.square(predicted - actual))))


def point_scores(actual: np.ndarray, predicted: np.ndarray) -> dict[str, float | None]:
    """`rmse`, `mae`, `bias` in the target's unit; `r2`, `mape` shares.

    `mape` is None where a target is 0 or less: a percentage of that means nothing.
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


def ratio_study(actual: np.ndarray, predicted: np.ndarray) -> dict[str, float | None]:
    """COD, PRD and PRB of the ratios predicted/actual (IAAO, Standard on Ratio Studies, 2013, appendix B).

    COD: 100 x mean absolute deviation of the ratios from their median, over that median. PRD: mean ratio over the
    ratio of sums. PRB: slope of (ratio - median) / median on log2 of half the sum of actual and predicted / median.
    All None where a target or a prediction is 0 or less: a ratio means nothing there.
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
    """`coverage`: the share of actual values inside; `interval_width`: the mean width in the target's unit."""
    inside = (lower <= actual) & (actual <= upper)
    return {"coverage": float(inside.mean()), "interval_width": float((upper - lower).mean())}


def resampled_rmse(squared: np.ndarray, samples: int, seed: int) -> np.ndarray:
    """RMSE of bootstrap resamples of per-row squared errors: [rows] to [samples], [rows, k] to [samples, k].

    Columns share the resampled rows, so that two models are compared on the same ones (a paired bootstrap).
    """
    generator = np.random.default_rng(seed)
    n = len(squared)
    # How often each row is drawn, in blocks of at most 10^7 counts to keep memory flat in the rows.
    block = max(1, 10_000_000 // n)
    weights = (
        generator.multinomial(n, np.full(n, 1 / n), size=min(block, samples - done))
        for done in range(0, samples, block)
    )
    return np.concatenate([np.sqrt(part @ squared / n) for part in weights])
