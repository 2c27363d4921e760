"""Statistics of the training table in parts, needed before a fit: one task reads one column of all rows."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.contract.columns import MatrixColumn, matrix_columns
from pipeline.contract.schema import Schema
from pipeline.distributed.executor import Executor
from pipeline.tables import parquet, splitting
from pipeline.tables.feature_matrix import numbers
from pipeline.training.offsets import offset

FoldSplit = tuple[np.ndarray, np.ndarray]  # the folds to train on, and those held out


class TableStatistics(NamedTuple):
    """Statistics of the whole training table.

    `missing` [matrix columns] counts missing values. `imputed` [splits + 1, matrix columns] replaces them: learned from
    the folds that each split trains on, and last from all rows. `offsets` [splits + 1, matrix columns + 1] are what
    trees subtract from each column and, last, from the target.
    """

    rows: int
    splits: list[FoldSplit]
    missing: np.ndarray
    imputed: np.ndarray
    offsets: np.ndarray
    target_median: float
    target_std: float


def gather(run: Executor, files: list[Path], schema: Schema) -> TableStatistics:
    """Compute the statistics of the table in these files."""
    target = MatrixColumn(schema.target.name, schema.target)
    found = run.map(_of_column, [*matrix_columns(schema.features), target], "train: columns", files, schema)
    rows, splits, missing, typical, offsets, stds = zip(*found, strict=True)
    # A column that has no value is 0, as in pipeline/training/preprocessing.py.
    imputed = np.nan_to_num(np.column_stack(typical[:-1]))
    about = float(typical[-1][-1]), float(stds[-1])
    return TableStatistics(rows[0], splits[0], np.array(missing[:-1]), imputed, np.column_stack(offsets), *about)


def _of_column(
    column: MatrixColumn, files: list[Path], schema: Schema
) -> tuple[int, list[FoldSplit], int, np.ndarray, np.ndarray, float]:
    """Return the rows, splits and missing values, what is typical [splits + 1] (the median, or the most frequent code
    of a bool or category; NaN without a value), the offset [splits + 1] and the standard deviation."""
    values, folds = [], []
    for file in files:
        frame = parquet.read(file, [column.feature.name, "fold"])
        values.append(numbers(frame[column.feature.name], column))
        folds.append(frame["fold"].to_numpy())
    value, fold = np.concatenate(values), np.concatenate(folds)
    known, splits = ~np.isnan(value), splitting.splits(np.arange(fold.max() + 1), schema)
    middle = _most_frequent if column.feature.dtype in ("bool", "category") else np.median
    each = [value[known & np.isin(fold, members)] for members in training_folds(splits)]
    typical = np.array([middle(some) if len(some) else np.nan for some in each])
    offsets = np.array([offset(some) for some in each])
    return len(value), splits, int((~known).sum()), typical, offsets, float(value.std())


def training_folds(splits: list[FoldSplit]) -> list[np.ndarray]:
    """Return the folds that each split trains on, and last all folds: the rows of each fit."""
    everything = np.unique(np.concatenate([folds for split in splits for folds in split]))
    return [*(train for train, _ in splits), everything]


def _most_frequent(codes: np.ndarray) -> int:
    """Return the most frequent code, the lowest of equals, as scikit-learn's SimpleImputer has it."""
    return int(np.argmax(np.bincount(codes.astype(np.int64))))
