"""Ensembles: settings that need no fit of their own, cheap looks, and forests that stay small."""

from functools import partial

import numpy as np
import pytest

from pipeline.distributed.executor import Executor
from pipeline.training import families, shared_trees
from pipeline.training.cross_validation import Rows, cross_validate
from pipeline.training.space import combinations
from stages.train import fit
from tests.pipeline.training.homes import HOMES, PARAMS, homes, with_grid


@pytest.mark.parametrize(
    ("family", "grid"),
    [
        ("random_forest", {"n_estimators": [7, 3, 20], "max_depth": [6, None, 3], "min_samples_leaf": [1, 4]}),
        ("random_forest", {"n_estimators": [9, 5], "max_depth": [5], "bootstrap": [False], "max_features": [0.5]}),
        ("random_forest", {"n_estimators": [9, 4], "max_depth": [None, 3], "max_leaf_nodes": [20]}),
        ("random_forest", {"n_estimators": [9, 4], "max_depth": [None, 3], "max_samples": [0.4]}),
        ("xgboost", {"max_depth": [2, 4], "n_estimators": [5, 40], "subsample": [0.7]}),
    ],
)
def test_shared_fits_change_nothing(family: str, grid: dict) -> None:
    """Settings that share a fit get the predictions, to the last bit, that a fit of their own gives."""
    rows = Rows.of(homes()[1], HOMES)
    tried = combinations(grid)
    make = partial(families.numeric_pipeline, HOMES, family, 1)
    shared, alone = (
        cross_validate(tried, make, sharing, rows, family, Executor())
        for sharing in (families.get(family).sharing, shared_trees.NO_SHARING)
    )
    assert len({part.tobytes() for part in alone}) == len(tried)
    assert np.array_equal(shared, alone)


def test_a_cheap_look_learns_faster() -> None:
    """With a quarter of its trees a model learns at four times the rate, up to 0.3; what is small or has no number of
    trees stays as it is."""
    slow = {"n_estimators": 400, "learning_rate": 0.05, "max_depth": 3}
    assert shared_trees.begun(slow, 100) == {"n_estimators": 100, "learning_rate": 0.2, "max_depth": 3}
    assert shared_trees.begun({**slow, "learning_rate": 0.1}, 100)["learning_rate"] == 0.3
    assert shared_trees.begun({**slow, "learning_rate": 0.5}, 100)["learning_rate"] == 0.5
    for settings in ({"alpha": 3}, {"n_estimators": 100}, {"n_estimators": None}):
        assert shared_trees.begun(settings, 100) == settings


def test_forests_stay_small_as_rows_grow() -> None:
    """A forest that could have more than train.max_leaves leaves is bounded, and a tree draws train.search_rows rows at
    most, which its settings say; what a grid names, and a small table, are left as they are."""
    table, training = homes()
    few = with_grid("random_forest", {"n_estimators": [5, 10]}, max_leaves=100, search_rows=60)
    pipeline, record = fit(table, HOMES, few, "random_forest")
    assert record.settings["max_leaf_nodes"] == 10
    assert max(tree.get_n_leaves() for tree in pipeline[-1].regressor_.estimators_) == 10
    assert record.settings["max_samples"] == round(60 / len(training), 4)
    assert {len(rows) for rows in pipeline[-1].regressor_.estimators_samples_} == {60}
    assert not {"max_leaf_nodes", "max_samples"} & fit(table, HOMES, PARAMS, "random_forest")[1].settings.keys()
    own = {"n_estimators": [5], "max_leaf_nodes": [50], "max_samples": [0.5]}
    assert shared_trees.bound_forest(own, 1_000, 100, 60) == {}
    assert "max_samples" not in shared_trees.bound_forest({"bootstrap": [False]}, 1_000, 100, 60)
