"""The settings that a search tries."""

from pipeline.contract import params
from pipeline.training import families
from pipeline.training.space import candidates, combinations
from tests.conftest import ROOT
from tests.pipeline.training.homes import HOMES


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


def test_every_family_of_the_shipped_parameters_exists() -> None:
    """Each grid of params.yaml names parameters that its family's model has."""
    for family, grid in params.load("train", ROOT / "params.yaml").families.items():
        for settings in candidates(grid, 24, 0):
            families.numeric_pipeline(HOMES, family, 0, settings)
