"""Ensembles that differ in size or depth alone share trees: the same predictions as a fit of each, from far fewer fits.

A forest or boosted model of 200 trees is the beginning of one of 400 with the same seed. A tree of a forest that
never comes to a depth limit is the tree that the limit would have given. Equal to the last bit, as a test shows.
"""

import copy
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from sklearn import config_context
from sklearn.base import clone
from sklearn.utils import check_random_state

Grid = dict[str, list[Any]]


class Sharing(NamedTuple):
    """Settings whose values (whole numbers, or None) need no fit of their own. `predict(models, matrix, target, held)`
    gives the predictions [models, rows of `held`] of unfitted models that differ in these settings alone."""

    settings: frozenset[str]
    predict: Callable[[list[Any], np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def boosting(models: list[Any], matrix: np.ndarray, target: np.ndarray, held: np.ndarray) -> np.ndarray:
    """Predictions [models, rows of `held`] of XGBoost models that differ in `n_estimators` alone."""
    rounds = [model.get_num_boosting_rounds() for model in models]
    largest = models[int(np.argmax(rounds))].fit(matrix, target)
    return np.array([largest.predict(held, iteration_range=(0, count)) for count in rounds])


def forest(models: list[Any], matrix: np.ndarray, target: np.ndarray, held: np.ndarray) -> np.ndarray:
    """Predictions [models, rows of `held`] of random forests that differ in `n_estimators` and `max_depth` alone."""
    most = max(model.n_estimators for model in models)
    deepest = max((model.max_depth for model in models), key=_depth)
    trees = _Trees(clone(models[0]).set_params(max_depth=deepest), matrix, target)
    seen = held.astype(np.float32)
    with config_context(skip_parameter_validation=True, assume_finite=True):
        seeds = trees.seeds(most)
        grown = [trees.grow(seed, deepest) for seed in seeds]
        sums: dict[float, np.ndarray] = {}
        for limit in {_depth(model.max_depth): model.max_depth for model in models}.values():
            limited = [
                # At the limit itself too: growing tried to split there, which moves the random state on.
                trees.grow(seed, limit) if limit != deepest and tree.get_depth() >= limit else tree
                for seed, tree in zip(seeds, grown, strict=True)
            ]
            # Summed in the order of the trees, as scikit-learn adds them up, so that the last digit is the same too.
            sums[_depth(limit)] = np.cumsum([tree.tree_.predict(seen)[:, 0] for tree in limited], axis=0)
    return np.array([sums[_depth(m.max_depth)][m.n_estimators - 1] / m.n_estimators for m in models])


class _Trees:
    """The trees of a random forest, one by one. scikit-learn's own loop makes a copy, a check of the settings and two
    random generators for each, which takes as long as growing it on a small table; here the forest does that once, for
    a tree of its own."""

    def __init__(self, forest: Any, matrix: np.ndarray, target: np.ndarray) -> None:
        self.matrix = matrix.astype(np.float32)  # as the forest itself hands them to its trees
        self.target = target
        self.forest = forest.set_params(n_estimators=1).fit(matrix, target)
        self.drawn = len(self.forest.estimators_samples_[0])
        self.random = np.random.RandomState(0)

    def seeds(self, count: int) -> list[int]:
        return check_random_state(self.forest.random_state).randint(np.iinfo(np.int32).max, size=count).tolist()

    def grow(self, seed: int, max_depth: int | None) -> Any:
        weight = np.ones(len(self.target))
        if self.forest.bootstrap:
            self.random.seed(seed)
            sample = self.random.randint(0, len(weight), self.drawn)
            weight = np.bincount(sample, minlength=len(weight)).astype(float)
        tree = copy.copy(self.forest.estimators_[0])
        tree.max_depth, tree.random_state = max_depth, self.random
        self.random.seed(seed)
        return tree.fit(self.matrix, self.target, sample_weight=weight, check_input=False)


def bounded(grid: Grid, n_rows: int, max_leaves: int) -> Grid:
    """A forest's grid with `max_leaf_nodes` where its trees would outgrow `max_leaves` leaves together."""
    trees = max((n for n in grid.get("n_estimators", [100]) if isinstance(n, int)), default=1)
    each = max(2, max_leaves // max(trees, 1))
    if n_rows <= each or "max_leaf_nodes" in grid:
        return grid
    return {**grid, "max_leaf_nodes": [each]}


def _depth(limit: int | None) -> float:
    return math.inf if limit is None else limit
