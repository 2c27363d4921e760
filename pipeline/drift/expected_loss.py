"""The error that a model is expected to make on live rows, and the error that feedback shows.

The reference's residuals are reweighted to the live mix of features. That assumes that the target depends on the
features as before (covariate shift, Shimodaira 2000), and says nothing about live rows where the reference has none.
"""

from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from pipeline.drift import correlation_test
from pipeline.drift.reference import Reference, expanded
from pipeline.drift.sketch import Sketch

SEED = 0
RESAMPLES = 1_000
# Drawn rows that are in memory at a time, whatever the number of reference rows.
BLOCK = 2**18
LEVEL = 0.95
# The largest weight of a reference row: the estimated ratio of two densities has no upper end of its own.
LARGEST = 20.0
PENALTY = 1.0
TOLERANCE = 1e-10
# Effective rows below which a weighted RMSE is the error of a handful of rows.
FEWEST = 30


class Loss(NamedTuple):
    """`ratio`: expected live RMSE divided by the reference's RMSE, with a bootstrap interval. `effective`: the number
    of equally weighted reference rows with the same information (Kish 1965)."""

    ratio: float
    low: float
    high: float
    effective: float


def reweighted(reference: np.ndarray, live: np.ndarray, residuals: np.ndarray) -> Loss:
    """Reweight the residuals [n] of reference rows [n, features] so that these look like the live rows [m, features],
    and compare the weighted RMSE with the plain one. Numbers without NaN."""
    weights = _weights(reference, live)
    squares = np.square(residuals)
    ratios = _resampled_ratios(weights, squares)
    low, high = np.quantile(ratios, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    ratio = np.sqrt((weights * squares).sum() / weights.sum() / max(squares.mean(), 1e-300))
    return Loss(float(ratio), float(low), float(high), float(weights.sum() ** 2 / np.square(weights).sum()))


def expected_loss(reference: Reference, live: Sketch, importance: dict[str, float] | None) -> dict[str, Any] | None:
    """The expected error for the report: RMSE of the reference and expected RMSE of the live rows, their ratio with its
    interval (see `reweighted`), and `beyond`: the share of live rows outside of the reference in a feature that
    matters, about which the estimate says nothing.

    Ratio and interval are left out where less than FEWEST rows are effective or most live rows are beyond. None where
    the reference has no residuals, or the model depends on no feature that both sides have.
    """
    names = [n for n in reference.ordered if importance is None or importance.get(n, 0.0) > 0]
    if "residual" not in reference.table or not names or not len(live.sample):
        return None
    known = reference.table[reference.table["residual"].notna()]
    part = Reference(reference.anchors, reference.sketch, reference.table, tuple(names))
    ours, theirs = (expanded(part, table, correlation_test.FEATURES) for table in (known, live.sample))
    usual = ours.median().fillna(0.0)
    residuals = known["residual"].to_numpy()
    result = reweighted(ours.fillna(usual).to_numpy(), theirs.fillna(usual).to_numpy(), residuals)
    before = float(np.sqrt(np.square(residuals).mean()))
    outside = (theirs < ours.min()) | (theirs > ours.max())
    about = {
        "rmse_reference": before,
        "effective_rows": result.effective,
        "beyond": float(outside.any(axis=1).mean()),
    }
    if result.effective < FEWEST or about["beyond"] > 0.5:
        return about
    return {
        **about,
        "rmse_expected": before * result.ratio,
        "ratio": result.ratio,
        "low": result.low,
        "high": result.high,
    }


def observed(residuals: np.ndarray, errors: np.ndarray) -> tuple[float, float]:
    """Compare live errors [m] with the reference's residuals [n]: (RMSE over RMSE, one-sided p-value that they grew).

    Mann-Whitney's test of the absolute values: a rank test, so that one wild row alone is no alarm.
    """
    ours, theirs = np.abs(residuals), np.abs(errors)
    p = stats.mannwhitneyu(theirs, ours, alternative="greater").pvalue
    return float(np.sqrt(np.square(theirs).mean() / max(np.square(ours).mean(), 1e-300))), float(p)


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
    model = LogisticRegression(C=1 / PENALTY, class_weight="balanced", solver="newton-cholesky", tol=TOLERANCE)
    score = model.fit(design, label).decision_function(design[: len(reference)])
    odds = np.exp(score - score.max())
    return np.minimum(odds / odds.mean(), LARGEST)
