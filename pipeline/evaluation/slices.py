"""Metrics of the test split, slice by slice.

A slice is a tercile of the target, or one value of a bool or category feature; rows that miss a feature are a slice of
their own. Which features these are, the schema says.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from pipeline.contract.params import Evaluate
from pipeline.contract.schema import Column, Schema
from pipeline.evaluation import bootstrap, metrics

MISSING = "missing"


class Slice(NamedTuple):
    """Rows that share a value. RMSE, its interval (None for one row) and bias are in the target's unit; `bias` is the
    mean of predicted minus actual; `coverage` the share of rows inside of their prediction interval."""

    feature: str
    value: str
    n: int
    rmse: float
    interval: bootstrap.Interval
    bias: float
    coverage: float

    @property
    def name(self) -> str:
        return f"{self.feature}: {self.value}"


def measure(table: pd.DataFrame, schema: Schema, predictions: np.ndarray, limits: Evaluate) -> list[Slice]:
    """Every slice of the typed rows that has one; `predictions` [rows, 3] are prediction, lower, upper.

    The target comes first, then the features in the schema's order, a missing value last.
    """
    actual = table[schema.target.name].to_numpy(float)
    found = []
    for feature, value, rows in members(table, schema, actual):
        truth, (predicted, lower, upper) = actual[rows], predictions[rows].T
        interval = bootstrap.rmse_interval(truth, predicted, limits)
        bias, inside = float((predicted - truth).mean()), metrics.interval_scores(truth, lower, upper)["coverage"]
        found.append(Slice(feature, value, len(truth), metrics.rmse(truth, predicted), interval, bias, inside))
    return found


def plot_data(slices: list[Slice]) -> pd.DataFrame:
    """A row a slice; `low` and `high` are the interval of RMSE, empty for one row."""
    columns = ["slice", "n", "rmse", "low", "high", "bias", "coverage"]
    rows = [(s.name, s.n, s.rmse, *(s.interval or (None, None)), s.bias, s.coverage) for s in slices]
    return pd.DataFrame(rows, columns=columns).astype({"low": float, "high": float})


def terciles(actual: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """The thirds of the values with their bounds; equal values stay together, so a third may be larger or absent."""
    first, second = np.quantile(actual, [1 / 3, 2 / 3])
    yield f"low, to {first:.4g}", actual <= first
    yield f"middle, to {second:.4g}", (first < actual) & (actual <= second)
    yield f"high, above {second:.4g}", actual > second


def members(table: pd.DataFrame, schema: Schema, actual: np.ndarray) -> Iterator[tuple[str, str, np.ndarray]]:
    """Feature, value and mask of each slice that has a row."""
    for value, rows in terciles(actual):
        if rows.any():
            yield schema.target.name, value, rows
    for column in schema.columns:
        # A feature that `features.exclude` left out counts: a model can fail a group that it cannot see.
        if column.role in ("feature", "ignore") and column.dtype in ("bool", "category") and column.name in table:
            for value, rows in _values(table[column.name], column):
                if rows.any():
                    yield column.name, value, rows


def _values(values: pd.Series, column: Column) -> Iterator[tuple[str, np.ndarray]]:
    absent = values.isna().to_numpy(bool)
    known: tuple[object, ...] = (False, True) if column.dtype == "bool" else column.categories
    held = values.astype(object).where(~values.isna(), None)
    for value in known:
        label = str(value).lower() if column.dtype == "bool" else str(value)
        # A category may itself be called "missing".
        yield f"{label!r}" if label == MISSING else label, (held == value).to_numpy(bool) & ~absent
    yield MISSING, absent
