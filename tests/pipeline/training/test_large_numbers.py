"""Numbers that float32 would merge, and targets with bounds: the fit and its served form agree, and are right."""

from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pytest

from pipeline.contract.column import Column
from pipeline.contract.onnx_model import Model
from pipeline.contract.params import Clean
from pipeline.contract.schema import Schema
from pipeline.distributed.executor import Executor
from pipeline.tables.feature_matrix import to_matrix
from pipeline.tables.splitting import TEST
from pipeline.training.in_parts import column_statistics
from pipeline.training.offsets import Offset, offset
from pipeline.training.onnx_export import describe_training, served_form
from stages.clean import clean
from stages.train import fit
from tests.pipeline.training.homes import GRIDS, HOMES, LIMITS, PARAMS, homes
from tests.pipeline.training.in_parts.test_linear import cut
from tests.tables import make_schema

DATES = make_schema(Column("sold", "int", nullable=True), Column("size", "float"), Column("price", "float", "target"))


def dates(n: int = 1500) -> pd.DataFrame:
    """Homes sold in the days of two months, written YYYYMMDD: on odd days for 100 more."""
    generator = np.random.default_rng(2)
    day, month = generator.integers(1, 29, n), generator.integers(1, 3, n)
    price = 100 * (day % 2) + 3 * day + generator.normal(0, 25, n)
    return pd.DataFrame({"sold": 20240000 + 100 * month + day, "size": generator.normal(size=n), "price": price})


def served(raw: pd.DataFrame, schema: Schema, family: str) -> tuple[pd.DataFrame, np.ndarray, np.ndarray, Model]:
    """The test rows, what the fit predicts for them, what the file does [rows, 3], and the model of the file."""
    table = clean(raw, schema, Clean(1, 0.3, 4, 0)).table
    training, test = table[table["fold"] != TEST], table[table["fold"] == TEST]
    pipeline, record = fit(table, schema, PARAMS, family)
    described = describe_training(training[schema.target.name].to_numpy(float), "sha", record.cv_rmse)
    file = served_form(pipeline, record, training, schema, described, 0.8, LIMITS)
    model = Model(file.content, "a test's model")
    model.verify()
    return test, pipeline.predict(test), model.predict(to_matrix(test, schema.features)), model


def rmse(actual: pd.Series, predicted: np.ndarray) -> float:
    return float(np.sqrt(np.square(actual.to_numpy(float) - predicted).mean()))


@pytest.mark.parametrize("family", ["random_forest", "xgboost"])
def test_trees_tell_dates_apart(family: str) -> None:
    """Trees split whole numbers above 2^24 as they split the same numbers less 20,240,000, which float32 holds."""
    params = msgspec.structs.replace(PARAMS, families={**GRIDS, family: {**GRIDS[family], "n_estimators": [50]}})
    table = clean(dates(), DATES, Clean(1, 0.3, 4, 0)).table
    small = table.assign(sold=table["sold"] - 20240000)
    found, wanted = (fit(each, DATES, params, family)[1].cv_rmse for each in (table, small))
    assert found == pytest.approx(wanted, rel=0.03)
    assert found < 35


@pytest.mark.parametrize("family", GRIDS)
def test_dates_are_served_as_they_were_fitted(family: str) -> None:
    """No family stops on YYYYMMDD, and each file predicts what its fit predicts, an absent date included."""
    raw = dates()
    raw.loc[::10, "sold"] = np.nan
    _, fitted, answers, model = served(raw, DATES, family)
    assert np.abs(answers[:, 0] - fitted).max() < 1e-4 * raw["price"].std()
    assert 20240100 <= model.description.imputed["sold"] <= 20240300


@pytest.mark.parametrize("unit", [1, 60, 3600])
def test_unix_seconds_are_told_apart(unit: int) -> None:
    """A step in the middle of Unix seconds, a minute or an hour apart, is found where it is."""
    schema = make_schema(Column("at", "int"), Column("y", "float", "target"))
    seconds = 1_700_000_000 + unit * np.arange(200)
    raw = pd.DataFrame({"at": seconds, "y": 10.0 * (np.arange(200) % 100 >= 50) + np.arange(200) % 3})
    test, fitted, answers, _ = served(raw, schema, "random_forest")
    assert np.abs(answers[:, 0] - fitted).max() < 1e-4 * raw["y"].std()
    assert rmse(test["y"], answers[:, 0]) < 3


@pytest.mark.parametrize("family", GRIDS)
def test_a_target_far_from_zero_keeps_its_digits(family: str) -> None:
    """A target of 1e7 +- 1 is learned and served as well as the same target less 1e7; out of fold, too."""
    raw = pd.DataFrame({"a": np.linspace(-1, 1, 300)})
    raw["y"] = np.round(np.sin(2 * raw["a"]) + np.random.default_rng(0).normal(0, 0.05, 300), 4)
    schema = make_schema(Column("a", "float"), Column("y", "float", "target"))
    near = served(raw, schema, family)[2]
    test, fitted_far, far, _ = served(raw.assign(y=raw["y"] + 1e7), schema, family)
    assert np.abs(far[:, 0] - fitted_far).max() < 1e-4
    assert far - 1e7 == pytest.approx(near, abs=0.02)
    assert rmse(test["y"], far[:, 0]) < 0.4


