"""The generated tables and the recipes that `bench.gate_fits` judges."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBRegressor

Generator = np.random.Generator
Table = Callable[[Generator, int], tuple[np.ndarray, np.ndarray]]


class Recipe(NamedTuple):
    """A model and the columns that it sees; `estimator(seed)` is unfitted."""

    columns: list[int]
    estimator: Callable[[int], BaseEstimator]


class Cell(NamedTuple):
    """A question: how often is the challenger promoted, and how often the champion in its place?

    `table(generator, rows)` returns features [rows, columns] and the expected target [rows], to which noise of standard
    deviation 1 is added. `recipes(generator)` returns that of the champion, and those of which the challenger is the
    best.
    """

    name: str
    rows: int
    trials: int
    table: Table
    recipes: Callable[[Generator], tuple[Recipe, list[Recipe]]]


def ridge(seed: int) -> BaseEstimator:
    return make_pipeline(StandardScaler(), Ridge())


def boosting(seed: int) -> BaseEstimator:
    settings: dict[str, Any] = {"max_depth": 3, "learning_rate": 0.1, "subsample": 0.7, "colsample_bynode": 0.7}
    return XGBRegressor(n_estimators=100, max_bin=64, n_jobs=1, random_state=seed, **settings)


def boosting_again(seed: int) -> BaseEstimator:
    return boosting(seed + 1_000)


def forest(seed: int) -> BaseEstimator:
    return RandomForestRegressor(50, min_samples_leaf=3, max_features=0.4, random_state=seed)


def forest_again(seed: int) -> BaseEstimator:
    return forest(seed + 1_000)


def curved(bend: float, generator: Generator, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Return ten features, of which no straight line follows a part of the target: the larger, the larger `bend`."""
    x = generator.random((rows, 10))
    line = 4 * x[:, 0] + 3 * x[:, 1] + 2 * x[:, 2] + 1.5 * x[:, 3]
    wave = 4 * np.sin(np.pi * x[:, 0] * x[:, 4]) + 6 * (x[:, 5] - 0.5) ** 2 + 4 * (x[:, 6] > 0.5) * (x[:, 7] - 0.5)
    return x, line + bend * wave


def weak(strong: float, generator: Generator, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Return twenty equally weak features, one with the coefficient `strong`, and forty that mean nothing."""
    x = generator.standard_normal((rows, 61))
    return x, 0.25 * x[:, :20].sum(axis=1) + strong * x[:, 20]


def fixed(champion: Recipe, challenger: Recipe, generator: Generator) -> tuple[Recipe, list[Recipe]]:
    return champion, [challenger]


def lacking_two(settings: int, extra: list[int], generator: Generator) -> tuple[Recipe, list[Recipe]]:
    """Return recipes that lack two of twenty equally good features, so that the best is so by luck alone; the
    challengers see the columns `extra`, too."""
    drawn = [generator.permutation(20)[:18].tolist() for _ in range(1 + settings)]
    return Recipe(drawn[0], ridge), [Recipe(columns + extra, ridge) for columns in drawn[1:]]


def families(name: str, rows: int, trials: int, bend: float) -> Cell:
    """Return ridge regression as champion against boosting; the bends were found by the risk on other tables."""
    recipes = partial(fixed, Recipe(TEN, ridge), Recipe(TEN, boosting))
    return Cell(name, rows, trials, partial(curved, bend), recipes)


TEN, WEAK = list(range(10)), list(range(20))
SEEDS = partial(fixed, Recipe(TEN, boosting), Recipe(TEN, boosting_again))
FORESTS = partial(fixed, Recipe(TEN, forest), Recipe(TEN, forest_again))
NOISE = partial(fixed, Recipe([*WEAK, *range(21, 31)], ridge), Recipe([*WEAK, *range(31, 41)], ridge))
LACKS_ONE = partial(fixed, Recipe(WEAK, ridge), Recipe([*WEAK, 20], ridge))
CELLS = [
    Cell("equal: ridge, other noise features", 500, 1_000, partial(weak, 0.0), NOISE),
    Cell("equal: the best of 24 ridge regressions", 500, 1_000, partial(weak, 0.0), partial(lacking_two, 24, [])),
    Cell("10%: ridge, a feature more", 500, 1_000, partial(weak, 0.497), LACKS_ONE),
    Cell("10%: the best of 24 ridge regressions", 500, 200, partial(weak, 0.527), partial(lacking_two, 24, [20])),
    families("equal: ridge, xgboost", 500, 1_000, 0.561),
    families("10%: ridge, xgboost", 500, 1_000, 0.922),
    Cell("equal: xgboost, other seeds", 500, 1_000, partial(curved, 0.6), SEEDS),
    families("equal: ridge, xgboost, 2,000 rows", 2_000, 200, 0.343),
    families("10%: ridge, xgboost, 2,000 rows", 2_000, 200, 0.678),
    Cell("equal: forests, other seeds", 500, 100, partial(curved, 0.6), FORESTS),
]
