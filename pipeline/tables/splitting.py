"""Which row goes where: by what a row is, so that no order, format or later row moves it."""

from collections.abc import Sequence
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
    """Whether a row's place depends on others: on how late they are, or on what a split column says of their group."""
    return bool(schema.with_role("time") or (schema.with_role("group") and schema.with_role("split")))


def moments(table: pd.DataFrame, schema: Schema) -> pd.DataFrame | None:
    """What a part of a table adds to `cuts`: by group (without one, by moment) its latest `moment` as a number (0 where
    the schema has no time), its rows `n`, and of them those of a given test split, `n_test`. None where
    they are not needed."""
    if not needs_moments(schema):
        return None
    time, group, given = (schema.with_role(role) for role in ("time", "group", "split"))
    moment = _moment(table[time[0].name]) if time else np.zeros(len(table))
    test = (table[given[0].name] == "test").to_numpy(bool) if given else np.zeros(len(table), dtype=bool)
    key = table[group[0].name].to_numpy() if group else moment
    return _merged(pd.DataFrame({"moment": moment, "n": 1, "n_test": test.astype(int)}, index=pd.Index(key)))


def merged(found: Sequence[pd.DataFrame | None]) -> pd.DataFrame | None:
    """`moments` of several parts as of one."""
    parts = [part for part in found if part is not None]
    return _merged(pd.concat(parts)) if parts else None


def _merged(moments: pd.DataFrame) -> pd.DataFrame:
    return moments.groupby(level=0).agg({"moment": "max", "n": "sum", "n_test": "sum"})


class Cuts(NamedTuple):
    """Where time is cut: rows from `test` on test (None where a column says which do), folds begin at `folds`;
    `groups`: how late each group is (None without groups)."""

    test: float | None
    folds: list[float]
    groups: pd.Series | None


def cuts(found: pd.DataFrame | None, schema: Schema, test_fraction: float, folds: int) -> Cuts | None:
    """The cuts of the whole table, from its `moments`; None where the schema has no time."""
    time = schema.with_role("time")
    if not time or found is None:
        return None
    by_moment = found.groupby("moment")[["n", "n_test"]].sum()
    test = None
    if schema.with_role("split"):
        earlier = by_moment["n"] - by_moment["n_test"]
    else:
        test = _cut(by_moment["n"], 1 - test_fraction, time[0].name)
        earlier = by_moment["n"][by_moment.index < test]
    earlier = earlier[earlier > 0]
    edges = [_cut(earlier, block / (folds + 1), time[0].name) for block in range(1, folds + 1)]
    return Cuts(test, edges, found["moment"] if schema.with_role("group") else None)


def assign(table: pd.DataFrame, schema: Schema, test_fraction: float, folds: int, cuts: Cuts | None) -> pd.Series:
    """The fold of each row of typed columns: 0, 1, ... or TEST; of a part of a table as of the whole.

    With a column of role `split`, its rows `test` test. With a time, the latest rows test, and the others fall into
    `folds` + 1 blocks of time, of which the first is only ever trained on; rows of one moment stay together, and a
    group is as late as its latest row. Otherwise a hash of the row's features (of the group, or the id, where the
    schema has one), never of the target, decides: equal rows go together, and a row stays where it is when others
    come, go or change places.
    """
    given = schema.with_role("split")
    key = _key(table, schema)
    is_test = row_hash.unit(key, _SPLIT) < test_fraction
    fold = (row_hash.unit(key, _FOLD) * folds).astype("int64")
    if cuts:
        moment = _moment(table[schema.with_role("time")[0].name])
        for group in schema.with_role("group"):
            if cuts.groups is not None:
                moment = cuts.groups.reindex(table[group.name].to_numpy()).to_numpy()
        fold = np.searchsorted(cuts.folds, moment, side="right").astype("int64")
        if cuts.test is not None:
            is_test = moment >= cuts.test
    if given:
        is_test = (table[given[0].name] == "test").to_numpy(bool)
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
    return (row_hash.unit(_key(table, schema), _FOLD + np.uint64(number)) * folds).astype("int64")


def _key(table: pd.DataFrame, schema: Schema) -> np.ndarray:
    return row_hash.hash_rows(table, schema.with_role("group") or schema.with_role("id") or schema.features)


def _moment(values: pd.Series) -> np.ndarray:
    """When each row was, as a number that grows with time."""
    moment = values.astype("int64") if isinstance(values.dtype, pd.DatetimeTZDtype) else values
    return moment.to_numpy(float)


def _cut(counts: pd.Series, share: float, name: str) -> float:
    """The moment before which about `share` of the rows are; at least one row is before it. `counts` of the rows by
    moment, ascending."""
    if len(counts) < 2:
        raise PipelineError(f"column {name} has role time and one value: expected several moments to split by")
    before = np.cumsum(counts.to_numpy())[:-1] / counts.sum()
    return float(counts.index[1:][np.argmin(np.abs(before - share))])
