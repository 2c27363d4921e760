"""Fitting: no leakage, nothing learned from the test split, and a served form that answers as the fit does."""

import shutil
from functools import partial

import joblib
import msgspec
import numpy as np
import onnxruntime
import pandas as pd
import pytest

from pipeline.contract.errors import PipelineError
from pipeline.contract.onnx_model import Model
from pipeline.contract.params import Clean, Select, Train
from pipeline.contract.schema import Column, Schema
from pipeline.tables import splitting
from pipeline.tables.feature_matrix import to_matrix
from pipeline.tables.splitting import TEST
from pipeline.training import families, parity, shared_trees
from pipeline.training.conformal import HalfWidth, half_width
from pipeline.training.cross_validation import cross_validate
from pipeline.training.onnx_converters import to_onnx
from pipeline.training.onnx_export import served_form
from pipeline.training.search import combinations
from stages import select
from stages.clean import clean
from stages.train import fit
from tests.pipeline.training.in_parts import test_moments
from tests.tables import make_schema

GRIDS = {
    "linear": {},
    "ridge": {"alpha": [0.1, 10.0]},
    "random_forest": {"n_estimators": [5], "min_samples_leaf": [1, 30]},
    "xgboost": {"n_estimators": [20], "max_depth": [3]},
    "xgboost_forest": {"n_estimators": [20], "max_depth": [6]},
}
PARAMS = Train(seed=1, interval_level=0.8, max_leaves=100_000, device="cpu", families=GRIDS)
LIMITS = Select(rule="min", onnx_tolerance=1e-4, max_model_mb=5, reference_rows=10)
HOMES = make_schema(
    Column("area", "float", nullable=True),
    Column("rooms", "int", nullable=True),
    Column("garden", "bool", nullable=True),
    Column("street", "category", categories=("north", "south", "east"), nullable=True),
    Column("price", "float", role="target"),
)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    generator = np.random.default_rng(5)
    n = 300
    raw = pd.DataFrame(
        {
            "area": generator.uniform(20, 200, n),
            "rooms": generator.integers(1, 8, n).astype(float),
            "garden": generator.integers(0, 2, n).astype(float),
            "street": generator.choice(["north", "south", "east"], n),
        }
    )
    effect = raw["street"].map({"north": 0, "south": 40, "east": -20})
    raw["price"] = 2 * raw["area"] + 10 * raw["rooms"] + 30 * raw["garden"] + effect + generator.normal(0, 5, n)
    for name in ("area", "rooms", "garden", "street"):
        raw.loc[generator.random(n) < 0.05, name] = None
    return clean(raw, HOMES, Clean(min_rows=1, test_fraction=0.2, folds=4, max_rejected_fraction=0)).table


@pytest.mark.parametrize("family", GRIDS)
def test_a_fit_predicts_from_a_table(table: pd.DataFrame, family: str) -> None:
    """A fit predicts from the schema's feature columns, missing cells included, far better than a constant."""
    pipeline, record = fit(table, HOMES, PARAMS, family)
    test = table[table["fold"] == TEST].drop(columns=["price", "fold", "row"])
    predicted = pipeline.predict(test)
    assert predicted.shape == (len(test),)
    assert np.isfinite(predicted).all()
    assert record.cv_rmse < 0.5 * table["price"].std()
    assert record.tried == len(combinations(GRIDS[family]))


@pytest.mark.parametrize("family", GRIDS)
def test_the_test_split_teaches_nothing(table: pd.DataFrame, family: str) -> None:
    """With other values in every row of the test split, or without these rows, the fit is the same to the byte."""
    spoilt = table.copy()
    spoilt.loc[spoilt["fold"] == TEST, ["area", "price"]] = 1e6
    training = table[table["fold"] != TEST]
    hashes = {joblib.hash(fit(t, HOMES, PARAMS, family)[0].predict(training)) for t in (table, spoilt, training)}
    assert len(hashes) == 1


