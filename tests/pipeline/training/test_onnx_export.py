"""The served form: it predicts what the fit predicts, describes itself, and is refused where it cannot be served."""

import msgspec
import numpy as np
import onnxruntime
import pytest

from pipeline.contract.errors import PipelineError
from pipeline.contract.onnx_model import Model
from pipeline.tables.feature_matrix import to_matrix
from pipeline.tables.splitting import TEST
from pipeline.training import parity
from pipeline.training.conformal import Curve, HalfWidth, half_width
from pipeline.training.onnx_converters import to_onnx
from pipeline.training.preprocessing import unencoded_columns
from stages.train import fit
from tests.pipeline.training.homes import GRIDS, HOMES, LIMITS, PARAMS, homes, serve


@pytest.mark.parametrize("family", GRIDS)
def test_the_served_form_predicts_as_the_fit(family: str) -> None:
    """The ONNX file agrees with the fit on rows that it never saw, categories and missing cells included; the same fit
    gives the same bytes; it runs on one thread, for more would add up trees in an order that the cores decide."""
    table, training = homes()
    pipeline, record = fit(table, HOMES, PARAMS, family)
    served, model = serve(pipeline, record, training)
    model.verify()
    test = table[table["fold"] == TEST]
    prediction, lower, upper = model.predict(to_matrix(test, HOMES.features)).T
    assert np.abs(prediction - pipeline.predict(test)).max() < 1e-4 * training["price"].std()
    assert (lower < prediction).all()
    assert (prediction < upper).all()
    assert model.description.schema == HOMES
    assert model.description.imputed["area"] == pytest.approx(training["area"].median())
    assert model.description.imputed["garden"] == training["garden"].mode()[0]
    assert serve(pipeline, record, training)[0].content == served.content
    assert model._session.get_session_options().intra_op_num_threads == 1


def test_the_served_interval_is_the_one_that_was_learned() -> None:
    """`lower` and `upper` are the prediction less and plus the half-width at that prediction, beyond the training rows
    too, and the asked share of out-of-fold residuals lies within."""
    table, training = homes()
    pipeline, record = fit(table, HOMES, PARAMS, "ridge")
    _, model = serve(pipeline, record, training)
    target = training["price"].to_numpy(float)
    half = half_width(record.out_of_fold, target - record.out_of_fold, 0.8).size
    assert len(half.knots) > 1
    matrix = to_matrix(training, HOMES.features)
    small, large = matrix.copy(), matrix.copy()
    small[:, 0], large[:, 0] = -3e3, 3e3
    prediction, lower, upper = model.predict(np.vstack([matrix, small, large])).T
    assert (prediction.min() < half.knots[0], prediction.max() > half.knots[-1]) == (True, True)
    width = half.at(prediction)
    assert upper - prediction == pytest.approx(width, rel=1e-4)
    assert prediction - lower == pytest.approx(width, rel=1e-4)
    # One residual is the half-width itself, up to rounding.
    inside = np.abs(record.out_of_fold - target) <= half.at(record.out_of_fold) * (1 + 1e-9)
    assert 0.8 <= inside.mean() <= 0.8 + 2 / len(training) + 0.01


@pytest.mark.parametrize("family", ["random_forest", "xgboost"])
def test_thresholds_are_compared_too(family: str) -> None:
    """Rows with a value exactly at a threshold of a tree, or at the next float, get the fit's prediction."""
    table, training = homes()
    pipeline, _ = fit(table, HOMES, PARAMS, family)
    graph = to_onnx(pipeline[1:], 11, HalfWidth(Curve(np.zeros(1), np.ones(1))), double=False)
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    columns = unencoded_columns(pipeline.named_steps["prepare"])
    # Numbers, of which six are parts of a date, then booleans and categories.
    assert columns.positions == [*range(8), 10, 8, 9]
    at = parity.at_thresholds(to_matrix(training, HOMES.features), graph, columns)
    assert len(np.unique(at[:, 0])) > 20
    for toward in (0, np.inf, -np.inf):
        probes = at.astype(np.float32)
        if toward:
            probes[:, 0] = np.nextafter(probes[:, 0], np.float32(toward))
        served = session.run(["prediction"], {"features": probes.astype(float)})[0][:, 0]
        assert np.abs(served - pipeline[1:].predict(probes.astype(float))).max() < 1e-3


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"onnx_tolerance": 1e-12}, "xgboost: ONNX and the fitted model differ by .* more than select.onnx_tolerance"),
        ({"max_model_mb": 1e-3}, "xgboost: the model file has .* MB, more than select.max_model_mb = 0.001"),
    ],
)
def test_a_form_that_cannot_be_served_is_refused(limits: dict[str, float], said: str) -> None:
    """A file that is too large, or differs from the fit, is an error with the way out; a larger tolerance is none."""
    table, training = homes()
    pipeline, record = fit(table, HOMES, PARAMS, "xgboost")
    with pytest.raises(PipelineError, match=said) as error:
        serve(pipeline, record, training, msgspec.structs.replace(LIMITS, **limits))
    assert "raise select.onnx_tolerance" not in str(error.value)
    assert "raise it" not in str(error.value)


def test_a_foreign_file_is_refused() -> None:
    """A file that is no ONNX, or was not made here, is refused with a reason."""
    with pytest.raises(PipelineError, match="x is no usable ONNX model"):
        Model(b"not a model", "x")
