"""Conformal prediction intervals, as wide as the out-of-fold residuals of similar predictions are large."""

from typing import NamedTuple

import numpy as np

from pipeline.tables import digits

PARTS = 5  # of the predictions, from low to high; more parts follow the noise (docs/decisions/0009-intervals.md)
ROWS_PER_PART = 50
FLOOR = 0.2  # of the mean residual; added everywhere, so that no part has a width near zero


class HalfWidth(NamedTuple):
    """Half the width of the interval at a prediction, in the target's unit.

    It is `values` at `knots` (ascending), linear between them and constant beyond.
    """

    knots: np.ndarray
    values: np.ndarray


def half_width(predictions: np.ndarray, residuals: np.ndarray, level: float) -> HalfWidth:
    """Return the half-width that covers at least `level` of new rows, if their residuals are like these.

    Locally weighted conformal prediction (Lei, G'Sell, Rinaldo, Tibshirani and Wasserman 2018, section 5.2) with
    out-of-fold residuals in place of a split: residuals are divided by their mean size near the prediction, and the
    ceil((n + 1) level)-th smallest of them (the largest where n is too small) scales that size.
    Residuals that are NaN, of rows that no fold held, are left out.
    """
    held = ~np.isnan(residuals)
    predictions, sizes = predictions[held], np.abs(residuals[held])
    if not sizes.any():
        return HalfWidth(np.zeros(1), np.zeros(1))
    by_prediction = np.argsort(predictions, kind="stable")
    parts = np.array_split(by_prediction, min(PARTS, max(1, len(sizes) // ROWS_PER_PART)))
    # Two parts have the same knot where a model predicts the same for many rows: the first one stays.
    means = np.array([predictions[part].mean() for part in parts])
    knots, first = np.unique(digits.rounded(means, predictions.std()), return_index=True)
    local = np.array([sizes[part].mean() for part in parts])[first] + FLOOR * sizes.mean()
    scores = np.sort(sizes / np.interp(predictions, knots, local))
    rank = int(np.ceil((len(scores) + 1) * level))
    return HalfWidth(knots, digits.rounded(local * scores[min(rank, len(scores)) - 1], sizes.max()))
