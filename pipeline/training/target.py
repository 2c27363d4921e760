"""The target as a model learns it, for trees as the distance from an offset; a prediction stays inside the schema's
bounds."""

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import TransformedTargetRegressor

from pipeline.contract.column import Column
from pipeline.training.offsets import offset


class TargetRange(TransformerMixin, BaseEstimator):
    """Subtract an offset from target values; add it to predictions and limit them to `low` and `high`.

    `learns_offset`: it is that of float32 (`offsets.offset`); else it is 0.
    """

    def __init__(self, low: float = -np.inf, high: float = np.inf, learns_offset: bool = True) -> None:
        self.low = low
        self.high = high
        self.learns_offset = learns_offset

    def fit(self, values: np.ndarray, y: Any = None) -> Self:
        self.offset_ = offset(values) if self.learns_offset else 0.0
        return self

    def transform(self, values: np.ndarray) -> np.ndarray:
        return values - self.offset_

    def inverse_transform(self, values: np.ndarray) -> np.ndarray:
        # In double precision: trees answer in float32.
        values = values.astype(float) + self.offset_
        # What is not finite stays so: the search tells by it that a model diverged.
        return np.where(np.isfinite(values), np.clip(values, self.low, self.high), values)


def bounds(target: Column) -> tuple[float, float]:
    """Return the lowest and the highest value of a prediction; infinite where the schema has none."""
    return -np.inf if target.min is None else target.min, np.inf if target.max is None else target.max


def on_range(model: Any, target: Column, learns_offset: bool) -> TransformedTargetRegressor:
    """Return the unfitted model that learns this target by way of TargetRange."""
    return TransformedTargetRegressor(
        model, transformer=TargetRange(*bounds(target), learns_offset), check_inverse=False
    )
