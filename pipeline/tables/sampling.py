"""A deterministic sample of rows: those whose row numbers have the smallest hashes.

The sample does not depend on how a table is cut into parts. Contents are not hashed: equal rows would then be in or out
together, and the sample would not represent a table with many of them.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.contract.schema import Schema
from pipeline.tables import parquet, row_hash

# The standard error of an RMSE over this many rows is 0.14 %: 1 / sqrt(2 n), for normal errors.
MAX_JUDGED_ROWS = 250_000

_SALT = np.uint64(0x5A3B)


def sample(numbers: pd.Series, size: int) -> np.ndarray:
    """Return the positions, ascending, of the `size` rows whose `numbers` have the smallest hashes."""
    order = np.argsort(row_hash.mix(numbers.to_numpy("uint64"), _SALT), kind="stable")
    return np.sort(order[:size])


def sample_numbers(path: Path, size: int) -> np.ndarray:
    """Return the `row` numbers, ascending, of a sample of at most `size` rows of a typed table in a file."""
    chosen = np.empty(0, dtype="int64")
    for part in parquet.parts(path):
        both = pd.Series(np.concatenate([chosen, parquet.read(part, ["row"])["row"].to_numpy()]))
        chosen = both.iloc[sample(both, size)].to_numpy()
    return np.sort(chosen)


def judged_rows(path: Path) -> pd.DataFrame:
    """Return the rows of a test split that a model is judged on: all, or a sample of MAX_JUDGED_ROWS."""
    return parquet.read(path, numbers=sample_numbers(path, MAX_JUDGED_ROWS))


def reference(table: pd.DataFrame, schema: Schema, size: int) -> pd.DataFrame:
    """Return the reference sample: at most `size` training rows, in the order of the table.

    Columns: `row`, the features, and `prediction` and `residual` (both in the target's unit) where present.
    """
    names = ["row", *(column.name for column in schema.features)]
    names += [name for name in ("prediction", "residual") if name in table]
    return table.iloc[sample(table["row"], size)][names].reset_index(drop=True)
