"""The base of families that learn from a training table in parts: passes over its files, and a way to fit."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from pipeline.contract.columns import matrix_columns
from pipeline.contract.schema import Schema
from pipeline.distributed.executor import Executor
from pipeline.tables import parquet
from pipeline.tables.feature_matrix import to_matrix
from pipeline.training import cross_validation
from pipeline.training.cross_validation import Hyperparameters
from pipeline.training.in_parts.column_statistics import TableStatistics

Result = TypeVar("Result")


class PartRows(NamedTuple):
    """The rows of the file `name`: `matrix` [rows, columns] as of `to_matrix`, `target` and `fold` [rows]; `table` is
    the frame that they are from."""

    name: str
    matrix: np.ndarray
    target: np.ndarray
    fold: np.ndarray
    table: pd.DataFrame


class TrainingParts(NamedTuple):
    """The files of a training table, and who reads them."""

    run: Executor
    files: list[Path]
    schema: Schema

    def map(self, function: Callable[..., Result], label: str, *shared: Any) -> list[Result]:
        """Return `function(rows, *shared)` of each file.

        Raises PipelineError where a file is missing or damaged, and where the workers cannot go on.
        """
        return self.run.map(self.reading(function), self.files, label, *shared)

    def reading(self, function: Callable[..., Result]) -> Callable[..., Result]:
        """Turn a function of PartRows into one of a file."""
        return partial(_read, function=function, schema=self.schema)


@dataclass
class Learner(ABC):
    """`make(settings, indicators)` makes an unfitted numeric pipeline of the family."""

    family: str
    parts: TrainingParts
    statistics: TableStatistics
    make: Callable[[Hyperparameters, tuple[int, ...]], Pipeline]

    def set_up(self, settings: Hyperparameters, indicators: tuple[int, ...]) -> Pipeline:
        """Return the pipeline of the settings, fitted to two blank rows: this learns what needs no rows, and raises
        PipelineError that names settings which the model refuses."""
        blank = np.zeros((2, len(matrix_columns(self.parts.schema.features))))
        with cross_validation.named_refusal(self.family, settings):
            return self.make(settings, indicators).fit(blank, np.zeros(2))

    @abstractmethod
    def fit(self, settings: Hyperparameters, indicators: tuple[int, ...], number: int) -> Pipeline:
        """Fit the settings to the rows that split `number` trains on, or after the last split to all rows.

        Raises PipelineError for a setting that needs the rows in memory, and where workers keep leaving.
        """


def _read(file: Path, *shared: Any, function: Callable[..., Result], schema: Schema) -> Result:
    names = [column.name for column in (*schema.features, schema.target)]
    table = parquet.read(file, ["row", "fold", *names])
    matrix, target = to_matrix(table, schema.features), table[schema.target.name].to_numpy(float)
    return function(PartRows(file.name, matrix, target, table["fold"].to_numpy(), table), *shared)
