"""The training rows of one part as arrays."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from pipeline.contract.schema import Schema
from pipeline.tables import parquet
from pipeline.tables.feature_matrix import to_matrix


class PartRows(NamedTuple):
    """`matrix` [rows, features] as of `to_matrix`; `target` and `fold` [rows]; `table`: the frame they are from."""

    matrix: np.ndarray
    target: np.ndarray
    fold: np.ndarray
    table: pd.DataFrame


def read(part: Path, schema: Schema) -> PartRows:
    """Read a part of the training table.

    Raises PipelineError where it is missing or damaged.
    """
    names = [column.name for column in (*schema.features, schema.target)]
    table = parquet.read(part, ["row", "fold", *names])
    matrix, target = to_matrix(table, schema.features), table[schema.target.name].to_numpy(float)
    return PartRows(matrix, target, table["fold"].to_numpy(), table)
