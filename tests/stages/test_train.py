"""Fitting one family: no leakage, nothing learned from the test split, and errors that name what is wrong."""

import shutil

import joblib
import msgspec
import numpy as np
import pytest

from pipeline.contract.columns import positions
from pipeline.contract.errors import PipelineError
from pipeline.tables.feature_matrix import to_matrix
from pipeline.tables.splitting import TEST
from pipeline.training import families
from pipeline.training.space import combinations
from stages.train import fit
from tests.pipeline.training.homes import GRIDS, HOMES, PARAMS, homes, serve, with_grid


@pytest.mark.parametrize("family", GRIDS)
def test_a_fit_predicts_from_a_table(family: str) -> None:
    """A fit predicts from the schema's feature columns, missing cells included, far better than a constant."""
    table, _ = homes()
    pipeline, record = fit(table, HOMES, PARAMS, family)
    test = table[table["fold"] == TEST].drop(columns=["price", "fold", "row"])
    predicted = pipeline.predict(test)
    assert predicted.shape == (len(test),)
    assert np.isfinite(predicted).all()
    assert record.cv_rmse < 0.5 * table["price"].std()
    assert record.tried == len(combinations(GRIDS[family]))


@pytest.mark.parametrize("family", GRIDS)
def test_the_test_split_teaches_nothing(family: str) -> None:
    """With other values in every row of the test split, or without these rows, the fit is the same to the byte."""
    table, training = homes()
    spoilt = table.copy()
    spoilt.loc[spoilt["fold"] == TEST, ["area", "price"]] = 1e6
    hashes = {joblib.hash(fit(t, HOMES, PARAMS, family)[0].predict(training)) for t in (table, spoilt, training)}
    assert len(hashes) == 1


def test_a_fold_is_predicted_without_itself() -> None:
    """Out-of-fold predictions of a fold do not change with that fold's targets, not even through imputation."""
    training = homes()[1].reset_index(drop=True)
    ridge = with_grid("ridge", {"alpha": [1.0]})
    held = (training["fold"] == 0).to_numpy()
    spoilt = training.copy()
    spoilt.loc[held, "price"] += 100
    before, after = (fit(t, HOMES, ridge, "ridge")[1].out_of_fold for t in (training, spoilt))
    assert np.array_equal(before[held], after[held])
    assert not np.array_equal(before[~held], after[~held])


@pytest.mark.parametrize("family", ["ridge", "xgboost"])
def test_indicators_are_used_where_they_help(family: str) -> None:
    """A model that is more accurate with them gets missing indicators, and so does its served form; where nothing is
    missing there are none."""
    table, _ = homes()
    table.loc[table["area"].isna(), "price"] += 500
    training = table[table["fold"] != TEST]
    pipeline, record = fit(table, HOMES, PARAMS, family)
    assert record.indicators == (0, 1, 2, 8, 9)  # a date, of which one column stands for all, is at 2
    _, model = serve(pipeline, record, training)
    served = model.predict(to_matrix(training, HOMES.features))[:, 0]
    assert np.abs(served - pipeline.predict(training)).max() < 1e-4 * training["price"].std()
    known = training.assign(area=training["area"].fillna(training["area"].median()))
    effect = pipeline.predict(training) - pipeline.predict(known)
    assert effect[training["area"].isna()].mean() > 200
    assert fit(table.dropna(), HOMES, PARAMS, family)[1].indicators == ()


@pytest.mark.parametrize(
    ("grids", "family", "said"),
    [
        ({"ridge": {"alhpa": [1]}}, "ridge", r"unknown setting 'alhpa' \(did you mean 'alpha'\?\)"),
        ({"rigde": {}}, "rigde", r"unknown family 'rigde' \(did you mean 'ridge'\?\)"),
        ({"ridge": {"alpha": [-1]}}, "ridge", r"train.families.ridge: {'alpha': -1} cannot be fitted: The 'alpha'"),
        ({"random_forest": {"n_estimators": [None]}}, "random_forest", "None} cannot be fitted: The 'n_estimators'"),
        ({"xgboost": {"max_depth": [-4]}}, "xgboost", r"train.families.xgboost: {'max_depth': -4} cannot be fitted"),
        ({"xgboost": {"n_estimators": [0]}}, "xgboost", "'n_estimators': 0} cannot be fitted: n_estimators == 0"),
        ({"gaussian_process": {"max_rows": [-5]}}, "gaussian_process", "max_rows == -5, must be >= 1"),
        ({"gaussian_process": {"max_rows": ["all"]}}, "gaussian_process", "max_rows must be an instance of int"),
        ({"gaussian_process": {"log_target": ["no"]}}, "gaussian_process", "log_target must be an instance of bool"),
        ({"ridge": {"alpha": [1]}}, "linear", "train.families has no 'linear'; it has ridge"),
    ],
)
def test_a_wrong_family_or_setting_is_named(grids: dict, family: str, said: str) -> None:
    """A family or setting that does not exist is named, with the nearest one."""
    with pytest.raises(PipelineError, match=said):
        fit(homes()[0], HOMES, msgspec.structs.replace(PARAMS, families=grids), family)


def test_trees_see_codes() -> None:
    """Trees get one column for each feature, with the code of a category in it; linear models one for each category."""
    whole = homes(missing=0)[0]
    matrix = to_matrix(whole, HOMES.features)
    widths = {family: fit(whole, HOMES, PARAMS, family)[0][1].transform(matrix).shape[1] for family in GRIDS}
    assert widths == {"linear": 13, "ridge": 13, "gaussian_process": 13, "random_forest": 11, "xgboost": 11}
    table, training = homes()
    matrix = to_matrix(training, HOMES.features)
    street = fit(table, HOMES, PARAMS, "xgboost")[0][1].transform(matrix)[:, 10]  # behind ten numbers and booleans
    codes = matrix[:, positions(HOMES.features)["street"][0]]
    known = ~np.isnan(codes)
    assert np.array_equal(street[known], codes[known])
    assert (street[~known] == np.bincount(codes[known].astype(int)).argmax()).all()


def test_an_unknown_category_is_refused() -> None:
    """A fitted pipeline refuses a category that its schema does not have, instead of imputing it."""
    table, _ = homes()
    pipeline, _ = fit(table, HOMES, PARAMS, "linear")
    with pytest.raises(PipelineError, match=r"column street: expected one of .*, found 'west'"):
        pipeline.predict(table.head(2).assign(street="west"))


def test_a_gpu_that_is_not_there_is_named() -> None:
    """`train.device: cuda` reaches xgboost, and no other model; without a GPU it is an error for xgboost, not a silent
    CPU, and other families train as ever."""
    table, _ = homes()
    models = {f: families.numeric_pipeline(HOMES, f, 1, {}, device="cuda")[-1].regressor.get_params() for f in GRIDS}
    assert {family for family, settings in models.items() if settings.get("device") == "cuda"} == {"xgboost"}
    for family in ("linear", "random_forest"):
        fit(table, HOMES, with_grid(family, GRIDS[family], device="cuda"), family)
    if shutil.which("nvidia-smi"):
        pytest.skip("this machine may have a GPU")
    with pytest.raises(PipelineError, match=r"train\.device is cuda, but xgboost finds no GPU here"):
        fit(table, HOMES, with_grid("xgboost", GRIDS["xgboost"], device="cuda"), "xgboost")
