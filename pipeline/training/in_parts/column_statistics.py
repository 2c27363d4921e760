"""Statistics of the training table in parts, needed before a fit: each column is read alone, whole, by one task."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.contract.schema import Column, Schema
from pipeline.distributed.executor import Executor
from pipeline.tables import parquet, splitting
from pipeline.tables.feature_matrix import to_matrix

Split = tuple[np.ndarray, np.ndarray]  # the folds to train on, and those held out


class TableStatistics(NamedTuple):
    """Statistics of the whole training table.

    `missing` [features] counts missing values. `imputed` [splits + 1, features] replaces them: learned from the folds
    that each split trains on, and last from all rows.
    """

    rows: int
    splits: list[Split]
    missing: np.ndarray
    imputed: np.ndarray
    target_median: float

    @property
    def training_folds(self) -> list[np.ndarray]:
        """The folds that each split trains on, and last all folds: the rows of each fit."""
        everything = np.unique(np.concatenate([folds for split in self.splits for folds in split]))
        return [*(train for train, _ in self.splits), everything]


class _ColumnStatistics(NamedTuple):
    """`typical` [splits + 1]: the median, or the most frequent code of a bool or category; NaN without a value."""

    rows: int
    folds: int
    missing: int
    typical: np.ndarray


def gather(run: Executor, parts: list[Path], schema: Schema) -> TableStatistics:
    """Compute the statistics of the table; a task holds one column of all rows."""
    found = run.map(_column_statistics, [*schema.features, schema.target], "train: columns", parts, schema)
    *features, target = found
    # A feature that has no value is 0, as in pipeline/training/preprocessing.py.
    imputed = np.nan_to_num(np.column_stack([each.typical for each in features]))
    missing = np.array([each.missing for each in features])
    return TableStatistics(target.rows, _splits(target.folds, schema), missing, imputed, float(target.typical[-1]))


def _column_statistics(column: Column, parts: list[Path], schema: Schema) -> _ColumnStatistics:
    values, folds = [], []
    for part in parts:
        frame = parquet.read(part, [column.name, "fold"])
        values.append(to_matrix(frame, (column,))[:, 0])
        folds.append(frame["fold"].to_numpy())
    value, fold = np.concatenate(values), np.concatenate(folds)
    known, count = ~np.isnan(value), int(fold.max()) + 1
    middle = _most_frequent if column.dtype in ("bool", "category") else np.median
    typical = [
        middle(some) if len(some := value[known & np.isin(fold, members)]) else np.nan
        for members in (*(train for train, _ in _splits(count, schema)), np.arange(count))
    ]
    return _ColumnStatistics(len(value), count, int((~known).sum()), np.array(typical))


def _splits(folds: int, schema: Schema) -> list[Split]:
    return splitting.splits(np.arange(folds), schema)


def _most_frequent(codes: np.ndarray) -> int:
    """The most frequent code, the lowest of equals, as scikit-learn's SimpleImputer has it."""
    return int(np.argmax(np.bincount(codes.astype(np.int64))))
