"""What must be known of a training table in parts before a model can be fitted to it: counts, ranges, imputation."""

from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from pipeline.contract.schema import Column, Schema
from pipeline.distributed import medians
from pipeline.distributed.executor import Executor
from pipeline.tables import parquet, splitting
from pipeline.tables.feature_matrix import to_matrix

COLUMNS_AT_ONCE = 64  # of the medians, which bounds the memory that their counts take
Split = tuple[np.ndarray, np.ndarray]


class Block(NamedTuple):
    """The training rows of one part: `matrix` [rows, features] as of `to_matrix`, and `target` and `fold` [rows]."""

    matrix: np.ndarray
    target: np.ndarray
    fold: np.ndarray


class Tally(NamedTuple):
    """Counts of the rows of one fold: missing values [features], and each code of a bool or category [features, codes];
    lowest and highest value [features + 1], the target last, infinite where there is none."""

    rows: int
    missing: np.ndarray
    codes: np.ndarray
    low: np.ndarray
    high: np.ndarray


class Facts(NamedTuple):
    """Of the whole training table in `parts`. `splits`: the folds (train, validation) of each round of
    cross-validation. `imputed` [splits + 1, features]: what replaces a missing value, as learned from the folds that a
    split trains on, and last from all rows. `low` and `high`: as of Tally; NaN where a column has no value."""

    parts: list[Path]
    schema: Schema
    splits: list[Split]
    rows: int
    missing: np.ndarray
    low: np.ndarray
    high: np.ndarray
    imputed: np.ndarray
    target_median: float


def gather(engine: Executor, parts: list[Path], schema: Schema) -> Facts:
    """One pass for counts, and two to four for exact medians."""
    tallies = engine.fold(partial(tally, schema=schema), parts, "train: counts", _add)
    folds = range(max(tallies) + 1)
    empty = _count(np.empty((0, len(schema.features))), np.empty(0), schema.features)
    by_fold = [tallies.get(fold, empty) for fold in folds]
    splits = splitting.splits(np.array(folds), schema)
    sets = [train for train, _ in splits] + [np.array(folds)]
    middle = _medians(engine, parts, schema, len(folds), sets)
    modes = [np.argmax(np.sum([by_fold[fold].codes for fold in members], axis=0), axis=1) for members in sets]
    numeric = [column.dtype not in ("bool", "category") for column in schema.features]
    # A feature that has no value is 0, as in pipeline/training/preprocessing.py.
    imputed = np.nan_to_num(np.where(numeric, middle[:, :-1], modes))
    low = np.min([each.low for each in by_fold], axis=0)
    high = np.max([each.high for each in by_fold], axis=0)
    return Facts(
        parts,
        schema,
        splits,
        sum(each.rows for each in by_fold),
        np.sum([each.missing for each in by_fold], axis=0),
        np.where(np.isfinite(low), low, np.nan),
        np.where(np.isfinite(high), high, np.nan),
        imputed,
        float(middle[-1, -1]),
    )


def table(part: Path, schema: Schema, of: slice = slice(None)) -> pd.DataFrame:
    """The training rows of one part, or of some rows `of` it: `row`, `fold`, the features and the target."""
    names = [column.name for column in (*schema.features, schema.target)]
    frame = parquet.read(part, ["row", "fold", *names]).iloc[of]
    return frame[frame["fold"] != splitting.TEST]


def block(frame: pd.DataFrame, schema: Schema) -> Block:
    matrix = to_matrix(frame, schema.features)
    return Block(matrix, frame[schema.target.name].to_numpy(float), frame["fold"].to_numpy())


def read(part: Path, schema: Schema, of: slice = slice(None)) -> Block:
    return block(table(part, schema, of), schema)


def tally(part: Path, schema: Schema) -> dict[int, Tally]:
    """The counts of one part by fold."""
    mine = read(part, schema)
    members = {int(fold): mine.fold == fold for fold in np.unique(mine.fold)}
    return {fold: _count(mine.matrix[here], mine.target[here], schema.features) for fold, here in members.items()}


def _count(matrix: np.ndarray, target: np.ndarray, columns: tuple[Column, ...]) -> Tally:
    size = max([2, *(len(column.categories) for column in columns)])
    codes = np.zeros((len(columns), size), dtype=np.int64)
    for place, column in enumerate(columns):
        if column.dtype in ("bool", "category"):
            known = matrix[~np.isnan(matrix[:, place]), place]
            codes[place] = np.bincount(known.astype(np.int64), minlength=size)
    values = np.column_stack([matrix, target])
    low, high = (np.fmin.reduce(values, initial=np.inf), np.fmax.reduce(values, initial=-np.inf))
    return Tally(len(matrix), np.isnan(matrix).sum(axis=0), codes, low, high)


def _add(some: dict[int, Tally], more: dict[int, Tally]) -> dict[int, Tally]:
    both = {fold: _sum(some[fold], more[fold]) for fold in some.keys() & more.keys()}
    return {**some, **more, **both}


def _sum(a: Tally, b: Tally) -> Tally:
    low, high = np.minimum(a.low, b.low), np.maximum(a.high, b.high)
    return Tally(a.rows + b.rows, a.missing + b.missing, a.codes + b.codes, low, high)


def _medians(engine: Executor, parts: list[Path], schema: Schema, folds: int, sets: list[np.ndarray]) -> np.ndarray:
    """[sets, features + 1], the target last; NaN for booleans and categories."""
    columns = (*schema.features, schema.target)
    numeric = [place for place, column in enumerate(columns) if column.dtype not in ("bool", "category")]
    found = np.full((len(sets), len(columns)), np.nan)
    for start in range(0, len(numeric), COLUMNS_AT_ONCE):
        places = numeric[start : start + COLUMNS_AT_ONCE]
        names = [columns[place].name for place in places]

        def passes(looks: list[medians.Look], names: list[str] = names) -> list[medians.Counts]:
            return engine.fold(partial(_digits, names=names, looks=looks), parts, "train: medians", medians.add)

        first = passes([medians.FIRST] * len(names))
        found[:, places] = medians.medians(first, passes, folds, sets)
    return found


def _digits(part: Path, names: list[str], looks: list[medians.Look]) -> list[medians.Counts]:
    frame = parquet.read(part, [*names, "fold"])
    frame = frame[frame["fold"] != splitting.TEST]
    values = (frame[name].to_numpy(float, na_value=np.nan) for name in names)
    return medians.count(values, frame["fold"].to_numpy(), looks)
