"""Imputation, scaling and encoding of features, as steps of the pipeline: so they learn from training rows only."""

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from pipeline.contract.schema import Column, Schema
from pipeline.tables.feature_matrix import to_matrix

UNENCODED = ("numbers", "booleans")  # the transformers that keep one column for each feature
IMPUTED = (*UNENCODED, "categories")  # those whose first step replaces missing values


class IsMissing(TransformerMixin, BaseEstimator):
    """1 where a value is missing, else 0. (skl2onnx drops the indicators of SimpleImputer without an error.)"""

    def fit(self, matrix: np.ndarray, y: Any = None) -> Self:
        self.n_features_in_ = matrix.shape[1]
        return self

    def transform(self, matrix: np.ndarray) -> np.ndarray:
        return np.isnan(matrix).astype(float)


def by_kind(columns: tuple[Column, ...]) -> dict[str, list[int]]:
    """Return the positions of the numbers, booleans and categories."""
    kinds = [{"bool": "booleans", "category": "categories"}.get(column.dtype, "numbers") for column in columns]
    return {kind: [position for position, each in enumerate(kinds) if each == kind] for kind in IMPUTED}


def prepare(columns: tuple[Column, ...], scale: bool, indicators: tuple[int, ...]) -> ColumnTransformer:
    """Return the unfitted preparation of a matrix with these columns.

    Missing numbers become the median; missing booleans and categories become the most frequent value. Categories are
    one-hot encoded. Each position in `indicators` adds a column that is 1 where its value is missing.
    A feature without any value in a fold is 0 there (`keep_empty_features`), so that every fold has the same columns.
    """
    at = by_kind(columns)
    mode = SimpleImputer(strategy="most_frequent", keep_empty_features=True)
    scaler = [StandardScaler()] if scale else []
    codes = [list(range(len(columns[position].categories))) for position in at["categories"]]
    transformers = [
        ("numbers", make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), *scaler), at["numbers"]),
        ("booleans", make_pipeline(mode, *scaler), at["booleans"]),
        ("categories", make_pipeline(mode, OneHotEncoder(categories=codes, sparse_output=False)), at["categories"]),
        ("missing", IsMissing(), list(indicators)),
    ]
    return ColumnTransformer([each for each in transformers if each[-1]])


def from_table(fitted: Pipeline, columns: tuple[Column, ...]) -> Pipeline:
    """Return a pipeline that predicts from a table with these columns, as the fitted one does from their matrix."""
    return Pipeline([("matrix", FunctionTransformer(to_matrix, kw_args={"columns": columns})), *fitted.steps])


def imputed_values(preparation: ColumnTransformer, schema: Schema) -> dict[str, float]:
    """Return the value that replaces a missing one, by feature, as a fitted preparation learned it."""
    return {
        schema.features[position].name: float(value)
        for kind, _, positions in preparation.transformers_
        if kind in IMPUTED
        for position, value in zip(positions, preparation.named_transformers_[kind][0].statistics_, strict=True)
    }


def unencoded_features(preparation: ColumnTransformer) -> list[int]:
    """Return the position of the feature behind each of the first columns that a fitted preparation makes: of the
    numbers and booleans, which stay one column each."""
    return [position for kind, _, positions in preparation.transformers_ if kind in UNENCODED for position in positions]


def teach(
    preparation: ColumnTransformer,
    imputed: np.ndarray,
    mean: np.ndarray | None = None,
    variance: np.ndarray | None = None,
) -> None:
    """Replace what a fitted preparation has learned: by `imputed` [features] for missing values and, where it scales,
    by the `mean` and `variance` of the numbers and then the booleans."""
    start = 0
    for kind, _, positions in preparation.transformers_:
        if kind not in IMPUTED:
            continue
        steps = preparation.named_transformers_[kind]
        steps[0].statistics_ = imputed[positions].astype(float)
        if mean is not None and variance is not None and kind in UNENCODED:
            mine = slice(start, start := start + len(positions))
            deviation = np.sqrt(variance[mine])
            steps[1].mean_, steps[1].var_ = mean[mine], variance[mine]
            steps[1].scale_ = np.where(deviation == 0, 1.0, deviation)
