"""A blend of candidates: the weights of their predictions, learned from out-of-fold predictions and cross-fitted."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import nnls

from pipeline.tables import digits
from pipeline.training.cross_validation import Split

PSEUDO_ROWS = 100  # that shrink the weights towards equal ones (docs/decisions/0018-blend.md)
LEAST = 0.03  # a smaller weight does not pay for its member
GAIN = 0.0025  # nor does a member that lowers RMSE by less than this share
DIGITS = 3  # of a weight: more would depend on the processor, and say nothing


class Blend(NamedTuple):
    """The weights [members], 0 for those left out, of sum 1; and for each row, NaN where no fold holds it: the
    cross-fitted weighted mean of the out-of-fold predictions, and their standard deviation with the weights."""

    weights: np.ndarray
    predictions: np.ndarray
    disagreement: np.ndarray


def fit(predictions: np.ndarray, target: np.ndarray, splits: list[Split]) -> Blend:
    """Blend out-of-fold predictions [rows, members], NaN in rows that no fold holds.

    `splits`: as for the members. The rows of each are predicted with weights learned from the rows that it trains on,
    so that the error of `Blend.predictions` is that of rows which the weights have not seen. With a time column those
    are earlier rows; the first fold has none, and its weights are equal. Here no member is left out for parsimony: that
    costs at most GAIN, but would leave out other members in each fold.
    """
    held, spread = ~np.isnan(predictions).any(axis=1), target.std()
    weights = weigh(predictions[held], target[held])
    mean = np.full(len(target), np.nan)
    for train, apply in splits:
        known = train[held[train]]
        mean[apply], _ = combine(predictions[apply], weigh(predictions[known], target[known], gain=0))
    _, disagreement = combine(predictions, weights)
    return Blend(weights, digits.rounded(mean, spread), digits.rounded(disagreement, spread))


def combine(predictions: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the weighted mean [rows] of predictions [rows, members], and their weighted standard deviation [rows]."""
    mean = predictions @ weights
    return mean, np.sqrt(np.square(predictions - mean[:, None]) @ weights)


def weigh(predictions: np.ndarray, target: np.ndarray, gain: float = GAIN) -> np.ndarray:
    """Return the weights [members], at least 0 and of sum 1, with the least squared error of the weighted mean (Breiman
    1996, Stacked Regressions), shrunk towards equal ones as by `_solve`.

    Members below LEAST are left out and the others weighed again; then the least missed one, again and again, while
    RMSE is at most 1 + `gain` of the lowest on the way. Without rows the weights are equal.
    """
    rows, members = predictions.shape
    if not rows:
        return np.full(members, 1 / members)
    errors = predictions - target[:, None]
    products = errors.T @ errors / rows
    kept = np.arange(members)
    found, lowest = _solve(products, rows)
    while len(kept) > 1:
        small = found < LEAST
        fewer = [kept[~small]] if small.any() else [np.delete(kept, place) for place in range(len(kept))]
        tried = [_solve(products[np.ix_(each, each)], rows) for each in fewer]
        place = int(np.argmin([error for _, error in tried]))
        weights, error = tried[place]
        if not small.any() and error > lowest * (1 + gain) ** 2:
            break
        kept, found, lowest = fewer[place], weights, min(lowest, error)
    weights = np.zeros(members)
    weights[kept] = np.round(found, DIGITS)
    weights[np.argmax(weights)] += 1 - weights.sum()
    return np.round(weights, DIGITS)


def _solve(products: np.ndarray, rows: int) -> tuple[np.ndarray, float]:
    """Return the weights w [members], at least 0 and of sum 1, with the least w'Pw + PSEUDO_ROWS / rows s |w|^2, and
    their mean squared error w'Pw.

    P [members, members] are the mean products of the members' errors; s is the mean square of their distance from
    their mean. The second term is what PSEUDO_ROWS more rows add in which the members are as far apart as here, and
    none is better than the others; so weights do not depend on the target's unit.
    The sum is free for the solver and pulled to 1 by the square of its distance from it. Its solution, scaled to 1, is
    that of the sum 1: along each direction of w the first two terms scale alike.
    """
    unit, members = products.diagonal().min(), len(products)
    if not unit:  # a member without any error
        best = products.diagonal() == 0
        return best / best.sum(), 0.0
    apart = np.trace(products) / members - products.sum() / members**2
    system = (products + PSEUDO_ROWS / rows * apart * np.eye(members)) / unit + 1
    # The last term is for members that are the same.
    root = np.linalg.cholesky(system + 1e-9 * np.eye(members))
    found, _ = nnls(root.T, np.linalg.solve(root, np.ones(members)))
    found /= found.sum()
    return found, float(found @ products @ found)
