"""Imputation, scaling and encoding of features, as steps of the pipeline: so they learn from training rows only."""

from typing import Any, Literal, NamedTuple, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from pipeline.contract.column import Column
from pipeline.contract.columns import matrix_columns
from pipeline.tables.feature_matrix import to_matrix
from pipeline.training.normalising import Normalise
from pipeline.training.offsets import Offset

SCALED = ("numbers", "booleans")  # the transformers that may scale
IMPUTED = (*SCALED, "categories")  # those whose first step replaces missing values


# `scaled`: standardised and one-hot encoded, and computed in double precision where the model is served. `normal`: as
# scaled, after the logarithm of skewed numbers. `trees`: none of these, because trees compute in float32, in which
# their thresholds differ behind a scaler, and split codes as well.
Inputs = Literal["scaled", "normal", "trees"]


class Unencoded(NamedTuple):
    """The matrix columns that stay one column each: the position of each, the unit for its logarithm (0 where none is
    taken), what it then loses, and what it is divided by."""

    positions: list[int]
    unit: np.ndarray
    centre: np.ndarray
    scale: np.ndarray


class IsMissing(TransformerMixin, BaseEstimator):
    """1 where a value is missing, else 0."""

    def fit(self, matrix: np.ndarray, y: Any = None) -> Self:
        self.n_features_in_ = matrix.shape[1]
        return self

    def transform(self, matrix: np.ndarray) -> np.ndarray:
        return np.isnan(matrix).astype(float)


def by_kind(columns: tuple[Column, ...]) -> dict[str, list[int]]:
    """Return the positions in the matrix of the numbers, booleans and categories."""
    names = {"bool": "booleans", "category": "categories"}
    kinds = [names.get(each.feature.dtype, "numbers") for each in matrix_columns(columns)]
    return {kind: [position for position, each in enumerate(kinds) if each == kind] for kind in IMPUTED}


def prepare(columns: tuple[Column, ...], inputs: Inputs, indicators: tuple[int, ...]) -> ColumnTransformer:
    """Return the unfitted preparation of a matrix with these columns.

    Missing numbers become the median; missing booleans and categories become the most frequent value. Numbers are
    scaled and categories one-hot encoded. For trees, numbers lose an offset where float32 has too few digits for them,
    and categories stay codes.
    Each position in `indicators` adds a column that is 1 where its value is missing.
    A feature without any value in a fold is 0 there (`keep_empty_features`), so that every fold has the same columns.
    """
    at = by_kind(columns)
    mode = SimpleImputer(strategy="most_frequent", keep_empty_features=True)
    scaler = {"scaled": [StandardScaler()], "normal": [Normalise()], "trees": []}[inputs]
    features = [each.feature for each in matrix_columns(columns)]
    codes = [list(range(len(features[position].categories))) for position in at["categories"]]
    encoder = [] if inputs == "trees" else [OneHotEncoder(categories=codes, sparse_output=False)]
    median = SimpleImputer(strategy="median", keep_empty_features=True)
    transformers = [
        ("numbers", make_pipeline(median, *(scaler or [Offset()])), at["numbers"]),
        ("booleans", make_pipeline(mode, *scaler), at["booleans"]),
        ("categories", make_pipeline(mode, *encoder), at["categories"]),
        ("missing", IsMissing(), list(indicators)),
    ]
    return ColumnTransformer([each for each in transformers if each[-1]])


def from_table(fitted: Pipeline, columns: tuple[Column, ...]) -> Pipeline:
    """Return a pipeline that predicts from a table with these columns, as the fitted one does from their matrix."""
    return Pipeline([("matrix", FunctionTransformer(to_matrix, kw_args={"columns": columns})), *fitted.steps])


def imputed_values(preparation: ColumnTransformer) -> np.ndarray:
    """Return the value [matrix columns] that replaces a missing one, as a fitted preparation learned it."""
    values = np.empty(preparation.n_features_in_)
    for kind, steps, positions in preparation.transformers_:
        if kind in IMPUTED:
            values[positions] = steps[0].statistics_
    return values


def unencoded_columns(preparation: ColumnTransformer) -> Unencoded:
    """Return what a fitted preparation makes of the features that it does not one-hot encode: its first columns."""
    positions: list[int] = []
    unit, centre, scale = [np.empty(0)], [np.empty(0)], [np.empty(0)]
    for kind, steps, places in preparation.transformers_:
        if kind in IMPUTED and not isinstance(steps[-1], OneHotEncoder):
            positions += places
            last, nothing = steps[-1], np.zeros(len(places))
            unit.append(getattr(last, "unit_", nothing))
            centre.append(getattr(last, "mean_", getattr(last, "offset_", nothing)))
            scale.append(getattr(last, "scale_", nothing + 1))
    return Unencoded(positions, np.concatenate(unit), np.concatenate(centre), np.concatenate(scale))


def teach(
    preparation: ColumnTransformer,
    imputed: np.ndarray,
    mean: np.ndarray | None = None,
    variance: np.ndarray | None = None,
    offsets: np.ndarray | None = None,
) -> None:
    """Replace what a fitted preparation has learned: by `imputed` [matrix columns] for missing values and, where it
    scales, by the `mean` and `variance` of the numbers and then the booleans, or else by `offsets` [matrix columns]."""
    start = 0
    for kind, _, positions in preparation.transformers_:
        if kind not in IMPUTED:
            continue
        steps = preparation.named_transformers_[kind]
        steps[0].statistics_ = imputed[positions].astype(float)
        if mean is not None and variance is not None and kind in SCALED:
            mine = slice(start, start := start + len(positions))
            deviation = np.sqrt(variance[mine])
            steps[1].mean_, steps[1].var_ = mean[mine], variance[mine]
            steps[1].scale_ = np.where(deviation == 0, 1.0, deviation)
        elif offsets is not None and kind == "numbers":
            steps[1].offset_ = offsets[positions]
