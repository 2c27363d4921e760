"""The description of a model, which its file holds as JSON: docs/decisions/0003-model-file.md explains the keys."""

from typing import Any

import msgspec

from pipeline.contract.column import Column
from pipeline.contract.schema import Schema

FORMAT = 2  # of the files that are written; files of format 1 are read too

MatrixRows = list[list[float | None]]  # None where a value is missing


class Interval(msgspec.Struct, frozen=True):
    """The prediction interval: its nominal coverage `level`, and how it was calibrated."""

    level: float
    method: str


class Training(msgspec.Struct, frozen=True):
    """The training data. `target_median`, the baseline prediction, `target_std`, the unit of tolerances, and `cv_rmse`
    are in the target's unit."""

    rows: int
    sha256: str
    target_median: float
    target_std: float
    cv_rmse: float


class Golden(msgspec.Struct, frozen=True):
    """Rows [n, matrix columns] and the outputs [n, 3] that a healthy runtime gives, within `tolerance`."""

    features: MatrixRows
    outputs: list[list[float]]
    tolerance: float


class Member(msgspec.Struct, frozen=True):
    """One fitted model of the file, and its weight in the prediction; `indicators` are the positions of the matrix
    columns that it has a missing indicator for."""

    family: str
    settings: dict[str, Any]
    indicators: tuple[int, ...]
    weight: float = 1.0


class Comparables(msgspec.Struct, frozen=True):
    """Training rows [n, matrix columns] with their target [n]."""

    rows: MatrixRows
    target: list[float]


class Description(msgspec.Struct, frozen=True):
    """The description of a model: see docs/decisions/0003-model-file.md.

    `imputed`: the value that replaces each matrix column where it is missing. What follows `golden` is new in format 2:
    `matrix` names the columns of each feature, `members` are the fitted models, `background` has training rows
    without their target.
    """

    format: int
    family: str
    settings: dict[str, Any]
    schema: Schema
    features: tuple[str, ...]
    imputed: dict[str, float]
    interval: Interval
    training: Training
    golden: Golden | None = None
    matrix: dict[str, tuple[str, ...]] = {}
    members: tuple[Member, ...] = ()
    background: MatrixRows = []
    comparables: Comparables | None = None

    @property
    def columns(self) -> tuple[Column, ...]:
        """The features in the order of the matrix."""
        return self.schema.features