@pytest.mark.parametrize(
    ("family", "grid"),
    [
        ("random_forest", {"n_estimators": [7, 3, 20], "max_depth": [6, None, 3], "min_samples_leaf": [1, 4]}),
        ("random_forest", {"n_estimators": [9], "max_depth": [5, 3], "bootstrap": [False], "max_features": [0.5]}),
        ("random_forest", {"n_estimators": [9, 4], "max_depth": [None, 3], "max_leaf_nodes": [20]}),
        ("xgboost", {"max_depth": [2, 4], "n_estimators": [5, 40], "subsample": [0.7]}),
    ],
)
def test_shared_fits_change_nothing(table: pd.DataFrame, family: str, grid: dict) -> None:
    """Settings that share a fit get the predictions, to the last bit, that a fit of their own gives."""
    training = table[table["fold"] != TEST]
    matrix, target = to_matrix(training, HOMES.features), training["price"].to_numpy(float)
    tried = combinations(grid)
    splits = splitting.splits(training["fold"].to_numpy(), HOMES)

    make = partial(families.numeric_pipeline, HOMES.features, family, 1)
    sharing = families.get(family).sharing
    shared, alone = (cross_validate(tried, make, s, matrix, target, splits, family) for s in (sharing, None))
    assert len({part.tobytes() for part in alone}) == len(tried)
    assert np.array_equal(shared, alone)


def test_a_fold_is_predicted_without_itself(table: pd.DataFrame) -> None:
    """Out-of-fold predictions of a fold do not change with that fold's targets, not even through imputation."""
    training = table[table["fold"] != TEST].reset_index(drop=True)
    ridge = msgspec.structs.replace(PARAMS, families={"ridge": {"alpha": [1.0]}})
    held = (training["fold"] == 0).to_numpy()
    spoilt = training.copy()
    spoilt.loc[held, "price"] += 1e4
    before, after = (fit(t, HOMES, ridge, "ridge")[1].out_of_fold for t in (training, spoilt))
    assert np.array_equal(before[held], after[held])
    assert not np.array_equal(before[~held], after[~held])


def test_the_best_setting_is_chosen_by_cross_validation(table: pd.DataFrame) -> None:
    """The chosen settings are those of the grid with the lowest out-of-fold error, and cv_rmse is that error."""
    _, record = fit(table, HOMES, PARAMS, "random_forest")
    alone = [
        fit(table, HOMES, msgspec.structs.replace(PARAMS, families={"random_forest": grid}), "random_forest")[1].cv_rmse
        for grid in ({"n_estimators": [5], "min_samples_leaf": [leaf]} for leaf in (1, 30))
    ]
    assert alone[0] < alone[1]
    assert record.settings == {"n_estimators": 5, "min_samples_leaf": 1}
    assert record.cv_rmse == alone[0]


@pytest.mark.parametrize(("grid", "bins"), [({}, 256), ({"max_bin": [64]}, 64)])
def test_a_heavy_tail_gets_more_bins(grid: dict, bins: int) -> None:
    """Where few bins cost xgboost accuracy it has more; a grid that names their number decides."""
    limits = msgspec.structs.replace(PARAMS, families={"xgboost": {"n_estimators": [50], **grid}})
    pipeline, record = fit(test_moments.homes(300, missing=0), test_moments.HOMES, limits, "xgboost")
    assert pipeline[-1].max_bin == bins
    assert record.settings == {"n_estimators": 50, "max_bin": bins}


@pytest.mark.parametrize("family", GRIDS)
def test_the_served_form_answers_as_the_fit(table: pd.DataFrame, family: str) -> None:
    """The ONNX file agrees with the fit on rows that it never saw, categories and missing cells included."""
    training = table[table["fold"] != TEST]
    pipeline, record = fit(table, HOMES, PARAMS, family)
    served = served_form(pipeline, record, training, HOMES, 0.8, "sha", LIMITS)
    model = Model(served.content, "a test's model")
    model.verify()
    test = table[table["fold"] == TEST]
    prediction, lower, upper = model.predict(to_matrix(test, HOMES.features)).T
    assert np.abs(prediction - pipeline.predict(test)).max() < 1e-4 * training["price"].std()
    assert (lower < prediction).all()
    assert (prediction < upper).all()
    assert model.description.schema == HOMES
    assert model.description.imputed["area"] == pytest.approx(training["area"].median())
    assert model.description.imputed["garden"] == training["garden"].mode()[0]
    again = served_form(pipeline, record, training, HOMES, 0.8, "sha", LIMITS)
    assert again.content == served.content


