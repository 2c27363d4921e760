"""Hashes of rows; they decide the split and the samples."""

import numpy as np
import pandas as pd

from pipeline.contract.column import Column
from pipeline.tables import moment_parts


def hash_rows(table: pd.DataFrame, columns: tuple[Column, ...]) -> np.ndarray:
    """Return a 64-bit hash of each row's typed values; 24 and 24.0, and 0.0 and -0.0, are the same value.

    The order of the columns does not matter.
    """
    normal = {}
    for column in sorted(columns, key=lambda c: c.name):
        values = table[column.name]
        if column.dtype == "category":
            # Each distinct value is hashed once; `repr` tells a missing one (code -1, the last) from the text None.
            codes, distinct = pd.factorize(values)
            text = np.array([*map(repr, distinct), "None"], dtype=object)
            normal[column.name] = pd.util.hash_array(text)[codes]
        elif column.dtype == "datetime":
            normal[column.name] = moment_parts.part(values, "days")
        else:
            normal[column.name] = values.astype("Float64").to_numpy(float, na_value=np.nan) + 0.0
    frame = pd.DataFrame(normal, index=table.index)
    return pd.util.hash_pandas_object(frame, index=False).to_numpy("uint64")


def mix(key: np.ndarray, salt: np.uint64) -> np.ndarray:
    """Return other hashes of the same rows, independent of those with another salt."""
    return pd.util.hash_array(key ^ pd.util.hash_array(np.array([salt]))[0])


def unit(key: np.ndarray, salt: np.uint64) -> np.ndarray:
    """Return the hashes of `mix` as float64 in [0, 1)."""
    return (mix(key, salt) >> np.uint64(11)) * 2.0**-53
