"""Offsets that keep the digits of large numbers: trees compute in float32, which holds whole numbers up to 2^24."""

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin


def offset(values: np.ndarray) -> float:
    """Return the middle one of the distinct values where float32 would merge some of them, and keeps more of them apart
    as distances from it; else 0. NaN counts for nothing."""
    distinct = np.unique(values[~np.isnan(values)])
    kept = _kept_apart(distinct)
    if kept == len(distinct):
        return 0.0
    middle = float(distinct[len(distinct) // 2])
    return middle if _kept_apart(distinct - middle) > kept else 0.0


def _kept_apart(distinct: np.ndarray) -> int:
    with np.errstate(over="ignore"):
        return len(np.unique(distinct.astype(np.float32)))


class Offset(TransformerMixin, BaseEstimator):
    """Subtract from each column its learned offset, in double precision."""

    def fit(self, matrix: np.ndarray, y: Any = None) -> Self:
        self.n_features_in_ = matrix.shape[1]
        self.offset_ = np.array([offset(column) for column in matrix.T])
        return self

    def transform(self, matrix: np.ndarray) -> np.ndarray:
        return matrix - self.offset_
