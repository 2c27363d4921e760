"""The gate's second evidence: repeated cross-validation, corrected."""

import numpy as np
import pandas as pd
import pytest

from pipeline.contract.column import Column
from pipeline.contract.description import Member
from pipeline.gate import repeated_cv
from pipeline.training import families
from pipeline.training.recipe import Recipe
from tests.tables import make_schema


def test_the_corrected_interval_by_hand() -> None:
    """Nadeau and Bengio's standard error of the mean over five folds of 20 rows, 80 of which train."""
    generator = np.random.default_rng(0)
    champion, challenger = generator.exponential(size=(2, 100))
    held = np.arange(100).reshape(5, 20)
    splits = [(np.setdiff1d(np.arange(100), fold), fold) for fold in held]
    champion, challenger = champion.reshape(5, 20).mean(1), challenger.reshape(5, 20).mean(1)
    _, low, high = repeated_cv.corrected(champion, challenger, splits)
    ratios = np.log(challenger / champion) / 2
    error = np.sqrt((1 / 5 + 20 / 80) * ratios.var(ddof=1))
    # 2.776: the 97.5 % quantile of t with 4 degrees of freedom.
    assert np.log1p(high) == pytest.approx(ratios.mean() + 2.7764 * error, rel=1e-4)
    assert np.log1p(low) == pytest.approx(ratios.mean() - 2.7764 * error, rel=1e-4)


def test_cross_validation_is_repeated_on_folds_drawn_anew() -> None:
    """Each repetition holds every row once, in other company than before; with a time there is one repetition."""
    generator = np.random.default_rng(0)
    table = pd.DataFrame({"a": generator.normal(size=200), "t": np.arange(200.0), "fold": np.arange(200) % 5})
    splits = repeated_cv.repeated(table, make_schema(Column("a", "float")))
    assert len(splits) == 5 * repeated_cv.REPEATS
    repetitions = [splits[start : start + 5] for start in range(0, len(splits), 5)]
    for repetition in repetitions:
        assert sorted(np.concatenate([held for _, held in repetition])) == list(range(200))
        assert all(len(np.intersect1d(train, held)) == 0 for train, held in repetition)
    assert len({held.tobytes() for _, held in splits}) == len(splits)
    assert len(repeated_cv.repeated(table, make_schema(Column("a", "float"), Column("t", "float", "time")))) == 4


@pytest.mark.parametrize("indicators", [(), (1,), (2, 0), (0, 1, 2)])
def test_models_are_fitted_again_with_their_missing_indicators(indicators: tuple[int, ...]) -> None:
    """A recipe has the missing indicators of its model: its errors are those of the same pipeline."""
    schema = make_schema(*(Column(name, "float") for name in "abc"), Column("y", "float", "target"))
    generator = np.random.default_rng(0)
    matrix = np.where(generator.random((60, 3)) < 0.2, np.nan, generator.integers(0, 2, (60, 3)))
    target = np.isnan(matrix).sum(axis=1) + generator.normal(0, 0.1, 60)
    fitted = families.numeric_pipeline(schema, "ridge", 0, {"alpha": 2}, indicators).fit(matrix, target)
    found = Recipe(schema, (Member("ridge", {"alpha": 2}, indicators),))
    table = pd.DataFrame(matrix, columns=["a", "b", "c"]).assign(y=target)
    splits = [(np.arange(40), np.arange(40, 60))]
    again = fitted.fit(matrix[:40], target[:40]).predict(matrix[40:])
    assert repeated_cv.errors(found, table, splits)[0] == pytest.approx(np.square(again - target[40:]).mean(), rel=1e-9)


def test_members_are_fitted_again_with_their_weights() -> None:
    """The model of a recipe with several members predicts the weighted mean of their predictions."""
    schema = make_schema(Column("a", "float"), Column("y", "float", "target"))
    generator = np.random.default_rng(0)
    matrix = generator.normal(size=(50, 1))
    target = matrix[:, 0] + generator.normal(0, 0.1, 50)
    settings = [{"alpha": 0.1}, {"alpha": 1000}]
    members = tuple(Member("ridge", each, (), weight) for each, weight in zip(settings, (0.75, 0.25), strict=True))
    parts = [
        families.numeric_pipeline(schema, "ridge", 0, each).fit(matrix, target).predict(matrix) for each in settings
    ]
    blended = Recipe(schema, members).model(0).fit(matrix, target).predict(matrix)
    assert blended == pytest.approx(0.75 * parts[0] + 0.25 * parts[1], rel=1e-12)
