"""Least squares and ridge regression from sums of products of columns.

A missing value is 0 in its column, with a 1 in a column of its own. Whatever replaces it, in whichever folds, is then a
linear change of the same sums, so that one pass over the rows serves all folds, settings and missing indicators.
Numbers and the target are taken as distances from their medians, which keeps the digits that a large offset would cost.
"""

from typing import Any, NamedTuple

import numpy as np

from pipeline.contract.column import Column
from pipeline.contract.columns import matrix_columns
from pipeline.training import preprocessing
from pipeline.training.in_parts.column_statistics import TableStatistics

# Directions with less than this share of the largest variance count as none: the rounding of the sums is below it.
_RANK_TOLERANCE = 1e-12


class Layout(NamedTuple):
    """The columns of the sums: ones first, the target last.

    `features` [matrix columns]: the feature that each is made from. `first` [matrix columns]: the position of its first
    column here (a category has one for each code); `missing` [matrix columns]: that of the column of its missing
    values, or -1. `centre` [matrix columns + 1] is subtracted from the numbers and, last, from the target. `width`
    counts the columns.
    """

    columns: tuple[Column, ...]
    features: tuple[Column, ...]
    first: np.ndarray
    missing: np.ndarray
    centre: np.ndarray
    width: int


def layout(columns: tuple[Column, ...], statistics: TableStatistics) -> Layout:
    """Lay out the sums for these features."""
    features = tuple(each.feature for each in matrix_columns(columns))
    widths = [len(feature.categories) if feature.dtype == "category" else 1 for feature in features]
    first = 1 + np.cumsum([0, *widths])
    has_missing = statistics.missing > 0
    missing = np.where(has_missing, first[-1] + np.cumsum(has_missing) - 1, -1)
    is_number = [feature.dtype not in ("bool", "category") for feature in features]
    centre = np.append(np.where(is_number, statistics.imputed[-1], 0.0), statistics.target_median)
    return Layout(columns, features, first[:-1], missing, centre, int(first[-1] + has_missing.sum()) + 1)


def design(layout: Layout, matrix: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the columns of the sums [rows, width] of a feature matrix and its target."""
    values = np.zeros((len(matrix), layout.width))
    values[:, 0] = 1
    values[:, -1] = target - layout.centre[-1]
    for position, feature in enumerate(layout.features):
        known = np.flatnonzero(~np.isnan(matrix[:, position]))
        first, cells = layout.first[position], matrix[known, position]
        if feature.dtype == "category":
            values[known, first + cells.astype(np.int64)] = 1
        else:
            values[known, first] = cells - layout.centre[position]
        if layout.missing[position] >= 0:
            values[:, layout.missing[position]] = 1
            values[known, layout.missing[position]] = 0
    return values


def impute(layout: Layout, products: np.ndarray, imputed: np.ndarray) -> np.ndarray:
    """Return the products [width, width] of the table with `imputed` [matrix columns] in place of missing values."""
    changed = products.copy()
    for position in np.flatnonzero(layout.missing >= 0):
        is_category = layout.features[position].dtype == "category"
        into = layout.first[position] + (int(imputed[position]) if is_category else 0)
        times = 1.0 if is_category else imputed[position] - layout.centre[position]
        changed[into] += changed[layout.missing[position]] * times
        changed[:, into] += changed[:, layout.missing[position]] * times
    return changed


def solve(
    layout: Layout, products: np.ndarray, indicators: tuple[int, ...], alpha: float
) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """Solve least squares with the penalty alpha |coef|², for the inputs that pipeline.training.preprocessing makes
    with a scaler. Of many solutions, take that of the smallest coefficients, as scikit-learn does.

    Return the mean and variance of the numbers and then the booleans, and the attributes of a fitted LinearRegression.
    """
    at = preprocessing.by_kind(layout.columns)
    scaled = [*at["numbers"], *at["booleans"]]
    coded = [
        layout.first[position] + code
        for position in at["categories"]
        for code in range(len(layout.features[position].categories))
    ]
    inputs = [*layout.first[scaled], *coded, *layout.missing[list(indicators)]]
    # Means and covariances of the inputs and, last, of the target.
    used = [*inputs, layout.width - 1]
    n = products[0, 0]
    mean = products[0, used] / n
    covariance = products[np.ix_(used, used)] / n - np.outer(mean, mean)
    variance = np.diag(covariance)[: len(scaled)].clip(0)
    deviation = np.ones(len(inputs))
    deviation[: len(scaled)] = np.sqrt(np.where(variance > 0, variance, 1.0))
    eigenvalues, vectors = np.linalg.eigh(covariance[:-1, :-1] / np.outer(deviation, deviation))
    kept = eigenvalues > _RANK_TOLERANCE * max(eigenvalues.max(initial=0), 0)
    inverse = np.divide(1, eigenvalues + alpha / n, where=kept, out=np.zeros_like(eigenvalues))
    coef = vectors @ (inverse * (vectors.T @ (covariance[:-1, -1] / deviation)))
    unscaled = slice(len(scaled), None)
    attributes = {
        "coef_": coef,
        "intercept_": layout.centre[-1] + mean[-1] - float(coef[unscaled] @ mean[:-1][unscaled]),
        "rank_": int(kept.sum()),
        "singular_": np.sqrt(n * np.where(kept, eigenvalues, 0))[::-1],
    }
    return layout.centre[scaled] + mean[: len(scaled)], variance, attributes
