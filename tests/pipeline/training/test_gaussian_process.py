"""The Gaussian process: the mathematics of scikit-learn's, a served form that agrees, and tables that are awkward."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import check_grad
from sklearn.datasets import make_friedman1
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from sklearn.pipeline import Pipeline

from pipeline.contract import onnx_model
from pipeline.contract.errors import PipelineError
from pipeline.contract.params import Clean
from pipeline.contract.schema import Column, Schema
from pipeline.distributed.executor import Executor
from pipeline.tables.feature_matrix import to_matrix
from pipeline.tables.splitting import TEST
from pipeline.training import families, gaussian_process
from pipeline.training.gaussian_process import GaussianProcess
from pipeline.training.in_parts import fitting
from pipeline.training.in_parts.learner import TrainingParts
from pipeline.training.normalising import Normalise
from stages.clean import clean
from stages.train import fit
from tests.conftest import ROOT
from tests.pipeline.training.homes import HOMES, homes, serve, with_grid
from tests.pipeline.training.in_parts.test_linear import cut, training_rows
from tests.tables import make_schema

FAMILY = "gaussian_process"
DIGEST = """
import hashlib, io, joblib, numpy as np
from pipeline.tables.splitting import TEST
from pipeline.tables.feature_matrix import to_matrix
from pipeline.training.conformal import Curve, HalfWidth
from pipeline.training.families import numeric_pipeline
from pipeline.training.onnx_converters import to_onnx
from tests.pipeline.training.homes import HOMES, homes
training = homes(600)[1]
matrix, target = to_matrix(training, HOMES.features), training["price"].to_numpy(float)
for log_target in (False, True):
    made = numeric_pipeline(HOMES, "gaussian_process", 1, {"log_target": log_target}, (0, 3))
    made.fit(matrix, np.maximum(target, 1))
    joblib.dump(made, file := io.BytesIO())
    graph = to_onnx(made, matrix.shape[1], HalfWidth(Curve(np.zeros(1), np.ones(1))), True)
    content = graph.SerializeToString(deterministic=True)
    print(*(hashlib.sha256(each).hexdigest() for each in (file.getvalue(), content)))
"""


def friedman(n: int) -> tuple[np.ndarray, np.ndarray]:
    return make_friedman1(n, noise=1.0, random_state=3)


def numbers(n: int) -> Schema:
    return make_schema(
        *(Column(f"x{i}", "float", nullable=True) for i in range(n)), Column("y", "float", role="target")
    )


def fitted(matrix: np.ndarray, target: np.ndarray, **settings: object) -> Pipeline:
    """A numeric pipeline, fitted with every warning an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return families.numeric_pipeline(numbers(matrix.shape[1]), FAMILY, 1, settings).fit(matrix, target)


def test_the_loss_is_scikit_learns_and_its_gradient_is_its_slope() -> None:
    """The loss is that of scikit-learn's likelihood and of the priors; its gradient agrees with differences."""
    matrix, target = friedman(60)
    matrix, target = matrix[:, :5], (target - target.mean()) / target.std()
    losses = []
    for seed in range(3):
        theta = np.random.default_rng(seed).normal(size=7)
        kernel = ConstantKernel() * Matern(np.ones(5), nu=1.5) + WhiteKernel()
        # scikit-learn's order is signal, length scales, noise.
        likelihood = GaussianProcessRegressor(kernel, optimizer=None, alpha=0).fit(matrix, target)
        mean, deviation = np.array([gaussian_process.LENGTH] * 5 + [gaussian_process.SIGNAL, gaussian_process.NOISE]).T
        prior = np.square((theta - mean) / deviation).sum() / 2
        wanted = prior - likelihood.log_marginal_likelihood(theta[[5, 0, 1, 2, 3, 4, 6]])
        losses.append(gaussian_process.loss(theta, matrix, target)[0] - wanted)
        both = [lambda x, i=i: gaussian_process.loss(x, matrix, target)[i] for i in (0, 1)]
        assert check_grad(*both, theta) < 1e-4 * np.linalg.norm(both[1](theta))
    assert np.ptp(losses) < 1e-9


