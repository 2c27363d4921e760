"""The search: the setting with the lowest cross-validated error wins within budgets, and a broken setting loses."""

from typing import Any

import joblib
import msgspec
import numpy as np
import pytest
from sklearn.linear_model import Ridge
from threadpoolctl import threadpool_info

from pipeline.contract.errors import PipelineError
from pipeline.distributed.executor import Executor
from pipeline.training import families
from pipeline.training.cross_validation import MakePipeline, Rows, cross_validate
from pipeline.training.shared_trees import Sharing
from stages.train import fit
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


def test_budgets_are_rows_and_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    """All settings compete on the sample with few trees, then a third of them with more; the family's finalists are
    fitted to all rows, with each number of trees. Without a sample, the last third has all trees."""
    fits = []

    def noting(tried: list, make: MakePipeline, sharing: Sharing, rows: Rows, *others: Any) -> np.ndarray:
        fits.append((len(rows.target), {each["n_estimators"] for each in tried}, len(sharing.groups(tried))))
        return cross_validate(tried, make, sharing, rows, *others)

    monkeypatch.setattr("pipeline.training.competition.cross_validate", noting)
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
