"""Out-of-fold predictions of a training table in parts, and how far the served form is from the fit.

What a pass needs (models) lies in a folder that the workers see, what it gives adds up exactly, so that neither the
parts nor the workers change the result, and a worker that dies takes nothing along.
"""

from fractions import Fraction
from functools import partial
from math import isqrt
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from pipeline.contract.onnx_model import Model
from pipeline.contract.schema import Schema
from pipeline.distributed.executor import Executor
from pipeline.distributed.shared_files import borrowed, lent
from pipeline.tables import parquet, sampling
from pipeline.training.in_parts import column_statistics, exact_sums
from pipeline.training.in_parts.column_statistics import Facts


class HeldOut(NamedTuple):
    """Of a part: `held` counts its held rows; the four sums, as of `exact.total`, are of their squared errors, of the
    squares of these, of the target's distances from its median, and of the squares of these. `sample`: its rows of the
    table's sample, with `prediction` and `residual`."""

    held: int
    sums: list[int]
    sample: pd.DataFrame


class Errors(NamedTuple):
    """Of the out-of-fold predictions: RMSE and its standard error; of the target: its standard deviation."""

    cv_rmse: float
    cv_rmse_se: float
    target_std: float
    sample: pd.DataFrame


def hold_out(engine: Executor, known: Facts, models: list[Pipeline], folder: Path) -> Errors:
    """Predict every held row by the model of its split; write `row`, `prediction`, `residual` in parts to a folder."""
    folder.mkdir(parents=True)
    with lent(models, folder.parent) as path:
        judging = partial(_hold_out, known=known._replace(parts=[]), models=path, folder=folder)
        found = engine.map(judging, known.parts, "train: out-of-fold")
    held = sum(part.held for part in found)
    sums = [sum(column) for column in zip(*(part.sums for part in found), strict=True)]
    squared, fourth = (Fraction(total, held << exact_sums.UNIT) for total in sums[:2])
    distance, spread = (Fraction(total, known.rows << exact_sums.UNIT) for total in sums[2:])
    sample = pd.concat([part.sample for part in found], ignore_index=True)
    sample = sample.iloc[sampling.sample(sample["row"], sampling.MAX_JUDGED_ROWS)].sort_values("row", ignore_index=True)
    cv_rmse = float(squared) ** 0.5
    # As in stages.train: the variance of the squared errors, and the delta method.
    error = (float(fourth - squared**2) / (held - 1)) ** 0.5 / (2 * cv_rmse) if cv_rmse else 0.0
    return Errors(cv_rmse, error, float(spread - distance**2) ** 0.5, sample)


def largest_gap(
    engine: Executor, parts: list[Path], schema: Schema, pipeline: Pipeline, content: bytes, folder: Path
) -> float:
    """How far a model file's predictions are at most from its fit's over all training rows, in the target's unit."""
    with lent((pipeline[1:], content), folder) as path:
        return max(engine.map(partial(_gap, schema=schema, models=path), parts, "train: served form"))


def predict(model: Pipeline, matrix: np.ndarray) -> np.ndarray:
    """Of the same bits whatever rows stand beside a row; the matrix product of a linear model does not promise that."""
    if not hasattr(model[-1], "coef_"):
        return np.asarray(model.predict(matrix), dtype=float) if len(matrix) else np.empty(0)
    predictions = np.full(len(matrix), float(model[-1].intercept_))
    if len(matrix):
        for column, weight in zip(model[:-1].transform(matrix).T, model[-1].coef_, strict=True):
            predictions += column * weight
    return predictions


def _hold_out(part: Path, known: Facts, models: Path, folder: Path) -> HeldOut:
    frame = column_statistics.table(part, known.schema)
    block = column_statistics.block(frame, known.schema)
    prediction = np.full(len(frame), np.nan)
    for (_, held), model in zip(known.splits, borrowed(models), strict=False):
        here = np.isin(block.fold, held)
        prediction[here] = predict(model, block.matrix[here])
    frame = frame.drop(columns="fold").assign(prediction=prediction, residual=block.target - prediction)
    parquet.write(frame[["row", "prediction", "residual"]], folder / part.name)
    squared = np.square(frame["residual"].dropna().to_numpy())
    distance = block.target - known.target_median
    sums = [exact_sums.total(values) for values in (squared, np.square(squared), distance, np.square(distance))]
    sample = frame.iloc[sampling.sample(frame["row"], _share(len(frame), known.rows))]
    return HeldOut(len(squared), sums, sample)


def _share(n: int, of: int) -> int:
    """Rows of a part of `n` of `of` rows that surely hold its rows of the sample: hashes spread evenly, and this is
    eight standard deviations above what falls on the part."""
    expected = sampling.MAX_JUDGED_ROWS * n // of + 1
    return n if of <= sampling.MAX_JUDGED_ROWS else min(n, expected + 8 * isqrt(expected) + 8)


def _gap(part: Path, schema: Schema, models: Path) -> float:
    matrix = column_statistics.read(part, schema).matrix
    model, content = borrowed(models)
    served = Model(content, str(part)).predict(matrix)[:, 0]
    return float(np.abs(served - predict(model, matrix)).max(initial=0.0))
