"""Rows where float32 could bite: what a served model is compared with its fit on, beside the training rows."""

import numpy as np
import onnx

MOST_THRESHOLDS = 2_000  # spread evenly over those of a model, so that the check stays quick


def extremes(matrix: np.ndarray) -> np.ndarray:
    """Rows [features + 4, features]: all missing, each feature missing, all at the lowest, middle and highest value."""
    low, middle, high = (np.nanquantile(matrix, q, axis=0, method="nearest") for q in (0, 0.5, 1))
    one_missing = np.tile(middle, (matrix.shape[1], 1))
    np.fill_diagonal(one_missing, np.nan)
    return np.vstack([np.full_like(low, np.nan), one_missing, low, middle, high])


def at_thresholds(matrix: np.ndarray, model: onnx.ModelProto, order: list[int]) -> np.ndarray:
    """Rows [n, features] with one feature at exactly a threshold of the model's trees, if it has trees.

    `order`: the feature behind each of the trees' first columns. The rest of a row is that of the training row with the
    nearest value, which is likely to come by the threshold.
    """
    split = _thresholds(model)
    split = split[split[:, 0] < len(order)]
    split = split[np.linspace(0, len(split) - 1, min(len(split), MOST_THRESHOLDS)).astype(int)]
    made = [matrix[:0]]
    for column in np.unique(split[:, 0]).astype(int):
        values, place = split[split[:, 0] == column, 1], order[column]
        near = matrix[_nearest(matrix[:, place], values)]
        near[:, place] = values
        made.append(near)
    return np.vstack(made)


def _nearest(column: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The places in the column, which may have NaN, of what is nearest to each of the values; the first of equals."""
    known = np.flatnonzero(~np.isnan(column))
    levels, first = np.unique(column[known], return_index=True)
    above = np.searchsorted(levels, values).clip(max=len(levels) - 1)
    below = (above - 1).clip(min=0)
    up, down = np.abs(levels[above] - values), np.abs(levels[below] - values)
    lower = (down < up) | ((down == up) & (first[below] < first[above]))
    places: np.ndarray = known[first[np.where(lower, below, above)]]
    return places


def _thresholds(model: onnx.ModelProto) -> np.ndarray:
    """The distinct pairs [n, 2] of a column of the trees and a threshold."""
    found = [np.empty((0, 2))]
    for node in model.graph.node:
        if node.op_type == "TreeEnsembleRegressor":
            holds = {attribute.name: attribute for attribute in node.attribute}
            inner = np.array([mode != b"LEAF" for mode in holds["nodes_modes"].strings])
            pairs = np.column_stack([holds["nodes_featureids"].ints, holds["nodes_values"].floats])
            found.append(np.unique(pairs[inner], axis=0))
    return np.vstack(found)
