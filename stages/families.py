"""The model families and the preprocessing that each needs. A new family is one entry in FAMILIES and its grid."""

from collections.abc import Callable
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, RegressorMixin, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from stages.config import nearest
from stages.errors import PipelineError
from stages.matrix import to_matrix
from stages.schema import Column


class Growth(NamedTuple):
    """A setting by which a model only grows: with the same seed, the smaller model is the beginning of the larger.
    `predict(model, matrix, sizes)` gives the predictions [sizes, rows] of the beginnings of a fitted model."""

    setting: str
    predict: Callable[[Any, np.ndarray, list[int]], np.ndarray]


class Family(NamedTuple):
    """`model(seed)` makes the estimator. `scale`: only for models that need it, for trees behind a scaler differ
    in float32 from trees before it (rows near a threshold switch sides)."""

    model: Callable[[int], RegressorMixin]
    scale: bool
    growth: Growth | None = None


# Imports are inside, so that training one family does not pay for the libraries of the others.


def _linear(seed: int) -> RegressorMixin:
    from sklearn.linear_model import LinearRegression

    return LinearRegression()


def _ridge(seed: int) -> RegressorMixin:
    from sklearn.linear_model import Ridge

    return Ridge()


def _random_forest(seed: int) -> RegressorMixin:
    from sklearn.ensemble import RandomForestRegressor

    return RandomForestRegressor(random_state=seed)


def _xgboost(seed: int) -> RegressorMixin:
    from xgboost import XGBRegressor

    # One thread a fit: the search runs the fits side by side.
    return XGBRegressor(random_state=seed, n_jobs=1)


def _forest_beginnings(model: Any, matrix: np.ndarray, sizes: list[int]) -> np.ndarray:
    """Sums of trees in their order, as scikit-learn adds them up, so that the last digit is the same too."""
    trees = [tree.predict(matrix.astype(np.float32), check_input=False) for tree in model.estimators_]
    return np.cumsum(trees, axis=0)[np.array(sizes) - 1] / np.array(sizes)[:, None]


def _boosting_beginnings(model: Any, matrix: np.ndarray, sizes: list[int]) -> np.ndarray:
    return np.array([model.predict(matrix, iteration_range=(0, size)) for size in sizes])


FAMILIES = {
    "linear": Family(_linear, scale=True),
    "ridge": Family(_ridge, scale=True),
    "random_forest": Family(_random_forest, scale=False, growth=Growth("n_estimators", _forest_beginnings)),
    "xgboost": Family(_xgboost, scale=False, growth=Growth("n_estimators", _boosting_beginnings)),
}


def get(name: str) -> Family:
    """The family of that name.

    Raises PipelineError naming the known ones.
    """
    if name not in FAMILIES:
        raise PipelineError(
            f"params.yaml: train.families: unknown family {name!r}{nearest(name, FAMILIES)}; "
            f"known: {', '.join(FAMILIES)}; add it to FAMILIES in stages/families.py"
        )
    return FAMILIES[name]


class ToMatrix(TransformerMixin, BaseEstimator):
    """The first step of every fitted pipeline: `to_matrix` with the columns of the schema."""

    def __init__(self, columns: tuple[Column, ...]) -> None:
        self.columns = columns

    def fit(self, table: pd.DataFrame, y: Any = None) -> Self:
        self.n_features_in_ = len(self.columns)
        return self

    def transform(self, table: pd.DataFrame) -> np.ndarray:
        return to_matrix(table, self.columns)


def numeric_pipeline(columns: tuple[Column, ...], family: str, seed: int, settings: dict[str, Any]) -> Pipeline:
    """Unfitted; from the float matrix of `stages.matrix` to a prediction. This is the part that becomes ONNX.

    Raises PipelineError for a setting that the model does not have.
    """
    kind = get(family)
    model = kind.model(seed)
    if unknown := [name for name in settings if name not in model.get_params()]:
        raise PipelineError(
            f"params.yaml: train.families.{family}: unknown setting {unknown[0]!r}"
            f"{nearest(unknown[0], model.get_params())}; it must be a parameter of {type(model).__name__}"
        )
    return Pipeline([("prepare", _prepare(columns, kind.scale)), ("model", model.set_params(**settings))])


def _prepare(columns: tuple[Column, ...], scale: bool) -> ColumnTransformer:
    """Median for numbers, the most frequent value for booleans and categories, one column a category.

    A feature that a fold has no value of is 0 there (`keep_empty_features`), so that every fold has the same columns.
    """
    at: dict[str, list[int]] = {"numbers": [], "booleans": [], "categories": []}
    for place, column in enumerate(columns):
        kind = {"bool": "booleans", "category": "categories"}.get(column.dtype, "numbers")
        at[kind].append(place)
    mode = SimpleImputer(strategy="most_frequent", keep_empty_features=True)
    scaler = [StandardScaler()] if scale else []
    steps = {
        "numbers": make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), *scaler),
        "booleans": make_pipeline(mode, *scaler),
        "categories": make_pipeline(
            mode,
            OneHotEncoder(
                categories=[list(range(len(columns[place].categories))) for place in at["categories"]],
                sparse_output=False,
            ),
        ),
    }
    return ColumnTransformer([(kind, steps[kind], places) for kind, places in at.items() if places])
