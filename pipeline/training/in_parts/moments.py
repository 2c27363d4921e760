"""Least squares and ridge regression from sums over parts, which are the same for any parts in any order.

Values are rounded to a grid of 2^GRID steps on either side of the middle of their range, and their products are summed
exactly (pipeline.training.in_parts.exact_sums). A missing value is 0 with a 1 in a column of its own, so that whatever replaces it,
in whichever folds, is a linear change of the same sums: one pass over the parts serves all folds, settings and
indicators.
"""

from typing import NamedTuple

import numpy as np

from pipeline.contract.schema import Column
from pipeline.training.in_parts import exact_sums


class Grid(NamedTuple):
    """Where each feature stands among the columns of the sums: first a column of ones, last the target. `first`: the
    place of a feature's first column (a category has one a code); `missing`: of its missing values, or -1.
    A number v, or the target (last), is (v - middle) / unit on the grid."""

    columns: tuple[Column, ...]
    first: np.ndarray
    missing: np.ndarray
    middle: np.ndarray
    unit: np.ndarray
    width: int


class Fit(NamedTuple):
    """A solution. Of the numbers and booleans, in this order, `mean` and `variance`; of the model's inputs `coef` (per
    standard deviation where there is one) and the `intercept`; `rank` and `singular` values of the centred design.
    `weights` on the columns `places` of the sums, and a constant, give the prediction on the target's grid."""

    mean: np.ndarray
    variance: np.ndarray
    coef: np.ndarray
    intercept: float
    rank: int
    singular: np.ndarray
    places: list[int]
    weights: np.ndarray
    constant: float


def grid(columns: tuple[Column, ...], missing: np.ndarray, low: np.ndarray, high: np.ndarray) -> Grid:
    """`missing` [features] counts; `low` and `high` [features + 1] span all values, the target's last."""
    widths = [len(column.categories) if column.dtype == "category" else 1 for column in columns]
    first = 1 + np.cumsum([0, *widths])
    extra = np.cumsum(missing > 0)
    middle = np.nan_to_num(low / 2 + high / 2)
    half = np.nan_to_num(np.maximum(high - middle, middle - low))
    # A power of 2, by which dividing is exact.
    unit = np.ldexp(1.0, np.frexp(np.where(half > 0, half, 1.0))[1] - exact_sums.GRID)
    places = np.where(missing > 0, first[-1] + extra - 1, -1)
    return Grid(columns, first[:-1], places, middle, unit, int(first[-1] + extra[-1]) + 1)


def sums(at: Grid, matrix: np.ndarray, target: np.ndarray, fold: np.ndarray) -> dict[int, np.ndarray]:
    """Of each fold the exact products of the columns, as limbs [3, width, width]; `matrix` is as of `to_matrix`."""
    values = np.zeros((len(matrix), at.width), dtype=np.int64)
    values[:, 0] = 1
    values[:, -1] = np.rint((target - at.middle[-1]) / at.unit[-1])
    for place, column in enumerate(at.columns):
        known = np.flatnonzero(~np.isnan(matrix[:, place]))
        first, cells = at.first[place], matrix[known, place]
        if column.dtype == "category":
            values[known, first + cells.astype(np.int64)] = 1
        elif column.dtype == "bool":
            values[known, first] = cells
        else:
            values[known, first] = np.rint((cells - at.middle[place]) / at.unit[place])
        if at.missing[place] >= 0:
            values[:, at.missing[place]] = 1
            values[known, at.missing[place]] = 0
    return {int(each): exact_sums.products(values[fold == each]) for each in np.unique(fold)}


def impute(at: Grid, products: np.ndarray, imputed: np.ndarray) -> np.ndarray:
    """The products that the table has with `imputed` [features] in place of missing values."""
    changed = products.copy()
    for place in np.flatnonzero(at.missing >= 0):
        kind, value = at.columns[place].dtype, imputed[place]
        if kind == "category":
            into, times = at.first[place] + int(value), 1
        elif kind == "bool":
            into, times = at.first[place], int(value)
        else:
            into, times = at.first[place], round((value - at.middle[place]) / at.unit[place])
        changed[into] += changed[at.missing[place]] * times
        changed[:, into] += changed[:, at.missing[place]] * times
    return changed


def solve(at: Grid, products: np.ndarray, indicators: tuple[int, ...], alpha: float) -> Fit:
    """Least squares with the penalty alpha |coef|^2, of the inputs that pipeline.training.preprocessing makes with a
    scaler. Of many solutions that of the smallest coefficients, as in scikit-learn."""
    kinds = [{"bool": "bool", "category": "category"}.get(column.dtype, "number") for column in at.columns]
    scaled = [place for kind in ("number", "bool") for place, each in enumerate(kinds) if each == kind]
    categories = [place for place, each in enumerate(kinds) if each == "category"]
    coded = [at.first[place] + code for place in categories for code in range(len(at.columns[place].categories))]
    places = [*at.first[scaled].tolist(), *map(int, coded), *(int(at.missing[place]) for place in indicators)]
    n, mean, covariance = _moments(products, [*places, at.width - 1])
    deviation = np.ones(len(places))
    deviation[: len(scaled)] = np.sqrt(np.diag(covariance)[: len(scaled)])
    deviation[deviation == 0] = 1.0
    normal = covariance[:-1, :-1] / np.outer(deviation, deviation)
    eigenvalues, vectors = np.linalg.eigh(normal)
    kept = eigenvalues > len(places) * np.finfo(float).eps * max(eigenvalues.max(initial=0), 0)
    inverse = np.divide(1, eigenvalues + alpha / n, where=kept, out=np.zeros_like(eigenvalues))
    coef = vectors @ (inverse * (vectors.T @ (covariance[:-1, -1] / deviation)))
    weights = coef / deviation
    unit = np.array([at.unit[place] if kinds[place] == "number" else 1.0 for place in scaled])
    middle = np.array([at.middle[place] if kinds[place] == "number" else 0.0 for place in scaled])
    rest = slice(len(scaled), None)
    coef *= at.unit[-1]
    return Fit(
        mean=middle + mean[: len(scaled)] * unit,
        variance=np.diag(covariance)[: len(scaled)] * unit**2,
        coef=coef,
        intercept=at.middle[-1] + mean[-1] * at.unit[-1] - float(coef[rest] @ mean[:-1][rest]),
        rank=int(kept.sum()),
        singular=np.sqrt(n * np.where(kept, eigenvalues, 0))[::-1],
        places=places,
        weights=weights,
        constant=float(mean[-1] - weights @ mean[:-1]),
    )


def squared_error(at: Grid, products: np.ndarray, fit: Fit) -> float:
    """The sum of the squared errors of a fit over the rows of these `products`, imputed as the fit's were; precise to
    about 1e-12 of the target's own sum of squares."""
    if not products[0, 0]:
        return 0.0
    n, mean, covariance = _moments(products, [*fit.places, at.width - 1])
    residual = np.append(-fit.weights, 1.0)
    return float(n * ((residual @ mean - fit.constant) ** 2 + residual @ covariance @ residual) * at.unit[-1] ** 2)


def _moments(products: np.ndarray, places: list[int]) -> tuple[int, np.ndarray, np.ndarray]:
    """Rows, means and covariances of the columns at `places`; whole numbers until the last division."""
    n, total = int(products[0, 0]), products[0, places]
    centred = products[np.ix_(places, places)] * n - np.outer(total, total)
    return n, (total / n).astype(float), (centred / n**2).astype(float)