def test_the_served_interval_is_the_one_that_was_learned(table: pd.DataFrame) -> None:
    """`lower` and `upper` are the prediction less and plus the half-width at that prediction, beyond the training rows
    too, and the asked share of out-of-fold residuals lies within."""
    training = table[table["fold"] != TEST]
    pipeline, record = fit(table, HOMES, PARAMS, "ridge")
    model = Model(served_form(pipeline, record, training, HOMES, 0.8, "sha", LIMITS).content, "m")
    target = training["price"].to_numpy(float)
    half = half_width(record.out_of_fold, target - record.out_of_fold, 0.8)
    assert len(half.knots) > 1
    matrix = to_matrix(training, HOMES.features)
    small, large = matrix.copy(), matrix.copy()
    small[:, 0], large[:, 0] = -1e3, 1e3
    prediction, lower, upper = model.predict(np.vstack([matrix, small, large])).T
    assert (prediction.min() < half.knots[0], prediction.max() > half.knots[-1]) == (True, True)
    assert upper - prediction == pytest.approx(half.at(prediction), rel=1e-4)
    assert prediction - lower == pytest.approx(half.at(prediction), rel=1e-4)
    inside = np.abs(record.out_of_fold - target) <= half.at(record.out_of_fold)
    assert 0.8 <= inside.mean() <= 0.8 + 2 / len(training) + 0.01


def test_indicators_are_used_where_they_help(table: pd.DataFrame) -> None:
    """Where it costs more not to tell, the model is told which values were missing, and its served form is told too;
    where nothing is missing, there is nothing to tell."""
    secret = table.copy()
    secret.loc[secret["area"].isna(), "price"] += 500
    training = secret[secret["fold"] != TEST]
    for family in ("ridge", "xgboost"):
        pipeline, record = fit(secret, HOMES, PARAMS, family)
        assert record.indicators == ("area", "rooms", "garden", "street")
        model = Model(served_form(pipeline, record, training, HOMES, 0.8, "sha", LIMITS).content, "m")
        matrix = to_matrix(training, HOMES.features)
        assert np.abs(model.predict(matrix)[:, 0] - pipeline.predict(training)).max() < 1e-4 * training["price"].std()
        known = training.assign(area=training["area"].fillna(training["area"].median()))
        told = pipeline.predict(training) - pipeline.predict(known)
        assert told[training["area"].isna()].mean() > 200
    whole = table.dropna()
    assert fit(whole, HOMES, PARAMS, "ridge")[1].indicators == ()


def test_forests_stay_servable_as_rows_grow(table: pd.DataFrame) -> None:
    """A forest that would have more than train.max_leaves leaves is bounded, which its settings say; a grid that names
    max_leaf_nodes, and a small table, are left as they are."""
    few = msgspec.structs.replace(
        PARAMS, max_leaves=100, device="cpu", families={"random_forest": {"n_estimators": [5, 10]}}
    )
    pipeline, record = fit(table, HOMES, few, "random_forest")
    assert record.settings["max_leaf_nodes"] == 10
    assert max(tree.get_n_leaves() for tree in pipeline[-1].estimators_) == 10
    assert "max_leaf_nodes" not in fit(table, HOMES, PARAMS, "random_forest")[1].settings
    own = {"n_estimators": [5], "max_leaf_nodes": [50]}
    assert shared_trees.bounded(own, 1_000, 100) == own


@pytest.mark.parametrize("family", ["random_forest", "xgboost"])
def test_thresholds_are_compared_too(table: pd.DataFrame, family: str) -> None:
    """Rows with a value exactly at a threshold of a tree, or at the next float, are answered as the fit does."""
    training = table[table["fold"] != TEST]
    pipeline, _ = fit(table, HOMES, PARAMS, family)
    graph = to_onnx(pipeline[1:], 4, HalfWidth(np.zeros(1), np.ones(1)))
    del graph.metadata_props[:]
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    at = parity.at_thresholds(to_matrix(training, HOMES.features), graph, [0, 1, 2])
    assert len(np.unique(at[:, 0])) > 20
    for toward in (0, np.inf, -np.inf):
        probes = at.astype(np.float32)
        if toward:
            probes[:, 0] = np.nextafter(probes[:, 0], np.float32(toward))
        served = session.run(["prediction"], {"features": probes})[0][:, 0]
        assert np.abs(served - pipeline[1:].predict(probes.astype(float))).max() < 1e-3


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"onnx_tolerance": 1e-12}, "ridge: ONNX and the fitted model differ by .* more than select.onnx_tolerance"),
        ({"max_model_mb": 1e-3}, "ridge: the model file has .* MB, more than select.max_model_mb = 0.001"),
    ],
)
def test_a_form_that_cannot_be_served_is_refused(table: pd.DataFrame, limits: dict[str, float], said: str) -> None:
    """A file that is too large, or differs from the fit, is an error with the way out."""
    pipeline, record = fit(table, HOMES, PARAMS, "ridge")
    with pytest.raises(PipelineError, match=said):
        served_form(
            pipeline, record, table[table["fold"] != TEST], HOMES, 0.8, "sha", msgspec.structs.replace(LIMITS, **limits)
        )


