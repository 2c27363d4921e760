"""The columns of a model's matrix: which ones each feature has, for training and serving alike."""

from typing import NamedTuple

from pipeline.contract.column import Column


class MatrixColumn(NamedTuple):
    """One column of the matrix, and the feature that it is made from."""

    name: str
    feature: Column


def matrix_columns(features: tuple[Column, ...]) -> tuple[MatrixColumn, ...]:
    """Return the columns of the matrix in order: those of the first feature, of the second, and so on.

    Each feature has one column of its own name.
    """
    return tuple(MatrixColumn(feature.name, feature) for feature in features)


def names_by_feature(features: tuple[Column, ...]) -> dict[str, tuple[str, ...]]:
    """Return the names of each feature's columns."""
    columns = matrix_columns(features)
    return {feature.name: tuple(column.name for column in columns if column.feature is feature) for feature in features}
