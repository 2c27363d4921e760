"""Parity: a served ONNX form must predict what its fit predicts, above all where float32 could change a prediction."""

from collections.abc import Iterable

import numpy as np
import onnx
import pandas as pd
from sklearn.pipeline import Pipeline

from pipeline.contract.errors import PipelineError
from pipeline.contract.onnx_model import Model
from pipeline.contract.params import Select
from pipeline.training.preprocessing import Unencoded

MAX_THRESHOLDS = 2_000  # that are tried, spread evenly over those of a model: the check stays quick
ROWS_AT_ONCE = 4_096  # a comparison needs several times the memory of its rows


def extremes(matrix: np.ndarray) -> np.ndarray:
    """Return rows [features + 4, features]: all missing, each one missing, all lowest, all middle, all highest."""
    low, middle, high = (np.nanquantile(matrix, q, axis=0, method="nearest") for q in (0, 0.5, 1))
    one_missing = np.tile(middle, (matrix.shape[1], 1))
    np.fill_diagonal(one_missing, np.nan)
    return np.vstack([np.full_like(low, np.nan), one_missing, low, middle, high])


def at_thresholds(matrix: np.ndarray, model: onnx.ModelProto, columns: Unencoded) -> np.ndarray:
    """Return rows [n, columns] with one value exactly at a threshold of the model's trees; none without trees.

    `columns`: those behind the trees' first columns. The other values of a row are those of the training row with the
    nearest value in that column, for such a row is likely to reach the threshold.
    """
    thresholds = _thresholds(model)
    thresholds = thresholds[thresholds[:, 0] < len(columns.positions)]
    thresholds = thresholds[np.linspace(0, len(thresholds) - 1, min(len(thresholds), MAX_THRESHOLDS)).astype(int)]
    probes = [matrix[:0]]
    for column in np.unique(thresholds[:, 0]).astype(int):
        position = columns.positions[column]
        values = thresholds[thresholds[:, 0] == column, 1] * columns.scale[column] + columns.centre[column]
        rows = matrix[_nearest(matrix[:, position], values)]
        rows[:, position] = values
        probes.append(rows)
    return np.vstack(probes)


def largest_gap(model: Model, fitted: Pipeline, probes: Iterable[np.ndarray]) -> float:
    """Return the largest difference between the predictions of a model file and of its numeric pipeline, in the
    target's unit; NaN where one of them is not a number."""
    pieces = (rows[start : start + ROWS_AT_ONCE] for rows in probes for start in range(0, len(rows), ROWS_AT_ONCE))
    return float(np.max([np.abs(model.predict(rows)[:, 0] - fitted.predict(rows)).max() for rows in pieces]))


def check_gap(gap: float, family: str, target_std: float, limits: Select) -> None:
    """Raise PipelineError where the largest gap, in the target's unit, is above the tolerance."""
    if not gap <= (tolerance := limits.onnx_tolerance * target_std):
        raise PipelineError(
            f"{family}: ONNX and the fitted model differ by {gap:.3g}, more than select.onnx_tolerance x the target's "
            f"standard deviation = {tolerance:.3g}: the file would not serve what was judged; choose other settings "
            "of the family in train.families of params.yaml, or leave it out"
        )


def _nearest(column: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the positions in the column, which may have NaN, that are nearest to each of the values."""
    known = np.flatnonzero(~np.isnan(column))
    levels, first = np.unique(column[known], return_index=True)
    nearest: np.ndarray = known[first[pd.Index(levels).get_indexer(values, method="nearest")]]
    return nearest


def _thresholds(model: onnx.ModelProto) -> np.ndarray:
    """Return the distinct pairs [n, 2] of a column of the trees and a threshold."""
    pairs = [np.empty((0, 2))]
    for node in model.graph.node:
        if node.op_type == "TreeEnsembleRegressor":
            attributes = {attribute.name: attribute for attribute in node.attribute}
            inner = np.array([mode != b"LEAF" for mode in attributes["nodes_modes"].strings])
            splits = np.column_stack([attributes["nodes_featureids"].ints, attributes["nodes_values"].floats])
            pairs.append(np.unique(splits[inner], axis=0))
    return np.vstack(pairs)