@pytest.mark.parametrize(
    ("families", "family", "said"),
    [
        ({"ridge": {"alhpa": [1]}}, "ridge", r"unknown setting 'alhpa' \(did you mean 'alpha'\?\)"),
        ({"rigde": {}}, "rigde", r"unknown family 'rigde' \(did you mean 'ridge'\?\)"),
        ({"ridge": {"alpha": [-1]}}, "ridge", r"train.families.ridge: {'alpha': -1} cannot be fitted: The 'alpha'"),
        ({"random_forest": {"n_estimators": [None]}}, "random_forest", "None} cannot be fitted: The 'n_estimators'"),
        ({"xgboost": {"max_depth": [-4]}}, "xgboost", r"train.families.xgboost: {'max_depth': -4} cannot be fitted"),
        ({"ridge": {"alpha": [1]}}, "linear", "train.families has no 'linear'; it has ridge"),
    ],
)
def test_a_wrong_family_or_setting_is_named(table: pd.DataFrame, families: dict, family: str, said: str) -> None:
    """A family or setting that does not exist is named, with the nearest one."""
    with pytest.raises(PipelineError, match=said):
        fit(table, HOMES, msgspec.structs.replace(PARAMS, families=families), family)


def test_an_unknown_category_is_refused(table: pd.DataFrame) -> None:
    """A fitted pipeline refuses a category that its schema does not have, instead of imputing it."""
    pipeline, _ = fit(table, HOMES, PARAMS, "linear")
    with pytest.raises(PipelineError, match="column street: 'west' is none of its categories"):
        pipeline.predict(table.head(2).assign(street="west"))


def test_the_number_of_cores_changes_no_answer(table: pd.DataFrame) -> None:
    """A model file answers on one thread: on more, ONNX Runtime adds up trees in an order that the cores decide."""
    pipeline, record = fit(table, HOMES, PARAMS, "xgboost")
    training = table[table["fold"] != TEST]
    model = Model(served_form(pipeline, record, training, HOMES, 0.8, "sha", LIMITS).content, "m")
    assert model._session.get_session_options().intra_op_num_threads == 1


def test_a_gpu_that_is_not_there_is_named(table: pd.DataFrame) -> None:
    """`train.device: cuda` reaches xgboost, and no other model; without a GPU it is an error, not a silent CPU."""
    models = {
        family: families.numeric_pipeline(HOMES.features, family, 1, {}, device="cuda")[-1].get_params().get("device")
        for family in GRIDS
    }
    assert {family for family, device in models.items() if device == "cuda"} == {"xgboost", "xgboost_forest"}
    if shutil.which("nvidia-smi"):
        pytest.skip("this machine may have a GPU")
    with pytest.raises(PipelineError, match=r"train\.device is cuda, but xgboost finds no GPU here"):
        fit(table, HOMES, msgspec.structs.replace(PARAMS, device="cuda"), "xgboost")


def test_a_foreign_file_is_refused() -> None:
    """A file that is no ONNX, or was not made here, is refused with a reason."""
    with pytest.raises(PipelineError, match="x is no usable ONNX model"):
        Model(b"not a model", "x")


METRICS = {
    "simple": {"cv_rmse": 3.1, "cv_rmse_se": 0.2},
    "middle": {"cv_rmse": 3.05, "cv_rmse_se": 0.2},
    "best": {"cv_rmse": 3.0, "cv_rmse_se": 0.06},
}


def test_selection_rules() -> None:
    """`min` takes the lowest cross-validated RMSE, `one_se` the first family within one standard error of it."""
    assert select.pick(METRICS, "min") == "best"
    assert select.pick(METRICS, "one_se") == "middle"
    with pytest.raises(PipelineError, match=r"train\.families is empty"):
        select.pick({}, "min")


def test_every_family_of_the_shipped_parameters_exists() -> None:
    """Each grid of params.yaml names parameters that its family's model has."""
    from pipeline.contract import params
    from tests.conftest import ROOT

    shipped: Schema = HOMES
    for family, grid in params.load("train", ROOT / "params.yaml").families.items():
        for settings in combinations(grid):
            families.numeric_pipeline(shipped.features, family, 0, settings)
