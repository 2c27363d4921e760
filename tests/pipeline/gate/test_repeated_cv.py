"""Both recipes fitted again on folds of their own."""

import msgspec
import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import LinearRegression, Ridge

from pipeline.contract import paths
from pipeline.contract.column import Column
from pipeline.contract.description import Member
from pipeline.contract.errors import PipelineError
from pipeline.contract.onnx_model import Model
from pipeline.gate import repeated_cv
from pipeline.gate.champion import find_champion
from pipeline.gate.out_of_fold import OutOfFold
from pipeline.gate.repeated_cv import NoEvidenceError
from pipeline.tables import parquet
from pipeline.training import families, space
from pipeline.training.recipe import Recipe
from tests.conftest import SMALL_GRIDS, Project
from tests.tables import make_schema

A_AND_Y = make_schema(Column("a", "float"), Column("y", "float", "target"))


def test_cross_validation_is_repeated_on_folds_drawn_anew() -> None:
    """Each repetition holds every row once, in other company than before and than in the table's own folds; with a time
    there is one repetition, by the table's folds."""
    generator = np.random.default_rng(0)
    table = pd.DataFrame({"a": generator.normal(size=200), "t": np.arange(200.0), "fold": np.arange(200) % 5})
    repetitions = repeated_cv.repeated(table, make_schema(Column("a", "float")))
    assert [len(splits) for splits in repetitions] == [repeated_cv.FOLDS] * repeated_cv.REPEATS
    for splits in repetitions:
        assert sorted(np.concatenate([held for _, held in splits])) == list(range(200))
        assert all(len(np.intersect1d(train, held)) == 0 for train, held in splits)
    own = [np.flatnonzero(table["fold"] == fold).tobytes() for fold in range(5)]
    drawn = [held.tobytes() for splits in repetitions for _, held in splits]
    assert len({*drawn, *own}) == len(drawn) + len(own)
    [forward] = repeated_cv.repeated(table, make_schema(Column("a", "float"), Column("t", "float", "time")))
    assert [held.tobytes() for _, held in forward] == own[1:]


def test_a_large_table_is_cross_validated_once() -> None:
    """More than FEW training rows have one repetition."""
    rows = repeated_cv.FEW + 1
    table = pd.DataFrame({"a": np.arange(float(rows)), "fold": np.arange(rows) % 5})
    assert len(repeated_cv.repeated(table, make_schema(Column("a", "float")))) == 1


def test_the_errors_of_a_row_are_averaged_over_the_repetitions() -> None:
    """Each repetition fits an estimator of its own; a row that no split holds out has no error."""

    class Constant(RegressorMixin, BaseEstimator):
        def __init__(self, value: float) -> None:
            self.value = value

        def fit(self, x: np.ndarray, y: np.ndarray) -> "Constant":
            return self

        def predict(self, x: np.ndarray) -> np.ndarray:
            return np.full(len(x), self.value)

    train, first, second = np.array([0]), np.array([1, 2]), np.array([2])
    found = repeated_cv.squared_errors(
        [Constant(1), Constant(3)], np.zeros((4, 1)), np.zeros(4), [[(train, first)], [(train, second)]]
    )
    assert found.tolist()[1:3] == [1, 5]
    assert np.isnan(found[[0, 3]]).all()


def test_fits_side_by_side_do_not_mix() -> None:
    """The estimator of a repetition is fitted to several folds at a time, each in a copy."""
    generator = np.random.default_rng(1)
    matrix, fold = generator.normal(size=(300, 3)), np.arange(300) % 30
    target = matrix @ [1, 2, 3] + generator.normal(size=300)
    splits = [(np.flatnonzero(fold != each), np.flatnonzero(fold == each)) for each in range(30)]
    found = repeated_cv.squared_errors([LinearRegression()], matrix, target, [splits])
    for train, held in splits:
        again = LinearRegression().fit(matrix[train], target[train]).predict(matrix[held])
        assert found[held] == pytest.approx(np.square(again - target[held]))


@pytest.mark.parametrize("indicators", [(), (1,), (2, 0), (0, 1, 2)])
def test_models_are_fitted_again_with_their_missing_indicators(indicators: tuple[int, ...]) -> None:
    """A recipe has the missing indicators of its model: its errors are those of the same pipeline."""
    schema = make_schema(*(Column(name, "float") for name in "abc"), Column("y", "float", "target"))
    generator = np.random.default_rng(0)
    matrix = np.where(generator.random((60, 3)) < 0.2, np.nan, generator.integers(0, 2, (60, 3)))
    target = np.isnan(matrix).sum(axis=1) + generator.normal(0, 0.1, 60)
    fitted = families.numeric_pipeline(schema, "ridge", 0, {"alpha": 2}, indicators).fit(matrix[:40], target[:40])
    model = Recipe(schema, (Member("ridge", {"alpha": 2}, indicators),)).model(0)
    found = repeated_cv.squared_errors([model], matrix, target, [[(np.arange(40), np.arange(40, 60))]])
    assert found[40:] == pytest.approx(np.square(fitted.predict(matrix[40:]) - target[40:]), rel=1e-9)


