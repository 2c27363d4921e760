"""What happens to a feature before a model sees it. All of it is learned inside the pipeline, so from training rows."""

from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from pipeline.contract.schema import Column
from pipeline.tables.feature_matrix import to_matrix


class ToMatrix(TransformerMixin, BaseEstimator):
    """The first step of every fitted pipeline: `to_matrix` with the columns of the schema."""

    def __init__(self, columns: tuple[Column, ...]) -> None:
        self.columns = columns

    def fit(self, table: pd.DataFrame, y: Any = None) -> Self:
        self.n_features_in_ = len(self.columns)
        return self

    def transform(self, table: pd.DataFrame) -> np.ndarray:
        return to_matrix(table, self.columns)


class IsMissing(TransformerMixin, BaseEstimator):
    """1 where a value is missing, else 0. (skl2onnx drops the indicators of SimpleImputer without a word.)"""

    def fit(self, matrix: np.ndarray, y: Any = None) -> Self:
        self.n_features_in_ = matrix.shape[1]
        return self

    def transform(self, matrix: np.ndarray) -> np.ndarray:
        return np.isnan(matrix).astype(float)


def prepare(columns: tuple[Column, ...], scale: bool, indicators: tuple[int, ...]) -> ColumnTransformer:
    """Median for numbers, the most frequent value for booleans and categories, one column a category, and one that
    says whether the value is missing for each place in `indicators`.

    A feature that a fold has no value of is 0 there (`keep_empty_features`), so that every fold has the same columns.
    """
    at: dict[str, list[int]] = {"numbers": [], "booleans": [], "categories": [], "missing": list(indicators)}
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
        "missing": IsMissing(),
    }
    return ColumnTransformer([(kind, steps[kind], places) for kind, places in at.items() if places])


def teach(
    preparation: ColumnTransformer,
    imputed: np.ndarray,
    mean: np.ndarray | None = None,
    variance: np.ndarray | None = None,
) -> None:
    """Give a fitted preparation what was learned elsewhere: `imputed` [features] in place of missing values, and, where
    it scales, the `mean` and `variance` of the numbers and the booleans, in this order."""
    start = 0
    for kind, _, places in preparation.transformers_:
        if kind not in ("numbers", "booleans", "categories"):
            continue
        steps = preparation.named_transformers_[kind]
        steps[0].statistics_ = imputed[places].astype(float)
        if mean is not None and variance is not None and kind != "categories":
            mine = slice(start, start := start + len(places))
            deviation = np.sqrt(variance[mine])
            steps[1].mean_, steps[1].var_ = mean[mine], variance[mine]
            steps[1].scale_ = np.where(deviation == 0, 1.0, deviation)
