"""Predictions of smaller ensembles from the fit of the largest one, so that a grid of `n_estimators` needs one fit.

The first 200 trees of a forest or boosted model of 400 are the model of 200 with the same seed, to the last bit.
"""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pipeline.contract.params import Grid

# Of a fitted model, the prepared rows and the sizes: predictions [sizes, rows] with its first trees.
Prefixes = Callable[[Any, np.ndarray, Sequence[int]], np.ndarray]


def boosting(model: Any, matrix: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
    """Predictions [sizes, rows] of the first rounds of a fitted XGBoost model."""
    return np.array([model.predict(matrix, iteration_range=(0, size)) for size in sizes])


def forest(model: Any, matrix: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
    """Predictions [sizes, rows] of the first trees of a fitted scikit-learn forest."""
    smaller = copy.copy(model)
    predictions = []
    for size in sizes:
        smaller.estimators_ = model.estimators_[:size]
        predictions.append(smaller.predict(matrix))
    return np.array(predictions)


def limit_leaves(grid: Grid, n_rows: int, max_leaves: int) -> Grid:
    """The grid with a `max_leaf_nodes` where the largest forest could exceed `max_leaves` leaves in all its trees."""
    trees = max((n for n in grid.get("n_estimators", [100]) if isinstance(n, int)), default=1)
    leaves_per_tree = max(2, max_leaves // max(trees, 1))
    if n_rows <= leaves_per_tree or "max_leaf_nodes" in grid:
        return grid
    return {**grid, "max_leaf_nodes": [leaves_per_tree]}
