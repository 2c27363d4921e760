"""Settings of an ensemble that need no fit of their own: the number of trees, and the limit of their depth.

The first 200 trees of a forest or boosted model of 400 are the model of 200 with the same seed. A tree that stays below
a depth limit is the tree that the limit gives. Both to the last bit.
"""

import copy
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from sklearn import config_context
from sklearn.base import clone
from sklearn.utils import check_scalar

from pipeline.contract.params import Grid

TREES, RATE = "n_estimators", "learning_rate"  # settings by their names in scikit-learn and XGBoost
FASTEST = 0.3  # learning rate, XGBoost's own default


class Sharing(NamedTuple):
    """`predict(models, matrix, target, held)` fits models that differ in the settings `names` alone, and returns their
    predictions [models, rows of `held`]."""

    names: tuple[str, ...]
    predict: Callable[[list[Any], np.ndarray, np.ndarray, np.ndarray], np.ndarray]

    def groups(self, tried: list[dict[str, Any]]) -> list[list[int]]:
        """Return the positions of settings that `predict` takes together."""
        groups: dict[str, list[int]] = {}
        for position, settings in enumerate(tried):
            shared = [name for name in self.names if name in settings]
            # A value that the model may refuse has a group of its own, so that the message names it.
            known = all(_is_size(name, settings[name]) for name in shared)
            key = repr({**settings, **dict.fromkeys(shared)}) if known else str(position)
            groups.setdefault(key, []).append(position)
        return list(groups.values())


def _is_size(name: str, value: object) -> bool:
    return (name == "max_depth" and value is None) or (type(value) is int and value >= 1)


def _fit_each(models: list[Any], matrix: np.ndarray, target: np.ndarray, held: np.ndarray) -> np.ndarray:
    return np.array([model.fit(matrix, target).predict(held) for model in models])


def _fit_most_rounds(models: list[Any], matrix: np.ndarray, target: np.ndarray, held: np.ndarray) -> np.ndarray:
    rounds = [model.get_num_boosting_rounds() for model in models]
    check_scalar(min(rounds), TREES, int, min_val=1)  # XGBoost takes 0, which predicts the mean
    largest = models[int(np.argmax(rounds))].fit(matrix, target)
    return np.array([largest.predict(held, iteration_range=(0, number)) for number in rounds])


def _fit_largest_forest(models: list[Any], matrix: np.ndarray, target: np.ndarray, held: np.ndarray) -> np.ndarray:
    wanted = [(model.max_depth, model.n_estimators) for model in models]
    *limits, deepest = sorted({depth for depth, _ in wanted}, key=lambda depth: depth or math.inf)
    most = max(size for _, size in wanted)
    forest = clone(models[0]).set_params(n_estimators=most, max_depth=deepest).fit(matrix, target)
    matrix, held = matrix.astype(np.float32), held.astype(np.float32)  # as a forest hands them to its trees
    sums = {depth: np.zeros(len(held)) for depth in (*limits, deepest)}
    means = {}
    with config_context(skip_parameter_validation=True, assume_finite=True):  # the fit above has checked them
        for size, tree in enumerate(forest.estimators_, start=1):
            predicted = tree.predict(held, check_input=False)
            for depth in sums:
                limited = tree if depth == deepest else _limited(forest, tree, depth, matrix, target)
                own = predicted if limited is tree else limited.predict(held, check_input=False)
                sums[depth] = sums[depth] + own
                if (depth, size) in wanted:
                    means[depth, size] = sums[depth] / size
    return np.array([means[each] for each in wanted])


def _limited(forest: Any, tree: Any, max_depth: int, matrix: np.ndarray, target: np.ndarray) -> Any:
    """Return the tree of the forest, or one grown from the same rows where it reaches the depth limit."""
    # At the limit too: there a try to split, even in vain, has moved the tree's random state on.
    if tree.tree_.max_depth < max_depth:
        return tree
    alone, tree = copy.copy(forest), copy.copy(tree)
    alone.estimators_, tree.max_depth = [tree], max_depth
    (sample,) = alone.estimators_samples_
    return tree.fit(matrix, target, np.bincount(sample, minlength=len(matrix)), check_input=False)


NO_SHARING = Sharing((), _fit_each)
ROUNDS = Sharing((TREES,), _fit_most_rounds)
FOREST = Sharing((TREES, "max_depth"), _fit_largest_forest)


def begun(settings: dict[str, Any], trees: int | None) -> dict[str, Any]:
    """Return the settings of a cheap look at an ensemble: with at most that many trees (None: all).

    A boosted one learns as much faster, up to a rate of FASTEST, as it has fewer trees, so that slow learners are not
    judged half-way.
    """
    size = settings.get(TREES)
    if trees is None or type(size) is not int or size <= trees:
        return settings
    rate = settings.get(RATE)
    faster = {} if rate is None else {RATE: max(rate, min(FASTEST, rate * size / trees))}
    return {**settings, TREES: trees, **faster}


def bound_forest(grid: Grid, rows: int, max_leaves: int, search_rows: int) -> dict[str, Any]:
    """Return settings that keep a forest on that many rows small enough to serve, and quick to fit.

    Together its trees have at most `max_leaves` leaves, and each tree draws at most `search_rows` rows. What the grid
    names is left alone.
    """
    trees = max((n for n in grid.get(TREES, [100]) if isinstance(n, int)), default=1)
    leaves = max(2, max_leaves // max(trees, 1))
    bounds: dict[str, Any] = {}
    if rows > leaves:
        bounds["max_leaf_nodes"] = leaves
    if rows > search_rows and grid.get("bootstrap", [True]) == [True]:  # without, each tree has all rows
        bounds["max_samples"] = round(search_rows / rows, 4)
    return {name: value for name, value in bounds.items() if name not in grid}
