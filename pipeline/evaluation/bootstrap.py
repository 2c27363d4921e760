"""Intervals of the metrics on a finite test split: percentiles of the bootstrap, which draws rows with replacement
(Efron and Tibshirani 1993, chapter 13).

Two approximations of it take the place of full resamples where there are more than MOST_ROWS test rows.
"""

import numpy as np
from scipy import special

from pipeline.contract.params import Evaluate
from pipeline.evaluation.metrics import scores

Interval = tuple[float, float] | None

# Full resamples of 250,000 rows took minutes. docs/metrics.md names this limit.
MOST_ROWS = 10_000


def intervals(actual: np.ndarray, predictions: np.ndarray, limits: Evaluate) -> dict[str, Interval]:
    """Return the interval of each metric of `scores`; None for a single row, and where the metric is not defined.

    Resamples in which it is not defined are left out. A resample draws m = MOST_ROWS rows where there are more, n; the
    interval is then narrowed by sqrt(m / n) (Bickel, Götze and van Zwet 1997, Resampling fewer than n observations).
    """
    generator, n = np.random.default_rng(limits.seed), len(actual)
    m = min(n, MOST_ROWS)
    drawn = (generator.integers(0, n, m) for _ in range(limits.bootstrap_samples if n > 1 else 0))
    resamples = [scores(actual[rows], predictions[rows]) for rows in drawn]
    narrowed = np.sqrt(m / n)
    found: dict[str, Interval] = {}
    for name, value in scores(actual, predictions).items():
        values = [resample[name] for resample in resamples if resample[name] is not None]
        found[name] = None
        if value is not None and values:
            # With m = n these are the percentiles themselves, to the last bit.
            low, high = _percentiles(np.array(values, dtype=float), limits.level) * narrowed + value * (1 - narrowed)
            found[name] = float(low), float(high)
    squared = np.square(predictions[:, 0] - actual)
    return {**found, "rmse": rmse_interval(squared, limits, approximate=n > MOST_ROWS)}


def rmse_interval(squared: np.ndarray, limits: Evaluate, approximate: bool) -> Interval:
    """Return the interval of the RMSE of squared errors [rows]; None for a single row.

    The percentiles come from resamples, or `approximate` from the cumulants of the errors.
    """
    if len(squared) < 2:
        return None
    if approximate:
        low, high = np.sqrt(_percentiles_of_the_mean(squared, limits.level))
    else:
        low, high = _percentiles(_resampled_rmse(squared, limits.bootstrap_samples, limits.seed), limits.level)
    return float(low), float(high)


def _resampled_rmse(squared: np.ndarray, samples: int, seed: int) -> np.ndarray:
    generator, n = np.random.default_rng(seed), len(squared)
    # The number of times that each row is drawn, in blocks of at most 10^7 counts, so that memory stays flat.
    block = max(1, 10_000_000 // n)
    counts = (
        generator.multinomial(n, np.full(n, 1 / n), size=min(block, samples - done))
        for done in range(0, samples, block)
    )
    return np.concatenate([np.sqrt(part @ squared / n) for part in counts])


def _percentiles_of_the_mean(values: np.ndarray, level: float) -> np.ndarray:
    """Return both percentiles of the means of resamples of the values [rows].

    The normal quantiles are corrected for skewness (Cornish-Fisher: Hall 1992, The Bootstrap and Edgeworth Expansion,
    section 2.5).
    """
    n, centred = len(values), values - values.mean()
    variance, third = np.square(centred).mean(), (centred**3).mean()
    z = special.ndtri([(1 - level) / 2, (1 + level) / 2])
    skewed = third / variance * (z**2 - 1) / (6 * n) if variance > 0 else 0.0
    bounds = values.mean() + z * np.sqrt(variance / n) + skewed
    return np.clip(bounds, values.min(), values.max())


def _percentiles(values: np.ndarray, level: float) -> np.ndarray:
    tail = (1 - level) / 2
    return np.quantile(values, [tail, 1 - tail])
