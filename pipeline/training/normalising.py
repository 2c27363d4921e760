"""Standardisation of numbers that first takes the logarithm of skewed ones, for models that measure distances."""

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from pipeline.tables import digits

SKEWED = 1.0  # skewness from which the logarithm is taken; an exponential distribution has 2, a normal one 0


def centre_and_spread(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and the standard deviation of each column, to about four digits of the latter; a column of one
    value has the spread 1."""
    middle = np.median(values, axis=0)  # distances from it keep the digits of large numbers
    spread = digits.coarse((values - middle).std(axis=0))
    spread = np.where(spread == 0, 1.0, spread)
    return middle + np.round(((values - middle) / spread).mean(axis=0), 4) * spread, spread


class Normalise(TransformerMixin, BaseEstimator):
    """Standardise each column; of one that is skewed to the right and has no negative values, log(1 + x / unit).

    `unit_` is the median of its positive values, or 0 where no logarithm is taken; `mean_` and `scale_` come after it.
    """

    def fit(self, matrix: np.ndarray, y: Any = None) -> Self:
        self.n_features_in_ = matrix.shape[1]
        self.unit_ = np.array([_unit(column) for column in matrix.T])
        self.mean_, self.scale_ = centre_and_spread(self._logged(matrix))
        return self

    def transform(self, matrix: np.ndarray) -> np.ndarray:
        return (self._logged(matrix) - self.mean_) / self.scale_

    def _logged(self, matrix: np.ndarray) -> np.ndarray:
        unit = np.where(self.unit_ > 0, self.unit_, 1.0)
        # A value below 0, which training had none of, counts as 0.
        return np.where(self.unit_ > 0, np.log(1 + np.maximum(matrix, 0) / unit), matrix)


def _unit(column: np.ndarray) -> float:
    centre, spread = centre_and_spread(column)
    if column.min() < 0 or np.mean(((column - centre) / spread) ** 3) <= SKEWED:
        return 0.0
    return float(np.median(column[column > 0]))