def test_predictions_are_scikit_learns() -> None:
    """With the same hyperparameters scikit-learn predicts the same, but for the digits that are not stored."""
    matrix, target = friedman(200)
    model = GaussianProcess(random_state=0).fit(matrix[:150], target[:150])
    scaled = (target[:150] - target[:150].mean()) / target[:150].std()
    theta = gaussian_process.search(matrix[:150], scaled)
    kernel = ConstantKernel() * Matern(np.ones(10), nu=1.5) + WhiteKernel()
    kernel = kernel.clone_with_theta(theta[[-2, *range(10), -1]])
    peer = GaussianProcessRegressor(kernel, optimizer=None, normalize_y=True).fit(matrix[:150], target[:150])
    # The rows of the search are the same in another order.
    assert model.predict(matrix[150:]) == pytest.approx(peer.predict(matrix[150:]), abs=5e-3 * target.std())


@pytest.mark.parametrize("log_target", [False, True])
def test_the_file_agrees_with_the_fit(log_target: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file predicts what the fit predicts to 1e-6 standard deviations: on the training rows, on rows next to them,
    far from them, below 0 where training had none, and with every value missing. Both compute some rows at a time."""
    table = homes()[0]
    table["price"] = table["price"].clip(10)
    training = table[table["fold"] != TEST]
    pipeline, record = fit(table, HOMES, with_grid(FAMILY, {"log_target": [log_target]}), FAMILY)
    served, model = serve(pipeline, record, training)
    assert len(served.content) < 60_000
    rows = to_matrix(training, HOMES.features)
    near, far, below = rows.copy(), rows.copy(), rows.copy()
    near[:, 0] *= 1 + 1e-9
    near[:, 4] *= 1 + 1e-12
    far[:, [0, 4]] *= 1e6
    below[:, 0] *= -1
    probes = np.vstack([rows, near, far, below, np.full_like(rows[:1], np.nan)])
    answers = model.predict(probes)
    assert np.abs(answers[:, 0] - pipeline[1:].predict(probes)).max() < 1e-6 * training["price"].std()
    for module in (onnx_model, gaussian_process):
        monkeypatch.setattr(module, "ROWS_AT_ONCE", 100)
    assert len(model.predict(probes[:0])) == 0
    assert model.predict(probes) == pytest.approx(answers, rel=1e-9)
    assert pipeline[1:].predict(probes) == pytest.approx(answers[:, 0], abs=1e-6 * training["price"].std())


def test_it_is_more_accurate_on_a_smooth_function() -> None:
    """On Friedman's first function its cross-validated RMSE is clearly below those of ridge and of small boosted trees,
    and near the noise, 1."""
    matrix, target = friedman(400)
    raw = pd.DataFrame(matrix, columns=[f"x{i}" for i in range(10)]).assign(y=target)
    table = clean(raw, numbers(10), Clean(1, 0.2, 4, 0)).table
    grids = {FAMILY: {}, "ridge": {"alpha": [1.0]}, "xgboost": {"n_estimators": [100], "max_depth": [4]}}
    found = {f: fit(table, numbers(10), with_grid(f, grid), f)[1].cv_rmse for f, grid in grids.items()}
    assert found[FAMILY] < 0.75 * min(found["ridge"], found["xgboost"])
    assert found[FAMILY] < 1.4


@pytest.mark.parametrize(
    "case", ["one feature", "constant", "all missing", "duplicates", "many columns", "tiny", "huge"]
)
def test_awkward_features_are_fitted(case: str) -> None:
    """A table of 50 rows is fitted without a warning, whatever is odd about its features, and better than its mean."""
    generator = np.random.default_rng(0)
    matrix = generator.normal(size=(50, 60 if case == "many columns" else 1 if case == "one feature" else 3))
    target = 100 + 5 * matrix[:, 0] + generator.normal(size=50)
    if case == "constant":
        matrix[:, 1] = 0.1
    elif case == "all missing":
        matrix[:, 1] = np.nan
    elif case == "duplicates":
        matrix[25:], target[25:] = matrix[:25], target[:25]
    elif case in ("tiny", "huge"):
        matrix = 7 + matrix * 1e-9 if case == "tiny" else matrix * 1e100
    predicted = fitted(matrix, target).predict(matrix)
    assert np.sqrt(np.square(predicted - target).mean()) < 0.6 * target.std()


@pytest.mark.parametrize("target", [np.full(50, 0.1), 0.1 + 1e-16 * np.arange(50), 1e9 + np.arange(50.0)])
def test_awkward_targets_are_fitted(target: np.ndarray) -> None:
    """A target that is constant, nearly so, or far from 0 is fitted without a warning, and predicted."""
    matrix = np.arange(50.0)[:, None]
    for log_target in (False, True):
        predicted = fitted(matrix, target, log_target=log_target).predict(matrix)
        assert np.abs(predicted - target).max() <= max(1.0, np.ptp(target) / 10)


def test_the_logarithm_of_a_target() -> None:
    """A target whose logarithm is smooth is learned better by it; where a training value is 0 the setting is left out,
    and alone it is an error that says why."""
    matrix, target = friedman(300)
    raw = pd.DataFrame(matrix, columns=[f"x{i}" for i in range(10)]).assign(y=np.exp(target / 3))
    table = clean(raw, numbers(10), Clean(1, 0.2, 4, 0)).table
    both = with_grid(FAMILY, {"log_target": [False, True]})
    _, record = fit(table, numbers(10), both, FAMILY)
    assert record.settings == {"log_target": True}
    table.loc[table["fold"].isin([0, 1]), "y"] = 0.0
    _, record = fit(table, numbers(10), both, FAMILY)
    assert (record.settings, record.diverged) == ({"log_target": False}, ({"log_target": True},))
    with pytest.raises(PipelineError, match="log_target"):
        fit(table, numbers(10), with_grid(FAMILY, {"log_target": [True]}), FAMILY)


def test_a_large_table_is_sampled() -> None:
    """Of more than `max_rows` rows a sample is kept, which the seed decides."""
    matrix, target = friedman(500)
    models = [GaussianProcess(max_rows=100, random_state=seed).fit(matrix, target) for seed in (1, 1, 2)]
    assert [each.points_.shape for each in models] == [(100, 10)] * 3
    first, second, other = (each.points_ for each in models)
    assert (first == second).all()
    assert (first != other).any()


def test_skewed_numbers_become_logarithms() -> None:
    """A column gets a logarithm where it has no negative value and a long right tail among the training rows; all have
    mean 0 and standard deviation 1 after it, to four digits, and a later value below 0 counts as 0."""
    generator = np.random.default_rng(1)
    skewed = generator.lognormal(2, 1, 1000)
    skewed[:100] = 0
    matrix = np.column_stack([skewed, skewed - 1, -skewed, 1e9 + generator.normal(size=1000), np.ones(1000)])
    learned = Normalise().fit(matrix)
    assert learned.unit_.tolist() == [np.median(skewed[100:]), 0, 0, 0, 0]
    prepared = learned.transform(matrix)
    assert prepared.mean(axis=0) == pytest.approx(0, abs=1e-4)
    assert prepared.std(axis=0) == pytest.approx([1, 1, 1, 1, 0], abs=1e-4)
    below, zero = learned.transform(np.array([[-5.0, 0, 0, 0, 0], [0.0, 0, 0, 0, 0]]))
    assert (below == zero).all()


def test_parts_learn_from_a_sample(tmp_path: Path) -> None:
    """Of a table in parts the rows with the smallest hashes are learned from, the same ones however it is cut."""
    table = training_rows(1000, 0.05)
    params = with_grid(FAMILY, {"max_rows": [150, 200]})
    found = [
        fitting.fit(
            TrainingParts(Executor(), cut(table, tmp_path / str(parts), parts), HOMES),
            params,
            FAMILY,
            "sha",
            tmp_path / f"oof-{parts}",
        )
        for parts in (1, 4)
    ]
    one, four = (each.pipeline.predict(table) for each in found)
    assert (one == four).all()
    assert found[0].record.cv_rmse < 0.6 * table["price"].std()
    assert len(found[0].pipeline[-1].regressor_.points_) == found[0].record.settings["max_rows"]


def test_processors_agree() -> None:
    """The fit has the same bytes with the instructions of an old processor and two threads as with this one's."""
    old = {
        "OPENBLAS_CORETYPE": "Nehalem",
        "NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR AVX2 FMA3",
    }
    printed = []
    for changes in ({"OPENBLAS_NUM_THREADS": "1"}, old | {"OPENBLAS_NUM_THREADS": "2"}):
        command = [sys.executable, "-W", "ignore", "-c", DIGEST]
        done = subprocess.run(command, cwd=ROOT, env=os.environ | changes, capture_output=True, text=True, check=True)
        printed.append(done.stdout)
    assert len(printed[0].split()) == 4
    assert printed[0] == printed[1]
