"""Metrics of the test split, slice by slice.

A slice is a third of the target, or one value of a bool or category feature of the schema. Rows without a value of a
feature are a slice of their own.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from pipeline.contract.column import Column
from pipeline.contract.number_text import plain
from pipeline.contract.params import Evaluate
from pipeline.contract.schema import Schema
from pipeline.evaluation import bootstrap, metrics


class Slice(NamedTuple):
    """The metrics of the `n` rows that share a value.

    RMSE, its interval (None for one row) and bias are in the target's unit; `bias` is the mean of predicted minus
    actual; `coverage` is the share of rows inside their prediction interval.
    """

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
    """Return the slices of the typed rows, in the order of `members`; `predictions` [rows, 3] are prediction, lower,
    upper."""
    actual = table[schema.target.name].to_numpy(float)
    found = []
    for feature, value, rows in members(table, schema, actual):
        truth, (predicted, lower, upper) = actual[rows], predictions[rows].T
        error = predicted - truth
        interval = bootstrap.rmse_interval(np.square(error), limits, approximate=len(actual) > bootstrap.MOST_ROWS)
        inside = metrics.interval_scores(truth, lower, upper)["coverage"]
        rmse, bias = metrics.rmse(truth, predicted), float(error.mean())
        found.append(Slice(feature, value, len(truth), rmse, interval, bias, inside))
    return found


def plot_data(slices: list[Slice]) -> pd.DataFrame:
    """Return a row for each slice; `low` and `high` are the interval of RMSE, empty for one row."""
    columns = ["slice", "n", "rmse", "low", "high", "bias", "coverage"]
    rows = [(s.name, s.n, s.rmse, *(s.interval or (None, None)), s.bias, s.coverage) for s in slices]
    return pd.DataFrame(rows, columns=columns).astype({"low": float, "high": float})


def members(table: pd.DataFrame, schema: Schema, actual: np.ndarray) -> Iterator[tuple[str, str, np.ndarray]]:
    """Yield feature, value and mask [rows] of each slice that has a row: the thirds of the target, then the values of
    each feature in the schema's order, a missing value last."""
    for value, rows in _thirds(actual):
        if rows.any():
            yield schema.target.name, value, rows
    for column in schema.columns:
        # A feature that `features.exclude` left out counts: a model can fail a group that it cannot see.
        if column.role in ("feature", "ignore") and column.dtype in ("bool", "category") and column.name in table:
            for value, rows in _values(table[column.name], column):
                if rows.any():
                    yield column.name, value, rows


def _thirds(actual: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the thirds with their bounds. Equal values stay together, so that a third may be larger or absent."""
    first, second = np.quantile(actual, [1 / 3, 2 / 3])
    low, high = (plain(bound, 4, float(actual.std())) for bound in (first, second))
    yield f"low, to {low}", actual <= first
    yield f"middle, to {high}", (first < actual) & (actual <= second)
    yield f"high, above {high}", actual > second


def _values(values: pd.Series, column: Column) -> Iterator[tuple[str, np.ndarray]]:
    labels = {"false": False, "true": True} if column.dtype == "bool" else {c: c for c in column.categories}
    for label, value in labels.items():
        # A category may itself be called "missing".
        yield "'missing'" if label == "missing" else label, values.isin([value]).to_numpy(bool)
    yield "missing", values.isna().to_numpy(bool)
