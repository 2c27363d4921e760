"""Permutation importance, on matrices small enough to check by hand."""

import numpy as np
import pytest

from pipeline.evaluation.permutation_importance import Importance, permute


def test_a_feature_without_influence_has_no_importance() -> None:
    """Shuffling a feature that the model does not use, or that has no value, changes RMSE by exactly 0; the feature
    that the model uses comes first. The matrix stays as it is."""
    matrix = np.column_stack([np.random.default_rng(0).normal(size=(50, 2)), np.full(50, np.nan)])
    before = matrix.copy()
    places = {"noise": [0], "signal": [1], "empty": [2]}
    found = permute(lambda m: np.nansum(m[:, 1:], axis=1), matrix, matrix[:, 1], places, 5, seed=1)
    assert found[0].feature == "signal"
    assert found[0].increase > 0.5
    assert found[0].spread > 0
    assert found[1:] == [Importance("noise", 0.0, 0.0), Importance("empty", 0.0, 0.0)]
    assert np.array_equal(matrix, before, equal_nan=True)


def test_importance_by_hand() -> None:
    """The increase is RMSE after shuffling minus RMSE before; its spread is over the repeats, from the seed alone."""
    matrix = np.array([[0.0], [2.0]])
    repeats = [permute(lambda m: m[:, 0], matrix, np.array([0.0, 2]), {"x": [0]}, 40, seed=s)[0] for s in (1, 1, 2)]
    # Two rows are either swapped (RMSE 2) or not (RMSE 0).
    swapped = repeats[0].increase / 2
    assert 0.2 < swapped < 0.8
    assert repeats[0].spread == pytest.approx(2 * np.sqrt(swapped * (1 - swapped)))
    assert repeats[0] == repeats[1] != repeats[2]
