"""The search: the setting with the lowest cross-validated error wins within budgets, and a broken setting loses."""

from functools import partial
from typing import Any

import joblib
import msgspec
import numpy as np
import pytest
from sklearn.linear_model import Ridge
from threadpoolctl import threadpool_info

from pipeline.contract import params
from pipeline.contract.errors import PipelineError
from pipeline.distributed.executor import Executor
from pipeline.training import families, shared_trees
from pipeline.training.cross_validation import MakePipeline, Rows, cross_validate
from pipeline.training.shared_trees import Sharing
from pipeline.training.space import candidates, combinations
from stages.train import fit
from tests.conftest import ROOT
from tests.pipeline.training.homes import GRIDS, HOMES, PARAMS, homes, with_grid


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


def test_a_large_grid_is_searched_at_some_points() -> None:
    """Of more combinations than train.max_settings that many are tried, the same each time, and every value of a list
    among them; lists that cost no fit are combined with each."""
    grid = {"n_estimators": [5, 9], "max_depth": [2, 3, 4, 5], "subsample": [0.5, 0.75, 1.0], "max_bin": [64, 256]}
    few = candidates(grid, 12, seed=1, free=("n_estimators",))
    assert few == candidates(grid, 12, seed=1, free=("n_estimators",)) != candidates(grid, 12, 2, ("n_estimators",))
    assert [list(each) for each in few] == [list(grid)] * 24
    assert {name: sorted({each[name] for each in few}) for name in grid} == grid
    assert all({**each, "n_estimators": 5} in few and {**each, "n_estimators": 9} in few for each in few)
    assert candidates(grid, 24, 1, ("n_estimators",)) == combinations(grid)


def test_budgets_are_rows_and_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    """All settings compete on the sample with few trees, then a third of them with more; the family's finalists are
    fitted to all rows, with each number of trees. Without a sample, the last third has all trees."""
    fits = []

    def noting(tried: list, make: MakePipeline, sharing: Sharing, rows: Rows, *others: Any) -> np.ndarray:
        fits.append((len(rows.target), {each["n_estimators"] for each in tried}, len(sharing.groups(tried))))
        return cross_validate(tried, make, sharing, rows, *others)

    monkeypatch.setattr("pipeline.training.search.cross_validate", noting)
    monkeypatch.setitem(families.FAMILIES, "xgboost", families.get("xgboost")._replace(rungs=(2, 6), finalists=2))
    grid = {"n_estimators": [8, 12], "reg_lambda": list(range(1, 11)), "subsample": [0.6, 1.0]}
    table, training = homes(missing=0)
    for rows, last in ((100, (len(training), {8, 12}, 2)), (1_000, (len(training), {8, 12}, 3))):
        fits.clear()
        params = with_grid("xgboost", grid, search_rows=rows)
        _, record = fit(table, HOMES, params, "xgboost")
        on = min(rows, len(training))
        assert fits == [(on, {2}, 20), (on, {6}, 7), last]
        assert record.tried == 40
        assert np.isfinite(record.out_of_fold).all()


@pytest.mark.parametrize("family", ["ridge", "gaussian_process"])
def test_a_small_sample_has_the_folds_that_it_can(family: str) -> None:
    """Settings compete in those folds alone of which a sample has rows; one without any is refused, by its key."""
    table, training = homes()
    _, record = fit(table, HOMES, with_grid(family, GRIDS[family], search_rows=3), family)
    assert np.isfinite(record.out_of_fold).all()
    assert len(record.out_of_fold) == len(training)
    with pytest.raises(PipelineError, match=r"train\.search_rows = 1: .* raise it"):
        fit(table, HOMES, with_grid(family, GRIDS[family], search_rows=1), family)


@pytest.mark.parametrize("family", GRIDS)
def test_a_constant_target_is_refused(family: str) -> None:
    """A target that is the same in all training rows stops a family, with the key that names another."""
    with pytest.raises(PipelineError, match=r"column price is 7\.000 in all \d+ training rows.*role target"):
        fit(homes()[0].assign(price=7.0), HOMES, PARAMS, family)


def test_few_settings_have_all_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to three settings are not judged by their first trees."""
    monkeypatch.setitem(families.FAMILIES, "xgboost", families.get("xgboost")._replace(rungs=(1,)))
    table, _ = homes()
    grids = [{"n_estimators": [20], "learning_rate": [rate]} for rate in (0.02, 0.2, 0.9)]
    alone = [fit(table, HOMES, with_grid("xgboost", grid), "xgboost")[1].cv_rmse for grid in grids]
    together = with_grid("xgboost", {"n_estimators": [20], "learning_rate": [0.02, 0.2, 0.9]})
    assert fit(table, HOMES, together, "xgboost")[1].cv_rmse == min(alone)


def test_a_cheap_look_learns_faster() -> None:
    """With a quarter of its trees a model learns at four times the rate, up to 0.3; what is small or has no number of
    trees stays as it is."""
    slow = {"n_estimators": 400, "learning_rate": 0.05, "max_depth": 3}
    assert shared_trees.begun(slow, 100) == {"n_estimators": 100, "learning_rate": 0.2, "max_depth": 3}
    assert shared_trees.begun({**slow, "learning_rate": 0.1}, 100)["learning_rate"] == 0.3
    assert shared_trees.begun({**slow, "learning_rate": 0.5}, 100)["learning_rate"] == 0.5
    for settings in ({"alpha": 3}, {"n_estimators": 100}, {"n_estimators": None}):
        assert shared_trees.begun(settings, 100) == settings


class Threads(Executor):
    """An executor with a number of threads of its own."""

    def __init__(self, threads: int) -> None:
        super().__init__()
        self.threads = threads

    def map(self, *arguments: Any, threads: int = 1, bar: Any = None) -> list[Any]:
        return super().map(*arguments, threads=self.threads, bar=bar)


@pytest.mark.parametrize("family", ["random_forest", "xgboost"])
def test_the_number_of_workers_changes_nothing(family: str) -> None:
    """One and two threads choose the same settings and predict the same, to the last bit."""
    grid = {"n_estimators": [60, 120], "max_depth": [2, 3, 5], "max_features": [0.5, 1.0]}
    if family == "xgboost":
        grid = {"n_estimators": [60, 120], "max_depth": [1, 2, 3], "subsample": [0.6, 1.0]}
    params = with_grid(family, grid, search_rows=150)
    found = [fit(homes()[0], HOMES, params, family, Threads(number))[1] for number in (1, 2)]
    assert joblib.hash(found[0]) == joblib.hash(found[1])


@pytest.mark.parametrize("family", GRIDS)
def test_all_rows_are_predicted_out_of_fold(family: str) -> None:
    """Settings that competed on a sample get their error and out-of-fold predictions from all rows: with a time column,
    of all but the first block."""
    schema = msgspec.structs.replace(
        HOMES, columns=tuple(msgspec.structs.replace(c, role="time") if c.name == "built" else c for c in HOMES.columns)
    )
    table, training = homes()
    params = msgspec.structs.replace(PARAMS, search_rows=120)
    for columns, missing in ((HOMES, training["fold"] < 0), (schema, training["fold"] == 0)):
        _, record = fit(table, columns, params, family)
        assert np.array_equal(np.isnan(record.out_of_fold), missing)
        error = (record.out_of_fold - training["price"].to_numpy())[~missing]
        assert record.cv_rmse == pytest.approx(np.sqrt(np.square(error).mean()))


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
