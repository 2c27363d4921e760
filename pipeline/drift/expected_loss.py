"""The error that a model is expected to make on live rows whose target is not known.

The reference's residuals are reweighted to the live mix of features. This assumes that the target depends on the
features as before (covariate shift, Shimodaira 2000), and says nothing about live rows where the reference has none.
A strong shift leaves few rows with weight; `learned_loss` gives a second estimate, which needs no weights.
"""

from typing import Any

import numpy as np
import pandas as pd

from pipeline.drift import learned_loss
from pipeline.drift.reference import Reference
from pipeline.drift.sketch import Sketch
from pipeline.tables import sampling

SEED = 0
RESAMPLES = 1_000
# Drawn rows that are in memory at a time, whatever the number of reference rows.
BLOCK = 2**18
LEVEL = 0.95
# The largest weight of a reference row: the estimated ratio of two densities has no upper end of its own.
LARGEST = 20.0
# Effective rows below which a weighted RMSE is the error of a handful of rows.
FEWEST = 30
# The share of live rows outside of the reference above which there is no estimate.
MOST_BEYOND = 0.5


def expected_loss(reference: Reference, live: Sketch) -> dict[str, Any] | None:
    """Return the expected error for the report: RMSE of the reference and expected RMSE of the live rows, their ratio
    with its interval (see `reweighted`), and `beyond`: the share of live rows outside of the reference in a feature
    that matters, about which the estimate says nothing.

    Ratio and interval are left out where less than FEWEST rows are effective or most live rows are beyond. `learned`:
    the ratio by a learned model with its interval, None where the reference is small or most live rows are beyond.

    None where the reference has no residuals, or the model depends on no feature that both sides have.
    """
    names = [name for name in reference.names if reference.importance is None or reference.weight(name) > 0]
    if "residual" not in reference.table or not names:
        return None
    known = reference.table.dropna(subset=["residual"])
    ours, theirs = (reference.matrix(rows, names) for rows in (known, live.sample))
    residuals = known["residual"].to_numpy()
    loss = reweighted(*_filled(ours, theirs), residuals)
    rmse = float(np.sqrt(np.square(residuals).mean()))
    beyond = float(((theirs < ours.min()) | (theirs > ours.max())).any(axis=1).mean())
    if "prediction" in known and "prediction" in live.sample:
        ours, theirs = (
            side.assign(prediction=rows["prediction"]) for side, rows in ((ours, known), (theirs, live.sample))
        )
    learned = None if beyond > MOST_BEYOND else _learned(ours, theirs, residuals)
    both = {"rmse_reference": rmse, "beyond": beyond, "learned": learned}
    if loss["effective_rows"] < FEWEST or beyond > MOST_BEYOND:
        return {**both, "effective_rows": loss["effective_rows"]}
    return {**both, "rmse_expected": rmse * loss["ratio"], **loss}


def _learned(ours: pd.DataFrame, theirs: pd.DataFrame, residuals: np.ndarray) -> dict[str, float] | None:
    """Return the estimate of `learned_loss` from a bounded sample of the reference rows `ours`; None for too few."""
    if len(ours) < learned_loss.FEWEST:
        return None
    chosen = sampling.sample(ours.index.to_series(), learned_loss.MOST)
    return learned_loss.estimate(*_filled(ours.iloc[chosen], theirs), residuals[chosen])


def _filled(ours: pd.DataFrame, theirs: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return both sides with the reference's medians for missing values."""
    usual = ours.median().fillna(0.0)
    return ours.fillna(usual).to_numpy(), theirs.fillna(usual).to_numpy()


def reweighted(reference: np.ndarray, live: np.ndarray, residuals: np.ndarray) -> dict[str, float]:
    """Weight the residuals [n] of reference rows [n, features] so that these look like the live rows [m, features], and
    compare the weighted RMSE with the plain one. Numbers without NaN.

    Return the `ratio` of the two with its bootstrap interval from `low` to `high`, and `effective_rows`: the number of
    equally weighted reference rows with the same information (Kish 1965).
    """
    weights, squares = _weights(reference, live), np.square(residuals)
    low, high = np.quantile(_resampled_ratios(weights, squares), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    ratio = np.sqrt((weights * squares).sum() / weights.sum() / max(squares.mean(), 1e-300))
    effective = weights.sum() ** 2 / np.square(weights).sum()
    return {"ratio": float(ratio), "low": float(low), "high": float(high), "effective_rows": float(effective)}


def _resampled_ratios(weights: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """Return the ratio of weighted to plain RMSE in each bootstrap resample of the rows [n]: [RESAMPLES]."""
    generator, n = np.random.default_rng(SEED), len(squares)
    size = max(1, BLOCK // n)
    ratios = []
    for start in range(0, RESAMPLES, size):
        drawn = generator.integers(0, n, (min(size, RESAMPLES - start), n))
        weight, square = weights[drawn], squares[drawn]
        plain = np.maximum(square.mean(axis=1), 1e-300)
        ratios.append(np.sqrt((weight * square).sum(axis=1) / weight.sum(axis=1) / plain))
    return np.concatenate(ratios)


def _weights(reference: np.ndarray, live: np.ndarray) -> np.ndarray:
    """Return the weights [n] of the reference rows, with mean 1; the largest are cut at LARGEST.

    They are the odds of "live" by a logistic regression on the features and their squares (Bickel et al. 2009), which
    follows a change of mean or of spread.
    """
    from sklearn.linear_model import LogisticRegression  # takes a second to import, which no other part of drift needs

    centre, spread = reference.mean(axis=0), np.maximum(reference.std(axis=0), 1e-12)
    # The square of a value far outside would outweigh all reference rows together.
    both = np.clip((np.vstack([reference, live]) - centre) / spread, -10, 10)
    design = np.column_stack([both, both**2 - 1])
    label = np.repeat([0, 1], [len(reference), len(live)])
    # Balanced: both sides weigh as much, so that the odds are the density ratio.
    model = LogisticRegression(class_weight="balanced", solver="newton-cholesky", tol=1e-10)
    score = model.fit(design, label).decision_function(design[: len(reference)])
    odds = np.exp(score - score.max())
    return np.minimum(odds / odds.mean(), LARGEST)
