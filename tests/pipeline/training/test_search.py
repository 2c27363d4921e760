"""Grid search: the setting with the lowest cross-validated error wins, fits are shared, and a broken setting loses."""

from functools import partial

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from threadpoolctl import threadpool_info

from pipeline.contract import params
from pipeline.contract.errors import PipelineError
from pipeline.distributed.executor import Executor
from pipeline.training import families, shared_trees
from pipeline.training.cross_validation import Rows, cross_validate
from pipeline.training.space import candidates, combinations
from stages.train import fit
from tests.conftest import ROOT
from tests.pipeline.training.homes import HOMES, PARAMS, homes, with_grid


def test_the_best_setting_is_chosen_by_cross_validation() -> None:
    """The chosen settings are those of the grid with the lowest out-of-fold error, and cv_rmse is that error."""
    table, _ = homes()
    _, record = fit(table, HOMES, PARAMS, "random_forest")
    grids = [{"n_estimators": [5], "min_samples_leaf": [leaf]} for leaf in (1, 30)]
    alone = [fit(table, HOMES, with_grid("random_forest", grid), "random_forest") for grid in grids]
    assert alone[0][1].cv_rmse < alone[1][1].cv_rmse
    assert record.settings == {"n_estimators": 5, "min_samples_leaf": 1}
    assert record.cv_rmse == alone[0][1].cv_rmse


def test_a_setting_that_diverges_loses() -> None:
    """A setting with a prediction that is not finite loses to any other and is named in the record; where all settings
    diverge, the error names them."""
    table, _ = homes()
    grid = {"n_estimators": [80], "learning_rate": [50, 0.3, 80]}
    _, record = fit(table, HOMES, with_grid("xgboost", grid), "xgboost")
    assert record.settings["learning_rate"] == 0.3
    assert np.isfinite(record.cv_rmse)
    assert [settings["learning_rate"] for settings in record.diverged] == [50, 80]
    with pytest.raises(PipelineError, match=r"train\.families\.xgboost: no setting can be used.*50.*80"):
        fit(table, HOMES, with_grid("xgboost", {**grid, "learning_rate": [50, 80]}), "xgboost")


@pytest.mark.parametrize(
    ("family", "grid"),
    [
        ("random_forest", {"n_estimators": [7, 3, 20], "max_depth": [6, None, 3], "min_samples_leaf": [1, 4]}),
        ("random_forest", {"n_estimators": [9, 5], "max_depth": [5], "bootstrap": [False], "max_features": [0.5]}),
        ("random_forest", {"n_estimators": [9, 4], "max_depth": [None, 3], "max_leaf_nodes": [20]}),
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


def test_forests_stay_servable_as_rows_grow() -> None:
    """A forest that could have more than train.max_leaves leaves is bounded, which its settings say; a grid that names
    max_leaf_nodes, and a small table, are left as they are."""
    table, _ = homes()
    few = with_grid("random_forest", {"n_estimators": [5, 10]}, max_leaves=100)
    pipeline, record = fit(table, HOMES, few, "random_forest")
    assert record.settings["max_leaf_nodes"] == 10
    assert max(tree.get_n_leaves() for tree in pipeline[-1].regressor_.estimators_) == 10
    assert "max_leaf_nodes" not in fit(table, HOMES, PARAMS, "random_forest")[1].settings
    own = {"n_estimators": [5], "max_leaf_nodes": [50]}
    assert shared_trees.bound_forest(own, 1_000, few) == {}


def test_a_fit_uses_one_blas_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fits run side by side on all cores, so each one, and the refit, computes with one BLAS thread."""
    threads = set()
    plain = Ridge.fit

    def noting(self: Ridge, *arguments: np.ndarray) -> Ridge:
        threads.update(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")
        return plain(self, *arguments)

    monkeypatch.setattr(Ridge, "fit", noting)
    fit(homes()[0], HOMES, PARAMS, "ridge")
    assert threads == {1}


def test_every_family_of_the_shipped_parameters_exists() -> None:
    """Each grid of params.yaml names parameters that its family's model has."""
    for family, grid in params.load("train", ROOT / "params.yaml").families.items():
        for settings in candidates(grid, 24, 0):
            families.numeric_pipeline(HOMES, family, 0, settings)
