"""The target as a model learns it: as the distance from an offset; a prediction stays inside the schema's bounds."""

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import TransformedTargetRegressor

from pipeline.contract.column import Column
from pipeline.training.offsets import offset


class TargetRange(TransformerMixin, BaseEstimator):
    """Subtract a learned offset from target values; add it to predictions and limit them to `low` and `high`."""

    def __init__(self, low: float = -np.inf, high: float = np.inf) -> None:
        self.low = low
        self.high = high

    def fit(self, values: np.ndarray, y: Any = None) -> Self:
        self.offset_ = offset(values)
        return self

    def transform(self, values: np.ndarray) -> np.ndarray:
        return values - self.offset_

    def inverse_transform(self, values: np.ndarray) -> np.ndarray:
        # In double precision: trees answer in float32.
        values = values.astype(float) + self.offset_
        # What is not finite stays so: the search tells by it that a model diverged.
        return np.where(np.isfinite(values), np.clip(values, self.low, self.high), values)


def on_range(model: Any, target: Column) -> TransformedTargetRegressor:
    """Return the unfitted model that learns this target by way of TargetRange."""
    low = -np.inf if target.min is None else target.min
    high = np.inf if target.max is None else target.max
    return TransformedTargetRegressor(model, transformer=TargetRange(low, high), check_inverse=False)
