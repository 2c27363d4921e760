"""Ensembles that differ in size or depth alone share trees: the same predictions as a fit of each, from far fewer fits.

A forest or boosted model of 200 trees is the beginning of one of 400 with the same seed. A tree of a forest that
never comes to a depth limit is the tree that the limit would have given. Equal to the last bit, as a test shows.
"""

import copy
import math
from typing import Any

import numpy as np
from sklearn.base import clone

Grid = dict[str, list[Any]]


def boosting(models: list[Any], matrix: np.ndarray, target: np.ndarray, held: np.ndarray) -> np.ndarray:
    """Predictions [models, rows of `held`] of XGBoost models that differ in `n_estimators` alone."""
    rounds = [model.get_num_boosting_rounds() for model in models]
    largest = models[int(np.argmax(rounds))].fit(matrix, target)
    return np.array([largest.predict(held, iteration_range=(0, count)) for count in rounds])


def forest(models: list[Any], matrix: np.ndarray, target: np.ndarray, held: np.ndarray) -> np.ndarray:
    """Predictions [models, rows of `held`] of random forests that differ in `n_estimators` and `max_depth` alone."""
    most = max(model.n_estimators for model in models)
    deepest = max((model.max_depth for model in models), key=_depth)
    fitted = clone(models[0]).set_params(n_estimators=most, max_depth=deepest).fit(matrix, target)
    numbers = matrix.astype(np.float32)  # as the forest itself hands them to its trees
    seen = held.astype(np.float32)
    grown, samples = fitted.estimators_, fitted.estimators_samples_  # the samples are drawn again at each access
    sums: dict[float, np.ndarray] = {}
    for limit in {_depth(model.max_depth): model.max_depth for model in models}.values():
        trees = grown if limit == deepest else _limited(grown, samples, limit, numbers, target)
        # Summed in the order of the trees, as scikit-learn adds them up, so that the last digit is the same too.
        sums[_depth(limit)] = np.cumsum([tree.tree_.predict(seen)[:, 0] for tree in trees], axis=0)
    return np.array([sums[_depth(m.max_depth)][m.n_estimators - 1] / m.n_estimators for m in models])


def bounded(grid: Grid, n_rows: int, max_leaves: int) -> Grid:
    """A forest's grid with `max_leaf_nodes` where its trees would outgrow `max_leaves` leaves together."""
    trees = max((n for n in grid.get("n_estimators", [100]) if isinstance(n, int)), default=1)
    each = max(2, max_leaves // max(trees, 1))
    if n_rows <= each or "max_leaf_nodes" in grid:
        return grid
    return {**grid, "max_leaf_nodes": [each]}


def _limited(
    grown: list[Any], samples: list[np.ndarray], limit: int, matrix: np.ndarray, target: np.ndarray
) -> list[Any]:
    """The trees that a forest with this depth limit has: those that are too deep are grown again, on the same bootstrap
    sample and with the same random state."""
    trees = list(grown)
    for place, sample in enumerate(samples):
        # At the limit itself too: growing tried to split there, which moves the random state on.
        if trees[place].get_depth() >= limit:
            weight = np.bincount(sample, minlength=len(target)).astype(float)
            # A shallow copy: `clone` looks up the signature of the tree each time, which takes as long as growing it.
            tree = copy.copy(trees[place])
            tree.max_depth = limit
            trees[place] = tree.fit(matrix, target, sample_weight=weight, check_input=False)
    return trees


def _depth(limit: int | None) -> float:
    return math.inf if limit is None else limit
