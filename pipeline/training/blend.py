"""A blend of candidates: the weights of their predictions, learned from out-of-fold predictions and cross-fitted."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import nnls

from pipeline.training.cross_validation import Split

PSEUDO_ROWS = 100  # that shrink the weights towards equal ones (docs/decisions/0018-blend.md)
LEAST = 0.03  # a smaller weight does not pay for its member
GAIN = 0.0025  # nor does a member that lowers RMSE by less than this share
DIGITS = 3  # of a weight: more would depend on the processor, and say nothing


class Blend(NamedTuple):
    """The weights [members], 0 for those left out, of sum 1; and cross-fitted for each row, NaN where no fold holds it:
    the weighted mean of the out-of-fold predictions, and the members' weighted standard deviation around it."""

    weights: np.ndarray
    predictions: np.ndarray
    disagreement: np.ndarray


def fit(predictions: np.ndarray, target: np.ndarray, splits: list[Split]) -> Blend:
    """Blend out-of-fold predictions [rows, members], NaN in rows that no fold holds.

    `splits`: as for the members. The rows of each are predicted with weights learned from the rows that it trains on,
    so that the error of `Blend.predictions` is that of rows which the weights have not seen. With a time column those
    are earlier rows; the first fold has none, and its weights are equal.
    """
    held = ~np.isnan(predictions).any(axis=1)
    mean, disagreement = np.full((2, len(target)), np.nan)
    for train, apply in splits:
        known = train[held[train]]
        mean[apply], disagreement[apply] = combine(predictions[apply], weigh(predictions[known], target[known]))
    return Blend(weigh(predictions[held], target[held]), mean, disagreement)


def combine(predictions: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the weighted mean [rows] of predictions [rows, members], and their weighted standard deviation [rows]."""
    mean = predictions @ weights
    return mean, np.sqrt(np.square(predictions - mean[:, None]) @ weights)


def weigh(predictions: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the weights [members], at least 0 and of sum 1, with the least squared error of the weighted mean (Breiman
    1996, Stacked Regressions), shrunk as by `_solve`.

    Members below LEAST are left out and the others weighed again; then those without which RMSE is at most 1 + GAIN of
    that of all, the least missed first. Without rows the weights are equal.
    """
    rows, members = predictions.shape
    kept = np.arange(members)
    if not rows:
        return np.full(members, 1 / members)
    errors = predictions - target[:, None]
    products = errors.T @ errors / rows
    found, error = _solve(products, rows)
    limit = error * (1 + GAIN) ** 2
    while len(kept) > 1:
        if (found < LEAST).any():
            kept = kept[found >= LEAST]
            found, _ = _solve(products[np.ix_(kept, kept)], rows)
            continue
        fewer = [np.delete(kept, place) for place in range(len(kept))]
        tried = [_solve(products[np.ix_(each, each)], rows) for each in fewer]
        place = int(np.argmin([error for _, error in tried]))
        if tried[place][1] > limit:
            break
        kept, (found, _) = fewer[place], tried[place]
    weights = np.zeros(members)
    weights[kept] = np.round(found, DIGITS)
    weights[np.argmax(weights)] += 1 - weights.sum()
    return weights


def _solve(products: np.ndarray, rows: int) -> tuple[np.ndarray, float]:
    """Return the weights w [members], at least 0 and of sum 1, with the least w'(P + PSEUDO_ROWS / rows D)w, and their
    mean squared error w'Pw; P [members, members] are the mean products of the members' errors, D is its diagonal.

    The second term is what PSEUDO_ROWS more rows add in which each member errs as much as here, but independently.
    Members that are equally good then have equal weights; and a target in another unit has the same weights.
    The sum is free for the solver and pulled to 1 by the square of its distance from it. Its solution, scaled to 1, is
    that of the sum 1: along each direction of w the first two terms scale alike.
    """
    sizes = products.diagonal()
    if not sizes.min():  # a member without any error
        return (sizes == 0) / (sizes == 0).sum(), 0.0
    system = (products + PSEUDO_ROWS / rows * np.diag(sizes)) / sizes.min() + 1
    root = np.linalg.cholesky(system)
    found, _ = nnls(root.T, np.linalg.solve(root, np.ones(len(sizes))))
    found /= found.sum()
    return found, float(found @ products @ found)