def test_members_are_fitted_again_with_their_weights() -> None:
    """The model of a recipe with several members predicts the weighted mean of their predictions."""
    generator = np.random.default_rng(0)
    matrix = generator.normal(size=(50, 1))
    target = matrix[:, 0] + generator.normal(0, 0.1, 50)
    settings = [{"alpha": 0.1}, {"alpha": 1000}]
    members = tuple(Member("ridge", each, (), weight) for each, weight in zip(settings, (0.75, 0.25), strict=True))
    parts = [
        families.numeric_pipeline(A_AND_Y, "ridge", 0, each).fit(matrix, target).predict(matrix) for each in settings
    ]
    blended = Recipe(A_AND_Y, members).model(0).fit(matrix, target).predict(matrix)
    assert blended == pytest.approx(0.75 * parts[0] + 0.25 * parts[1], rel=1e-12)


def test_the_same_question_is_answered_from_the_cache(challenged: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both recipes are fitted once; asked again, none is; where a file of the cache is damaged, its recipe alone. The
    errors are those of the training rows, and the settings that each model was chosen from are counted."""
    monkeypatch.chdir(challenged.folder)
    fitted = []
    fit = repeated_cv.squared_errors
    monkeypatch.setattr(repeated_cv, "squared_errors", lambda *given: fitted.append(1) or fit(*given))
    first = asked()
    assert first.squared.shape == (len(parquet.read(paths.TRAIN)), 2)
    assert first.squared[:, 0].mean() > first.squared[:, 1].mean()
    assert first.settings == (1, space.settings_tried(SMALL_GRIDS, 24))
    assert len(fitted) == 2
    assert np.array_equal(asked().squared, first.squared)
    assert len(fitted) == 2
    path = next(iter(repeated_cv.CACHE.iterdir()))
    path.write_bytes(b"half")
    assert np.array_equal(asked().squared, first.squared)
    assert len(fitted) == 3
    for other in (np.zeros(3), np.full(len(first.squared), "a")):  # readable, but no error for each row
        np.save(path, other)
        assert np.array_equal(asked().squared, first.squared)
    assert len(fitted) == 5


def test_what_cross_validation_cannot_tell(challenged: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Models that learned from other rows, the same recipe twice, folds that hold no row out, and a table whose test
    split is large enough have no errors out of fold; the reason is said."""
    monkeypatch.chdir(challenged.folder)
    challenger, champion = Model.load(paths.MODEL), find_champion("HEAD", lambda schema, name: None)
    assert champion
    twin = champion._replace(content=paths.MODEL.read_bytes(), model=challenger)
    with pytest.raises(NoEvidenceError, match="both models have the same settings and features"):
        repeated_cv.errors(twin, challenger)
    about = champion.model.description
    other = msgspec.structs.replace(about, training=msgspec.structs.replace(about.training, sha256="other"))
    monkeypatch.setattr(champion.model, "description", other)
    with pytest.raises(NoEvidenceError, match="two training files"):
        repeated_cv.errors(champion, challenger)
    monkeypatch.setattr(champion.model, "description", about)
    with monkeypatch.context() as patch:
        patch.setattr(repeated_cv, "_of_recipe", lambda recipe, table, *_: np.full(len(table), np.nan))
        with pytest.raises(NoEvidenceError, match="no training row"):
            repeated_cv.errors(champion, challenger)
    monkeypatch.setattr(repeated_cv, "MOST", 10)
    with pytest.raises(NoEvidenceError, match="more than 10 training rows"):
        repeated_cv.errors(champion, challenger)
    monkeypatch.setattr(repeated_cv, "MOST", 10_000)
    paths.TRAIN.write_bytes(b"PAR1 half")  # unreadable is no reason to go on without
    with pytest.raises(PipelineError, match=r"train\.parquet"):
        repeated_cv.errors(champion, challenger)


def test_a_forest_has_no_more_trees_than_in_training() -> None:
    """Forests of a recipe are cut to a number of trees, boosted trees are not."""
    members = (Member("random_forest", {"n_estimators": 400}, ()), Member("xgboost", {"n_estimators": 400}, ()))
    found = Recipe(A_AND_Y, members).with_trees(72)
    assert [member.settings["n_estimators"] for member in found.members] == [72, 400]


def test_a_recipe_that_cannot_be_fitted_is_named() -> None:
    """What a model refuses is a reason, not a traceback."""
    with pytest.raises(PipelineError, match=r"cannot be fitted again: .*alpha"):
        repeated_cv.squared_errors(
            [Ridge(alpha=-1)], np.ones((4, 1)), np.arange(4.0), [[(np.array([0, 1]), np.array([2, 3]))]]
        )


def asked() -> OutOfFold:
    champion = find_champion("HEAD", lambda schema, name: None)
    assert champion
    return repeated_cv.errors(champion, Model.load(paths.MODEL))
