"""Passes over a training table in parts that predict: out-of-fold predictions, parity."""

from math import isqrt
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from pipeline.contract.onnx_model import Model
from pipeline.tables import digits, parquet, sampling
from pipeline.training.cross_validation import rmse_of_moments
from pipeline.training.in_parts.column_statistics import TableStatistics
from pipeline.training.in_parts.learner import PartRows, TrainingParts


def hold_out(
    parts: TrainingParts, statistics: TableStatistics, models: list[Pipeline], folder: Path
) -> tuple[float, float, pd.DataFrame]:
    """Predict every held row by the model of its split, and write `row`, `prediction` and `residual` to a new folder, a
    file a part.

    Return the cross-validated RMSE, its standard error, and a sample of the training rows with `prediction` and
    `residual`.
    """
    folder.mkdir(parents=True)
    found = parts.map(_hold_out, "train: out-of-fold", statistics, models, folder.resolve())
    counts, sums, samples = zip(*found, strict=True)
    held = sum(counts)
    squared, fourth = np.sum(sums, axis=0) / held
    sample = pd.concat(samples, ignore_index=True)
    sample = sample.iloc[sampling.sample(sample["row"], sampling.MAX_JUDGED_ROWS)].sort_values("row", ignore_index=True)
    variance = max(float(fourth - squared**2), 0.0) * held / (held - 1)
    return *rmse_of_moments(held, float(squared), variance), sample


def largest_gap(parts: TrainingParts, pipeline: Pipeline, content: bytes) -> float:
    """Return how far a model file's predictions are at most from the pipeline's over all training rows, in the target's
    unit."""
    return max(parts.map(_gap, "train: served form", pipeline[1:], content))


def _hold_out(
    rows: PartRows, statistics: TableStatistics, models: list[Pipeline], folder: Path
) -> tuple[int, np.ndarray, pd.DataFrame]:
    """Return the number of held rows; the sums of their squared errors and of the squares of these; and the part's rows
    of the table's sample, with `prediction` and `residual`."""
    prediction = np.full(len(rows.target), np.nan)
    for (_, held), model in zip(statistics.splits, models, strict=True):
        if (here := np.isin(rows.fold, held)).any():
            prediction[here] = model.predict(rows.matrix[here])
    prediction = digits.rounded(prediction, statistics.target_std)
    table = rows.table.drop(columns="fold").assign(prediction=prediction, residual=rows.target - prediction)
    parquet.write(table[["row", "prediction", "residual"]], folder / rows.name)
    squared = np.square(table["residual"].dropna().to_numpy())
    sums = np.array([squared.sum(), np.square(squared).sum()])
    return len(squared), sums, table.iloc[sampling.sample(table["row"], _share(len(table), statistics.rows))]


def _share(n: int, of: int) -> int:
    """Return how many rows of a part with `n` of `of` rows surely hold its rows of the sample: hashes spread evenly,
    and this is eight standard deviations above what falls on the part."""
    expected = sampling.MAX_JUDGED_ROWS * n // of + 1
    return n if of <= sampling.MAX_JUDGED_ROWS else min(n, expected + 8 * isqrt(expected) + 8)


def _gap(rows: PartRows, pipeline: Pipeline, content: bytes) -> float:
    if not len(rows.matrix):
        return 0.0
    return float(np.abs(Model(content, rows.name).predict(rows.matrix)[:, 0] - pipeline.predict(rows.matrix)).max())
