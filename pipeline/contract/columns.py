"""The columns of a model's matrix: which ones each feature has, for training and serving alike."""

from typing import NamedTuple

from pipeline.contract.column import Column, Part


class MatrixColumn(NamedTuple):
    """One column of the matrix, the feature that it is made from, and which part of it where that is a datetime."""

    name: str
    feature: Column
    part: Part | None = None


def matrix_columns(features: tuple[Column, ...]) -> tuple[MatrixColumn, ...]:
    """Return the columns of the matrix in order: those of the first feature, of the second, and so on.

    A datetime has one for each part that the model sees, such as `sold_at.month`; every other feature has one of its
    own name.
    """
    return tuple(column for feature in features for column in _of(feature))


def positions(features: tuple[Column, ...]) -> dict[str, list[int]]:
    """Return the positions of each feature's columns in the matrix."""
    found: dict[str, list[int]] = {feature.name: [] for feature in features}
    for position, column in enumerate(matrix_columns(features)):
        found[column.feature.name].append(position)
    return found


def names_by_feature(features: tuple[Column, ...]) -> dict[str, tuple[str, ...]]:
    """Return the names of each feature's columns."""
    return {feature.name: tuple(column.name for column in _of(feature)) for feature in features}


def _of(feature: Column) -> list[MatrixColumn]:
    if feature.dtype != "datetime":
        return [MatrixColumn(feature.name, feature)]
    return [MatrixColumn(f"{feature.name}.{part}", feature, part) for part in feature.seen_parts]