def test_an_offset_is_learned_where_float32_merges() -> None:
    """The middle value is the offset of numbers that float32 merges; numbers that it keeps apart have none, and neither
    have numbers that lie as far apart as they are large."""
    assert offset(np.array([16_777_216.0, np.nan, 16_777_217, 16_777_218])) == 16_777_217
    assert offset(np.array([0.1, 0.2, 1e6, np.nan])) == 0
    assert offset(np.array([np.nan])) == 0
    assert offset(np.array([-1e300, 1e300, 1e-300])) == 0
    assert offset(np.array([0, 1e10, 1e10 + 1])) == 1e10


@pytest.mark.parametrize("family", ["random_forest", "xgboost"])
@pytest.mark.parametrize("scale", [2.0**-40, 2.0**-13, 2.0**100])
def test_trees_learn_a_target_in_any_unit(family: str, scale: float) -> None:
    """Trees predict a target in a unit that makes its numbers tiny or huge as they predict it in another unit, and so
    does the file."""
    raw = homes(400)[0].drop(columns=["fold", "row"])
    schema = make_schema(Column("area", "float", nullable=True), Column("price", "float", "target"))
    wanted, found = (served(raw.assign(price=raw["price"] * by), schema, family) for by in (1.0, scale))
    assert found[1] / scale == pytest.approx(wanted[1], abs=1e-3 * raw["price"].std())
    assert found[2] / scale == pytest.approx(wanted[2], abs=1e-3 * raw["price"].std())


def test_parts_learn_the_offsets_of_memory(tmp_path: Path) -> None:
    """On a table in parts each fit has the offsets that it has in memory, those of its own training rows."""
    training = clean(dates().assign(price=lambda t: t["price"] + 1e9), DATES, Clean(1, 0.3, 4, 0)).table
    training = training[training["fold"] != TEST]
    statistics = column_statistics.gather(Executor(), cut(training, tmp_path, 3), DATES)
    assert statistics.offsets.shape == (5, 3)
    for (train, _), learned in zip([*statistics.splits, (np.arange(4), None)], statistics.offsets, strict=True):
        rows = training[training["fold"].isin(train)]
        assert learned.tolist() == [offset(rows[name].to_numpy(float)) for name in ("sold", "size", "price")]
    assert (statistics.offsets[:, 1] == 0).all()
    assert (statistics.offsets[:, [0, 2]] > 2e7).all()


def test_other_columns_keep_their_values() -> None:
    """Homes whose numbers float32 holds are prepared and served without any offset."""
    prepared = fit(homes()[0], HOMES, PARAMS, "xgboost")[0].named_steps["prepare"].named_transformers_["numbers"]
    assert isinstance(prepared[-1], Offset)
    assert not prepared[-1].offset_.any()


@pytest.mark.parametrize("family", GRIDS)
def test_answers_stay_inside_the_bounds_of_the_target(family: str) -> None:
    """Prediction, lower and upper lie inside the target's bounds, where served and where judged: out of fold, too."""
    generator = np.random.default_rng(1)
    raw = pd.DataFrame({"a": generator.normal(size=400)})
    raw["y"] = generator.poisson(np.exp(2 * raw["a"])).clip(max=3).astype(float)
    schema = make_schema(Column("a", "float"), Column("y", "float", "target", min=0, max=3))
    _, fitted, answers, _ = served(raw, schema, family)
    assert answers.min() == 0
    assert answers.max() == 3
    assert np.abs(answers[:, 0] - fitted).max() < 1e-4
    assert (answers[:, 1] <= answers[:, 0]).all()
    assert (answers[:, 0] <= answers[:, 2]).all()
    out_of_fold = fit(clean(raw, schema, Clean(1, 0.3, 4, 0)).table, schema, PARAMS, family)[1].out_of_fold
    assert out_of_fold.min() >= 0
    assert out_of_fold.max() <= 3


def test_one_bound_alone() -> None:
    """With `min` alone nothing limits the upper end."""
    raw = pd.DataFrame({"a": np.linspace(0, 1, 200), "y": np.linspace(0, 1, 200)})
    schema = make_schema(Column("a", "float"), Column("y", "float", "target", min=0))
    *_, model = served(raw, schema, "linear")
    answers = model.predict(np.array([[-1e6], [1e6]]))
    assert answers[0] == pytest.approx([0, 0, 0], abs=1e-9)
    assert answers[1, 0] == pytest.approx(1e6)
