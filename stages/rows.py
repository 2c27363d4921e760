"""Which row goes where: by what a row is, so that no order, format or later row moves it."""

import numpy as np
import pandas as pd

from stages.errors import PipelineError
from stages.schema import Column, Schema

TEST = -1  # the `fold` of a row of the test split

# Salts: one hash decides three unrelated things.
_SPLIT, _FOLD, _SAMPLE = (np.uint64(salt) for salt in (0x5B1D, 0xF01D, 0x5A3B))


def assign(table: pd.DataFrame, schema: Schema, test_fraction: float, folds: int) -> pd.Series:
    """The fold of each row of typed columns: 0, 1, ... or TEST.

    With a column of role `split`, its rows `test` test. With a time, the latest rows test, and the others fall into
    `folds` + 1 blocks of time, of which the first is only ever trained on; rows of one moment stay together, and a
    group is as late as its latest row. Otherwise a hash of the row's features (of the group, or the id, where the
    schema has one), never of the target, decides: equal rows go together, and a row stays where it is when others
    come, go or change places.
    """
    given, time = schema.with_role("split"), schema.with_role("time")
    key = _key(table, schema)
    is_test = _unit(key, _SPLIT) < test_fraction
    fold = (_unit(key, _FOLD) * folds).astype("int64")
    if time:
        moment = _moment(table, time[0], schema)
        is_test = moment >= _cut(moment, 1 - test_fraction, time[0].name)
    if given:
        is_test = (table[given[0].name] == "test").to_numpy(bool)
    if time:
        earlier = moment[~is_test]
        edges = [_cut(earlier, block / (folds + 1), time[0].name) for block in range(1, folds + 1)]
        fold = np.searchsorted(edges, moment, side="right").astype("int64")
    fold[is_test] = TEST
    return pd.Series(fold, index=table.index, name="fold")


def expected_folds(schema: Schema, folds: int) -> set[int]:
    """The values that `assign` gives when every fold has a row."""
    return {TEST, *range(folds + 1 if schema.with_role("time") else folds)}


def splits(fold: np.ndarray, schema: Schema) -> list[tuple[np.ndarray, np.ndarray]]:
    """The positions (train, validation) of each fold of the training split; with a time, only earlier folds train."""
    training = fold != TEST
    if schema.with_role("time"):
        return [(np.flatnonzero(training & (fold < k)), np.flatnonzero(fold == k)) for k in range(1, fold.max() + 1)]
    return [(np.flatnonzero(training & (fold != k)), np.flatnonzero(fold == k)) for k in range(fold.max() + 1)]


def redrawn(table: pd.DataFrame, schema: Schema, folds: int, number: int) -> np.ndarray:
    """Folds 0, 1, ... of training rows as another draw would have given them, the `number`-th; without a time."""
    return (_unit(_key(table, schema), _FOLD + np.uint64(number)) * folds).astype("int64")


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
            # `repr` tells a missing value from the text None.
            text = values.astype(object).where(values.notna(), None).map(repr).to_numpy(object)
            normal[column.name] = pd.util.hash_array(text)
        else:
            normal[column.name] = values.astype("Float64").to_numpy(float, na_value=np.nan) + 0.0
    frame = pd.DataFrame(normal, index=table.index)
    return pd.util.hash_pandas_object(frame, index=False).to_numpy("uint64")


def _key(table: pd.DataFrame, schema: Schema) -> np.ndarray:
    return hash_rows(table, schema.with_role("group") or schema.with_role("id") or schema.features)


def _moment(table: pd.DataFrame, time: Column, schema: Schema) -> np.ndarray:
    """When each row was, as a number that grows with time; a row of a group is as late as the group's latest."""
    values = table[time.name]
    moment = values.astype("int64") if isinstance(values.dtype, pd.DatetimeTZDtype) else values
    for group in schema.with_role("group"):
        moment = moment.groupby(table[group.name], observed=True).transform("max")
    return moment.to_numpy(float)


def _cut(moment: np.ndarray, share: float, name: str) -> float:
    """The moment before which about `share` of the rows are; at least one row is before it."""
    moments, counts = np.unique(moment, return_counts=True)
    if len(moments) < 2:
        raise PipelineError(f"column {name} has role time and one value: expected several moments to split by")
    before = np.cumsum(counts)[:-1] / len(moment)
    return float(moments[1:][np.argmin(np.abs(before - share))])


def _mix(key: np.ndarray, salt: np.uint64) -> np.ndarray:
    return pd.util.hash_array(key ^ pd.util.hash_array(np.array([salt]))[0])


def _unit(key: np.ndarray, salt: np.uint64) -> np.ndarray:
    """Hashes as float64 in [0, 1)."""
    return (_mix(key, salt) >> np.uint64(11)) * 2.0**-53
