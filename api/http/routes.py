"""The handlers that take a row: /predict, /predict/batch and /feedback."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from litestar import post

from api.http import auth, errors
from api.http.body import AnyRequest, read_json
from api.http.responses import Feedback, Prediction
from api.model.loader import Served, Serving
from api.model.micro_batcher import Predictor
from api.prediction_log import queries
from api.prediction_log.writer import Log
from api.requests import feedback
from api.requests.diagnostics import RefusedError

_REFUSALS = {
    400: errors.documented(400, "The body is not JSON"),
    413: errors.documented(413, "The body is larger than API_MAX_BODY"),
    415: errors.documented(415, "The content type is not application/json"),
    503: errors.documented(503, "No verified model is loaded, or the prediction log cannot be written"),
}
_INVALID = "every field at fault, its value and what was expected"


@post(
    "/predict",
    status_code=200,
    guards=[auth.required],
    operation_id="predict",
    summary="The prediction for one row",
    responses={
        **_REFUSALS,
        422: errors.documented(422, f"The body is no row: {_INVALID}", errors.InvalidFeatures),
    },
)
async def predict(request: AnyRequest) -> Prediction:
    serving: Serving = request.app.state.serving
    predictor: Predictor = request.app.state.predictor
    body = await read_json(request, serving.settings.api_max_body, "API_MAX_BODY")
    served = serving.now()
    with _counted(request, served):
        row = served.contract.decode(body)
    return await predictor.one(served, row, body.decode())


@post(
    "/predict/batch",
    status_code=200,
    guards=[auth.required],
    operation_id="predict_batch",
    summary="The predictions for many rows: all of them, or an error and none",
    responses={
        **_REFUSALS,
        413: errors.documented(413, "More rows than API_MAX_BATCH, or bytes than API_MAX_BATCH_BODY"),
        422: errors.documented(422, f"Some rows are none: {_INVALID}, by row number", errors.InvalidRows),
    },
)
async def predict_batch(request: AnyRequest) -> list[Prediction]:
    serving: Serving = request.app.state.serving
    predictor: Predictor = request.app.state.predictor
    body = await read_json(request, serving.settings.api_max_batch_body, "API_MAX_BATCH_BODY")
    served = serving.now()
    with _counted(request, served):
        return await predictor.many(served, body, serving.settings.api_max_batch)


@post(
    "/feedback",
    status_code=200,
    guards=[auth.required],
    operation_id="feedback",
    summary="The actual value of an earlier prediction",
    responses={
        **_REFUSALS,
        404: errors.documented(404, "The log has no prediction with this id"),
        422: errors.documented(422, f"The body is no feedback: {_INVALID}", errors.InvalidFeatures),
    },
)
async def give_feedback(request: AnyRequest) -> Feedback:
    serving: Serving = request.app.state.serving
    body = await read_json(request, serving.settings.api_max_body, "API_MAX_BODY")
    actual = feedback.decode(body, serving.now().contract.schema.target)
    log: Log = request.app.state.log
    noted = await log.run(queries.note_actual, *actual)
    if noted is None:
        raise errors.problem(
            HTTPStatus.NOT_FOUND, f"no logged prediction has id {actual.id!r}: send the id of an answer"
        )
    return Feedback(noted.id, actual.value, noted.changed, noted.previous)


@contextmanager
def _counted(request: AnyRequest, served: Served) -> Iterator[None]:
    """Count each mistake in a row in the metrics."""
    try:
        yield
    except RefusedError as error:
        request.app.state.metrics.rejected(error.mistakes, served.contract.schema)
        raise


HANDLERS = [predict, predict_batch, give_feedback]
