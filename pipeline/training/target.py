"""The target as a model learns it, for trees as the distance from an offset, in a unit that they can compute with; a
prediction stays inside the schema's bounds."""

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import TransformedTargetRegressor

from pipeline.contract.column import Column
from pipeline.training.offsets import offset

# XGBoost makes no split that lowers the squared error by less than 1e-6, and squares in float32; scikit-learn's trees
# make none of a variance below 2e-16. A standard deviation between these two is learned as it is.
SMALL, LARGE = 0.1, 1e9


class TargetRange(TransformerMixin, BaseEstimator):
    """Subtract an offset from target values and divide by a unit; turn predictions back, and limit them to `low` and
    `high`.

    `learns_offset`: the offset is that of float32 (`offsets.offset`), and the unit that of `unit`; else they are 0 and
    1, because other models compute in double precision.
    """

    unit_ = 1.0  # of nearly all targets: a fit stores another one alone

    def __init__(self, low: float = -np.inf, high: float = np.inf, learns_offset: bool = True) -> None:
        self.low = low
        self.high = high
        self.learns_offset = learns_offset

    def fit(self, values: np.ndarray, y: Any = None) -> Self:
        self.offset_ = offset(values) if self.learns_offset else 0.0
        if self.learns_offset:
            with np.errstate(over="ignore"):
                self.learn_unit(float(np.std(values - self.offset_)))
        return self

    def learn_unit(self, deviation: float) -> None:
        """Take the unit of a target with this standard deviation."""
        if (learned := unit(deviation)) != 1:
            self.unit_ = learned

    def transform(self, values: np.ndarray) -> np.ndarray:
        return (values - self.offset_) / self.unit_

    def inverse_transform(self, values: np.ndarray) -> np.ndarray:
        # In double precision: trees answer in float32.
        values = values.astype(float) * self.unit_ + self.offset_
        # What is not finite stays so: the search tells by it that a model diverged.
        return np.where(np.isfinite(values), np.clip(values, self.low, self.high), values)


def unit(deviation: float) -> float:
    """Return the unit in which trees learn a target of this standard deviation: 1, or the power of two below it where
    it is not between SMALL and LARGE. Division by a power of two changes no digit."""
    if not 0 < deviation < np.inf or SMALL <= deviation <= LARGE:
        return 1.0
    return float(2.0 ** np.floor(np.log2(deviation)))


def bounds(target: Column) -> tuple[float, float]:
    """Return the lowest and the highest value of a prediction; infinite where the schema has none."""
    return -np.inf if target.min is None else target.min, np.inf if target.max is None else target.max


def on_range(model: Any, target: Column, learns_offset: bool) -> TransformedTargetRegressor:
    """Return the unfitted model that learns this target by way of TargetRange."""
    return TransformedTargetRegressor(
        model, transformer=TargetRange(*bounds(target), learns_offset), check_inverse=False
    )
