"""Budgets: what is tried on a large or wide table is less, and of a small one nothing changes."""

from typing import Any

import numpy as np
import pytest

from pipeline.tables.splitting import splits
from pipeline.training import budgets
from pipeline.training.cross_validation import MakePipeline, Rows, cross_validate
from pipeline.training.shared_trees import Sharing
from stages.train import fit
from tests.pipeline.training.homes import HOMES, PARAMS, homes, with_grid

SHIPPED = 405, 13  # training rows and columns of the shipped table


def rows_of(count: int, columns: int) -> Rows:
    fold = np.arange(count) % 5
    return Rows(np.zeros((count, columns)), np.arange(count, dtype=float), splits(fold, HOMES))


@pytest.mark.parametrize(("count", "folds"), [(405, 5), (1_000, 5), (2_000, 2), (10_000, 1)])
def test_settings_are_compared_on_some_folds(count: int, folds: int) -> None:
    """The folds together hold at most the wanted number of rows, but one always is compared on; no fold is lost."""
    rows = rows_of(count, 3)
    compared, others = budgets.divide(rows, budgets.LOOK_ROWS)
    assert len(compared.splits) == folds
    assert [*others.splits, *compared.splits] == rows.splits


def test_budgets_leave_the_shipped_table_alone() -> None:
    """No budget binds on a table of 405 rows and 13 columns with the shipped grids."""
    rows = rows_of(*SHIPPED)
    assert not budgets.divide(rows, budgets.LOOK_ROWS).others.splits
    assert budgets.trees(rows.matrix.shape, 10_000) > 400


def test_budgets_bind_on_wide_and_on_long_tables() -> None:
    """A forest has fewer trees in a fold of a wide table, and equally many where trees draw equally many rows."""
    assert 1 <= budgets.trees((2_000, 80), 10_000) < 100
    assert budgets.trees((20_000, 9), 10_000) == budgets.trees((40_000, 9), 10_000)
    assert budgets.trees((50, 10), 10**9) > 1


def test_only_the_best_setting_is_fitted_in_all_folds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a table with more rows than settings are compared on, the winner alone is fitted in the other folds, and each
    row has a prediction of a model that has not seen it."""
    fits = []

    def noting(tried: list, make: MakePipeline, sharing: Sharing, rows: Rows, *others: Any) -> np.ndarray:
        fits.append((len(tried), len(rows.splits)))
        return cross_validate(tried, make, sharing, rows, *others)

    table, training = homes(missing=0)
    held = training["fold"].value_counts().max()
    monkeypatch.setattr("pipeline.training.competition.cross_validate", noting)
    monkeypatch.setattr(budgets, "COMPARED_ROWS", int(held))
    _, record = fit(table, HOMES, with_grid("ridge", {"alpha": [0.1, 10.0]}), "ridge")
    assert fits == [(2, 1), (1, 3)]
    assert np.isfinite(record.out_of_fold).all()
    one = fit(table, HOMES, with_grid("ridge", {"alpha": [record.settings["alpha"]]}), "ridge")[1]
    assert np.array_equal(record.out_of_fold, one.out_of_fold)


def test_a_setting_that_diverges_in_another_fold_loses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the best setting diverges in a fold that settings were not compared on, the next best one is taken."""
    table, training = homes(missing=0)
    monkeypatch.setattr(budgets, "COMPARED_ROWS", 1)
    # One value at 0, held by the fold that is compared on: the models of the other folds learn from it.
    last = training.index[training["fold"] == 3][0]
    table = table.assign(price=np.exp(table["price"] / 50).where(table.index != last, 0.0))
    _, record = fit(table, HOMES, PARAMS, "gaussian_process")
    assert record.settings["log_target"] is False
    assert [each["log_target"] for each in record.diverged] == [True]
    assert np.isfinite(record.out_of_fold).all()


def test_a_forest_of_a_large_table_has_fewer_trees_in_the_folds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Out of fold a forest has the trees of its budget; the model has those of its settings."""
    table, training = homes(missing=0)
    grid = {"n_estimators": [6], "min_samples_leaf": [3]}
    few = fit(table, HOMES, with_grid("random_forest", {**grid, "n_estimators": [2]}), "random_forest")[1]
    monkeypatch.setattr(budgets, "FOREST_CELLS", 2 * Rows.of(training, HOMES).matrix.size)
    pipeline, record = fit(table, HOMES, with_grid("random_forest", grid), "random_forest")
    assert np.array_equal(record.out_of_fold, few.out_of_fold)
    assert record.settings["n_estimators"] == len(pipeline[-1].regressor_.estimators_) == 6
