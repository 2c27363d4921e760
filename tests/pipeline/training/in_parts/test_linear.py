"""Linear models from sums over parts: scikit-learn's coefficients, whatever the parts."""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline

from pipeline.contract.errors import PipelineError
from pipeline.contract.schema import Schema
from pipeline.distributed.executor import Executor
from pipeline.tables import parquet, splitting
from pipeline.tables.feature_matrix import to_matrix
from pipeline.training import families
from pipeline.training.in_parts import column_statistics
from pipeline.training.in_parts.learner import TrainingParts
from pipeline.training.in_parts.linear import Linear
from tests.pipeline.training.homes import HOMES, homes

PLAIN = HOMES.excluding(("sold",))  # without the date


def training_rows(n: int, missing: float) -> pd.DataFrame:
    return homes(n, missing)[1].reset_index(drop=True)


def cut(table: pd.DataFrame, folder: Path, parts: int) -> list[Path]:
    """The table as a folder of parts of unequal sizes."""
    edges = np.sort(np.random.default_rng(parts).integers(0, len(table), parts - 1))
    for number, places in enumerate(np.split(np.arange(len(table)), edges)):
        parquet.write(table.iloc[places], folder / parquet.part_name(number))
    return parquet.parts(folder)


def linear(table: pd.DataFrame, folder: Path, parts: int, family: str, schema: Schema = HOMES) -> Linear:
    read = TrainingParts(Executor(), cut(table, folder, parts), schema)
    make = partial(families.numeric_pipeline, schema, family, 0)
    return Linear(family, read, column_statistics.gather(read.run, read.files, read.schema), make)


def fits(learner: Linear, settings: dict, indicators: tuple[int, ...]) -> list[Pipeline]:
    """The fit of each split, and last that of all rows."""
    return [learner.fit(settings, indicators, n) for n in range(len(learner.statistics.splits) + 1)]


@pytest.mark.parametrize(("missing", "indicators"), [(0, ()), (0.07, ()), (0.07, (0, 1, 2, 3))])
@pytest.mark.parametrize(("family", "settings"), [("linear", {}), ("ridge", {"alpha": 0.1}), ("ridge", {"alpha": 100})])
@pytest.mark.parametrize("schema", [PLAIN, HOMES])
def test_coefficients_are_scikit_learns(
    tmp_path: Path, family: str, settings: dict, indicators: tuple[int, ...], missing: float, schema: Schema
) -> None:
    """Fits of every fold and of all rows have scikit-learn's imputation to the bit, and its scaling, coefficients and
    intercept to 1e-8, with categories and missing values."""
    table = training_rows(5000, missing)
    learner = linear(table, tmp_path, 3, family, schema)
    matrix, target = to_matrix(table, schema.features), table["price"].to_numpy(float)
    splits = splitting.splits(table["fold"].to_numpy(), schema)
    make = partial(families.numeric_pipeline, schema, family, 0, indicators=indicators)
    for mine, train in zip(
        fits(learner, settings, indicators), [t for t, _ in splits] + [np.arange(len(table))], strict=True
    ):
        theirs = make(settings).fit(matrix[train], target[train])
        for kind in ("numbers", "booleans", "categories"):
            steps, wanted = (p[0].named_transformers_[kind] for p in (mine, theirs))
            assert np.array_equal(steps[0].statistics_, wanted[0].statistics_)
            if kind != "categories":
                np.testing.assert_allclose(steps[1].mean_, wanted[1].mean_, rtol=1e-12)
                np.testing.assert_allclose(steps[1].var_, wanted[1].var_, rtol=1e-9)
        size = np.abs(theirs[-1].regressor_.coef_).max()
        assert np.abs(mine[-1].regressor_.coef_ - theirs[-1].regressor_.coef_).max() < 1e-8 * size
        intercepts = [each[-1].regressor_.intercept_ + each[-1].transformer_.offset_ for each in (mine, theirs)]
        assert intercepts[0] == pytest.approx(intercepts[1], rel=1e-8)
        if schema is PLAIN:  # the parts of a date are nearly collinear, so that large coefficients cancel
            assert mine.predict(matrix) == pytest.approx(theirs.predict(matrix), rel=1e-8)


def test_the_number_of_parts_changes_no_coefficient(tmp_path: Path) -> None:
    """The fits of 1, 3 and 7 parts have the same coefficients to 1e-10."""
    table = training_rows(3000, 0.05)
    found = [fits(linear(table, tmp_path / str(n), n, "ridge"), {"alpha": 1.0}, (0, 3)) for n in (1, 3, 7)]
    for other in found[1:]:
        for one, same in zip(found[0], other, strict=True):
            np.testing.assert_allclose(
                same[-1].regressor_.coef_, one[-1].regressor_.coef_, atol=1e-10 * np.abs(one[-1].regressor_.coef_).max()
            )


def test_a_column_without_a_value_or_a_difference_is_harmless(tmp_path: Path) -> None:
    """A feature that is always missing, or always the same, has no say, as in scikit-learn."""
    table = training_rows(500, 0.05)
    table["area"], table["rooms"] = np.nan, 3.0
    mine = fits(linear(table, tmp_path, 2, "linear"), {}, ())[-1]
    matrix, target = to_matrix(table, HOMES.features), table["price"].to_numpy(float)
    theirs = families.numeric_pipeline(HOMES, "linear", 0, {}).fit(matrix, target)
    assert mine.predict(matrix) == pytest.approx(theirs.predict(matrix), rel=1e-8)
    assert mine[-1].regressor_.rank_ == theirs[-1].regressor_.rank_


def test_settings_that_sums_cannot_follow_are_refused(tmp_path: Path) -> None:
    """A setting of the model that needs the rows is an error that names the way out."""
    learner = linear(training_rows(300, 0), tmp_path, 2, "linear")
    with pytest.raises(PipelineError, match="'positive' of a linear model needs the rows in memory"):
        learner.fit({"positive": True}, (), 0)
