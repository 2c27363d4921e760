"""The interval around a prediction: as wide as out-of-fold residuals are where the model predicts the like."""

from typing import NamedTuple

import numpy as np

PARTS = 5  # of the predictions, from low to high; more follow the noise (docs/decisions/0009-intervals.md)
ROWS_PER_PART = 50
FLOOR = 0.2  # of the mean residual, added everywhere, so that no part promises next to nothing


class HalfWidth(NamedTuple):
    """Half the width of the interval as a function of the prediction: `values` at `knots` (ascending), linear between
    them, constant beyond; in the target's unit."""

    knots: np.ndarray
    values: np.ndarray

    def at(self, predictions: np.ndarray) -> np.ndarray:
        return np.interp(predictions, self.knots, self.values)


def half_width(predictions: np.ndarray, residuals: np.ndarray, level: float) -> HalfWidth:
    """The half-width that covers at least `level` of new rows if these out-of-fold residuals are like theirs.

    Locally weighted conformal prediction (Lei, G'Sell, Rinaldo, Tibshirani and Wasserman 2018, section 5.2) with
    out-of-fold residuals in place of a split: residuals are measured in units of their mean size near the prediction,
    and the ceil((n + 1) level)-th smallest of them (the largest where n is too small) scales that size.
    NaN residuals, of rows that no fold held, are left out.
    """
    held = ~np.isnan(residuals)
    predictions, sizes = predictions[held], np.abs(residuals[held])
    if not sizes.any():
        return HalfWidth(np.zeros(1), np.zeros(1))
    by_prediction = np.argsort(predictions, kind="stable")
    parts = np.array_split(by_prediction, min(PARTS, max(1, len(sizes) // ROWS_PER_PART)))
    # A model that predicts the same for many rows may give two parts the same place: the first stands for both.
    knots, first = np.unique([predictions[part].mean() for part in parts], return_index=True)
    local = np.array([sizes[part].mean() for part in parts])[first] + FLOOR * sizes.mean()
    scores = np.sort(sizes / np.interp(predictions, knots, local))
    rank = int(np.ceil((len(scores) + 1) * level))
    return HalfWidth(knots, local * scores[min(rank, len(scores)) - 1])
