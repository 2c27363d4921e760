"""Which row goes where: hashes of what a row is, so that no order, format or later row moves it."""

import numpy as np
import pandas as pd

from stages.schema import Column, Schema

TEST = -1  # the `fold` of a row of the test split

# Salts: one hash decides three unrelated things.
_SPLIT, _FOLD, _SAMPLE = (np.uint64(salt) for salt in (0x5B1D, 0xF01D, 0x5A3B))


def assign(table: pd.DataFrame, schema: Schema, test_fraction: float, folds: int) -> pd.Series:
    """The fold of each row, 0 to `folds` - 1, or TEST.

    A hash of the row's typed features decides (of the group or the id where the schema has one), never the target:
    equal rows go to one side, and a row stays on its side when others come, go or change places.
    """
    keys = schema.with_role("group") or schema.with_role("id") or schema.features
    key = hash_rows(table, keys)
    fold = (_unit(key, _FOLD) * folds).astype("int64")
    fold[_unit(key, _SPLIT) < test_fraction] = TEST
    return pd.Series(fold, index=table.index, name="fold")


def splits(fold: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """The positions (train, validation) of each fold of the training split."""
    return [(np.flatnonzero((fold != k) & (fold != TEST)), np.flatnonzero(fold == k)) for k in range(fold.max() + 1)]


def sample(rows: pd.Series, size: int) -> np.ndarray:
    """The positions, in order, of the `size` rows whose numbers have the smallest hashes.

    By the number and not by content: with content, equal rows are in or out together and the sample is no longer
    a fair picture of a table that repeats itself.
    """
    order = np.argsort(_mix(rows.to_numpy("uint64"), _SAMPLE), kind="stable")
    return np.sort(order[:size])


def hash_rows(table: pd.DataFrame, columns: tuple[Column, ...]) -> np.ndarray:
    """64 bits a row from typed values. 24 and 24.0, 0.0 and -0.0 are one value; the order of columns is no matter."""
    normal = {}
    for column in sorted(columns, key=lambda c: c.name):
        values = table[column.name]
        if column.dtype == "category":
            text = values.astype(object).where(values.notna(), None)
            normal[column.name] = pd.Series(pd.util.hash_array(text.map(repr).to_numpy(object)), index=table.index)
        else:
            normal[column.name] = values.astype("Float64").to_numpy(float, na_value=np.nan) + 0.0
    frame = pd.DataFrame(normal, index=table.index)
    return pd.util.hash_pandas_object(frame, index=False).to_numpy("uint64")


def _mix(key: np.ndarray, salt: np.uint64) -> np.ndarray:
    return pd.util.hash_array(key ^ pd.util.hash_array(np.array([salt]))[0])


def _unit(key: np.ndarray, salt: np.uint64) -> np.ndarray:
    """Hashes as float64 in [0, 1)."""
    return (_mix(key, salt) >> np.uint64(11)) * 2.0**-53
