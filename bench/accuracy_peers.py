"""The peers of the pipeline in `bench accuracy`: each predicts the test rows of a split from its training rows.

All see the same typed cells as the product, missing ones included, and categories as such.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import GridSearchCV

from pipeline.contract.column import Column
from pipeline.contract.columns import matrix_columns
from pipeline.tables.feature_matrix import to_matrix

GRID = {  # of the system that this one replaces
    "n_estimators": [300, 500],
    "max_depth": [4, 6, 8],
    "learning_rate": [0.05, 0.1],
    "subsample": [0.8, 1.0],
}
SEED = 0


class Problem(NamedTuple):
    """One split: training rows and their target, test rows, the product's folds of the training rows, and the seconds
    that it took."""

    known: pd.DataFrame
    answers: np.ndarray
    asked: pd.DataFrame
    folds: list[tuple[np.ndarray, np.ndarray]]
    seconds: float


def frame(table: pd.DataFrame, features: tuple[Column, ...]) -> pd.DataFrame:
    """Return the matrix of these features as a table: numbers, and categories by their code."""
    columns = {f"f{place}": values for place, values in enumerate(to_matrix(table, features).T)}
    for name, column in zip(columns, matrix_columns(features), strict=True):
        if column.feature.dtype == "category":
            columns[name] = pd.Categorical(columns[name], categories=range(len(column.feature.categories)))
    return pd.DataFrame(columns)


def tuned_xgboost(problem: Problem) -> np.ndarray:
    from xgboost import XGBRegressor

    model = XGBRegressor(enable_categorical=True, n_jobs=1, random_state=SEED)
    search = GridSearchCV(model, GRID, cv=problem.folds, scoring="neg_root_mean_squared_error", n_jobs=-1)
    return search.fit(problem.known, problem.answers).predict(problem.asked)


def hist_gradient_boosting(problem: Problem) -> np.ndarray:
    model = HistGradientBoostingRegressor(categorical_features="from_dtype", random_state=SEED)
    return model.fit(problem.known, problem.answers).predict(problem.asked)


def flaml(problem: Problem) -> np.ndarray:
    """Its own choice of models, in the time that the product took."""
    from flaml import AutoML

    search = AutoML(task="regression", metric="rmse", time_budget=problem.seconds, seed=SEED, n_jobs=-1, verbose=0)
    search.fit(problem.known, problem.answers)
    return search.predict(problem.asked)


PEERS: dict[str, Callable[[Problem], np.ndarray]] = {
    "XGBoost, tuned": tuned_xgboost,
    "HistGradientBoosting, its defaults": hist_gradient_boosting,
    "FLAML, as many seconds": flaml,
}
