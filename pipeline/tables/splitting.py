"""The test split and the folds. A row's place follows from its values: no order, format or later row moves it."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd

from pipeline.contract.errors import PipelineError
from pipeline.contract.schema import Schema
from pipeline.tables import row_hash

TEST = -1  # the `fold` of a row of the test split

# Salts, so that the test split and the folds are unrelated.
_SPLIT, _FOLD = np.uint64(0x5B1D), np.uint64(0xF01D)


def needs_moments(schema: Schema) -> bool:
    """Return True where the whole table must be seen first: to cut its times, or to check its given split by group."""
    return bool(schema.with_role("time") or (schema.with_role("group") and schema.with_role("split")))


def moments(table: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Return one line for each group, or for each moment where the schema has no group.

    Columns: the latest `moment` as a number (0 without a time), the number of rows `n`, and how many of them a given
    split puts into the test split, `n_test`.
    """
    time, group, given = (schema.with_role(role) for role in ("time", "group", "split"))
    moment = _moment(table[time[0].name]) if time else np.zeros(len(table))
    test = (table[given[0].name] == "test").to_numpy(bool) if given else np.zeros(len(table), dtype=bool)
    key = table[group[0].name].to_numpy() if group else moment
    return merged([pd.DataFrame({"moment": moment, "n": 1, "n_test": test.astype(int)}, index=pd.Index(key))])


def merged(parts: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Return the `moments` of a table from those of its parts."""
    return pd.concat(parts).groupby(level=0).agg({"moment": "max", "n": "sum", "n_test": "sum"})


class Cuts(NamedTuple):
    """The moments at which the test split (None with a given split) and the folds begin, and the latest moment of each
    group. `Cuts()`: the schema has no time."""

    test: float | None = None
    folds: tuple[float, ...] = ()
    groups: pd.Series | None = None


def cuts(table_moments: pd.DataFrame, schema: Schema, test_fraction: float, folds: int) -> Cuts:
    """Return the cuts of the whole table from its `moments`."""
    time = schema.with_role("time")
    if not time:
        return Cuts()
    by_moment = table_moments.groupby("moment")[["n", "n_test"]].sum()
    test = None
    if schema.with_role("split"):
        earlier = by_moment["n"] - by_moment["n_test"]
    else:
        test = _cut(by_moment["n"], 1 - test_fraction, time[0].name)
        earlier = by_moment["n"][by_moment.index < test]
    earlier = earlier[earlier > 0]
    edges = tuple(_cut(earlier, block / (folds + 1), time[0].name) for block in range(1, folds + 1))
    return Cuts(test, edges, table_moments["moment"] if schema.with_role("group") else None)


def assign(table: pd.DataFrame, schema: Schema, test_fraction: float, folds: int, cuts: Cuts) -> pd.Series:
    """Return the fold of each row, 0, 1, ... or TEST, of a typed table or a part of one.

    With a column of role `split`, its rows `test` are the test split. With a time, the latest rows are, and the others
    fall into `folds` + 1 blocks of time, of which the first is only trained on; rows of one moment stay together, and a
    group counts as its latest row. Otherwise a hash of the group, else of the id, else of the features decides, never
    the target. Equal rows then stay together, and a row keeps its place when others come, go or are reordered.
    """
    given = schema.with_role("split")
    key = _key(table, schema)
    is_test = row_hash.unit(key, _SPLIT) < test_fraction
    fold = (row_hash.unit(key, _FOLD) * folds).astype("int64")
    if cuts.folds:
        if cuts.groups is None:
            moment = _moment(table[schema.with_role("time")[0].name])
        else:
            moment = cuts.groups.reindex(table[schema.with_role("group")[0].name].to_numpy()).to_numpy()
        fold = np.searchsorted(cuts.folds, moment, side="right").astype("int64")
        if cuts.test is not None:
            is_test = moment >= cuts.test
    if given:
        is_test = (table[given[0].name] == "test").to_numpy(bool)
    fold[is_test] = TEST
    return pd.Series(fold, index=table.index, name="fold")


def place(table: pd.DataFrame, schema: Schema) -> np.ndarray:
    """Return float64 [rows] in [0, 1); where a hash decides, `assign` puts rows below `test_fraction` into the test
    split."""
    return row_hash.unit(_key(table, schema), _SPLIT)


def expected_folds(schema: Schema, folds: int) -> set[int]:
    """Return the values of `assign` for a table in which every fold has a row."""
    return {TEST, *range(folds + 1 if schema.with_role("time") else folds)}


def splits(fold: np.ndarray, schema: Schema) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the positions (train, validation) of each fold; with a time, only earlier folds train."""
    training = fold != TEST
    if schema.with_role("time"):
        return [(np.flatnonzero(training & (fold < k)), np.flatnonzero(fold == k)) for k in range(1, fold.max() + 1)]
    return [(np.flatnonzero(training & (fold != k)), np.flatnonzero(fold == k)) for k in range(fold.max() + 1)]


def redrawn(table: pd.DataFrame, schema: Schema, folds: int, number: int) -> np.ndarray:
    """Return the folds 0, 1, ... of repetition `number` for training rows; for a table without a time."""
    return (row_hash.unit(_key(table, schema), _FOLD + np.uint64(number)) * folds).astype("int64")


def _key(table: pd.DataFrame, schema: Schema) -> np.ndarray:
    return row_hash.hash_rows(table, schema.with_role("group") or schema.with_role("id") or schema.features)


def _moment(values: pd.Series) -> np.ndarray:
    """Return each row's time as a number."""
    moment = values.astype("int64") if isinstance(values.dtype, pd.DatetimeTZDtype) else values
    return moment.to_numpy(float)


def _cut(counts: pd.Series, share: float, name: str) -> float:
    """Return the moment before which about `share` of the rows lie, and at least one; `counts`: rows by moment."""
    if len(counts) < 2:
        raise PipelineError(f"column {name} has role time and one value: expected several moments to split by")
    before = np.cumsum(counts.to_numpy())[:-1] / counts.sum()
    return float(counts.index[1:][np.argmin(np.abs(before - share))])
