"""The error expected on live rows by a model that learns how large the residuals are.

Direct loss estimation (NannyML 0.6, docs/how_it_works/performance_estimation.rst): a second model predicts the absolute
residual from the features and the prediction. Unlike weights it needs no reference row in every place where live rows
are, because it learns from all of them. It cannot see a changed relation of features and target, and beyond the
reference it expects the error of the nearest reference rows.
"""

import numpy as np
from scipy import stats

SEED = 0
LEVEL = 0.95
FOLDS = 10
TREES = 30  # a fold
# A node of fewer rows is not split: the larger of a number and a share of all rows.
SPLIT, SPLIT_SHARE = 20, 0.02
# Fewest reference rows to learn from, and the most, which bounds time.
FEWEST, MOST = 100, 2_000


def estimate(reference: np.ndarray, live: np.ndarray, residuals: np.ndarray) -> dict[str, float]:
    """Learn the absolute residuals [n] of reference rows [n, features], and compare the RMSE that this expects of live
    rows [m, features] with that of the reference. Numbers without NaN, at least FEWEST reference rows.

    Return the `ratio` of the two with its LEVEL interval from `low` to `high`. An RMSE follows from expected absolute
    residuals if the residuals have one shape and differ in size only. The reference is cross-fitted: each fold's
    residuals are expected by a model that has not seen them, so that both sides have the same bias.

    The interval is Student's t with FOLDS - 1 degrees of freedom, on the logarithm. Its variance is that of the mean of
    the live rows, and a grouped jackknife over the folds (Kott 2001) for the reference, learning included. A jackknife
    of trees counts part of their randomness FOLDS times: the interval is too wide rather than too narrow.
    """
    known, new = (_ranks(reference, rows) for rows in (reference, live))
    size, fold = np.abs(residuals), np.arange(len(residuals)) % FOLDS
    ours, theirs = np.empty(len(known)), np.empty((FOLDS, len(new)))
    for k in range(FOLDS):
        held = fold == k
        expected = _expected(known[~held], size[~held], np.vstack([known[held], new]))
        ours[held], theirs[k] = np.square(expected[: held.sum()]), np.square(expected[held.sum() :])
    rows = theirs.mean(axis=0)  # expected squared error of each live row, but for the factor of the shape
    without = [ours[fold != k].mean() for k in range(FOLDS)]
    ratios = _half_log(theirs.mean(axis=1)) - _half_log(np.array(without))
    jackknife = (FOLDS - 1) * ratios.var()
    sampling = rows.var() / len(live) / max(4 * rows.mean() ** 2, 1e-300)
    ratio = float(_half_log(rows.mean()) - _half_log(ours.mean()))
    half = float(stats.t.ppf((1 + LEVEL) / 2, FOLDS - 1) * np.sqrt(jackknife + sampling))
    return {"ratio": float(np.exp(ratio)), "low": float(np.exp(ratio - half)), "high": float(np.exp(ratio + half))}


def _ranks(reference: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the ranks of the values among the reference's. Trees split as well by ranks, which a skewed feature or a
    wild value does not stretch, and which single precision holds."""
    return np.column_stack([np.searchsorted(np.sort(a), b) for a, b in zip(reference.T, rows.T, strict=True)])


def _expected(features: np.ndarray, size: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the absolute residuals [rows] that extremely randomised trees (Geurts et al. 2006) expect. Their fit uses
    no BLAS and one thread, so it is the same on every processor."""
    from sklearn.ensemble import ExtraTreesRegressor  # takes a second to import, as in expected_loss

    split = max(SPLIT, round(SPLIT_SHARE * len(size)))
    return ExtraTreesRegressor(TREES, min_samples_split=split, random_state=SEED).fit(features, size).predict(rows)


def _half_log(square: np.ndarray | float) -> np.ndarray:
    return np.log(np.maximum(square, 1e-300)) / 2
