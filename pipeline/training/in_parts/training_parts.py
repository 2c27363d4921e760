"""The training table in parts, as the passes over it see it."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pandas as pd

from pipeline.contract.schema import Schema
from pipeline.distributed.executor import Executor
from pipeline.tables import parquet
from pipeline.tables.feature_matrix import to_matrix

Result = TypeVar("Result")


class PartRows(NamedTuple):
    """The rows of the file `name`: `matrix` [rows, features] as of `to_matrix`, `target` and `fold` [rows]; `table` is
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


def _read(file: Path, *shared: Any, function: Callable[..., Result], schema: Schema) -> Result:
    names = [column.name for column in (*schema.features, schema.target)]
    table = parquet.read(file, ["row", "fold", *names])
    matrix, target = to_matrix(table, schema.features), table[schema.target.name].to_numpy(float)
    return function(PartRows(file.name, matrix, target, table["fold"].to_numpy(), table), *shared)
