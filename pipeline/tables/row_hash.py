"""Hashes of rows: they decide where a row goes, so that no order, format or later row moves it."""

import numpy as np
import pandas as pd

from pipeline.contract.schema import Column


def hash_rows(table: pd.DataFrame, columns: tuple[Column, ...]) -> np.ndarray:
    """64 bits a row from typed values. 24 and 24.0, 0.0 and -0.0 are one value; the order of columns is no matter."""
    normal = {}
    for column in sorted(columns, key=lambda c: c.name):
        values = table[column.name]
        if column.dtype == "category":
            # Each distinct value once; `repr` tells a missing one (the last code, -1) from the text None.
            codes, distinct = pd.factorize(values)
            text = np.array([*map(repr, distinct), "None"], dtype=object)
            normal[column.name] = pd.util.hash_array(text)[codes]
        else:
            normal[column.name] = values.astype("Float64").to_numpy(float, na_value=np.nan) + 0.0
    frame = pd.DataFrame(normal, index=table.index)
    return pd.util.hash_pandas_object(frame, index=False).to_numpy("uint64")


def mix(key: np.ndarray, salt: np.uint64) -> np.ndarray:
    return pd.util.hash_array(key ^ pd.util.hash_array(np.array([salt]))[0])


def unit(key: np.ndarray, salt: np.uint64) -> np.ndarray:
    """Hashes as float64 in [0, 1)."""
    return (mix(key, salt) >> np.uint64(11)) * 2.0**-53
