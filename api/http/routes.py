"""The handlers that take a row: /predict, /predict/batch and /feedback."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Annotated, Any

from litestar import post
from litestar.params import HeaderParameter

from api.http import caller, errors
from api.http.body import AnyRequest, json_body
from api.http.fast_path import FAILURE
from api.http.responses import Feedback, Prediction
from api.model.loader import Served, Serving
from api.model.micro_batcher import Predictor
from api.prediction_log import queries
from api.prediction_log.writer import Log
from api.requests import feedback
from api.requests.diagnostics import RefusedError
from api.requests.strict_json import compact

_REFUSALS = {
    400: errors.documented(400, "The body is not JSON"),
    413: errors.documented(413, "The body is larger than API_MAX_BODY"),
    415: errors.documented(415, "The content type is not application/json, or the body is compressed"),
    503: errors.documented(503, "No verified model is loaded, or the prediction log cannot be written"),
}
_INVALID = "every field at fault, its value and what was expected"
_REUSED = "the idempotency key came with another body before"
# For the document alone: `api.http.caller` reads it.
IdempotencyKey = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        description="Within 24 hours a request with the same key and body gets the stored answer, and adds no row",
        # As an extra, so that the framework does not check it: its message would not say what was expected.
        schema_extra={"minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"},
    ),
]


@post(
    "/predict",
    status_code=200,
    opt={"scope": "predict"},
    operation_id="predict",
    summary="The prediction for one row",
    responses={
        **_REFUSALS,
        422: errors.documented(422, f"The body is no row: {_INVALID}. Or {_REUSED}", errors.InvalidFeatures),
    },
)
async def predict(request: AnyRequest, idempotency_key: IdempotencyKey = None) -> Prediction:
    scope: Any = request.scope
    if FAILURE in scope:
        raise scope[FAILURE]
    who = caller.checked(scope)
    serving: Serving = request.app.state.serving
    predictor: Predictor = request.app.state.predictor
    async with json_body(request, serving.settings.api_max_body, "API_MAX_BODY") as body:
        served = serving.now()
        with _counted(request, served):
            row = served.contract.decode(body)
        asked = row, compact(body).decode(), who
    return await (predictor.one(served, asked) if who.idempotency is None else predictor.keyed(served, asked))


@post(
    "/predict/batch",
    status_code=200,
    opt={"scope": "predict"},
    operation_id="predict_batch",
    summary="The predictions for many rows: all of them, or an error and none",
    responses={
        **_REFUSALS,
        413: errors.documented(413, "More rows than API_MAX_BATCH, or bytes than API_MAX_BATCH_BODY"),
        422: errors.documented(422, f"Some rows are none: {_INVALID}, by row number. Or {_REUSED}", errors.InvalidRows),
    },
)
async def predict_batch(request: AnyRequest, idempotency_key: IdempotencyKey = None) -> list[Prediction]:
    who = caller.checked(request.scope)
    serving: Serving = request.app.state.serving
    predictor: Predictor = request.app.state.predictor
    async with json_body(request, serving.settings.api_max_batch_body, "API_MAX_BATCH_BODY") as body:
        served = serving.now()
        with _counted(request, served):
            return await predictor.many(served, body, serving.settings.api_max_batch, who)


@post(
    "/feedback",
    status_code=200,
    opt={"scope": "feedback"},
    operation_id="feedback",
    summary="The actual value of an earlier prediction",
    responses={
        **_REFUSALS,
        403: errors.documented(403, "The server has no keys, and other machines may reach it"),
        404: errors.documented(404, "The log has no prediction with this id"),
        422: errors.documented(422, f"The body is no feedback: {_INVALID}", errors.InvalidFeatures),
    },
)
async def give_feedback(request: AnyRequest) -> Feedback:
    serving: Serving = request.app.state.serving
    async with json_body(request, serving.settings.api_max_body, "API_MAX_BODY") as body:
        actual = feedback.decode(body, serving.now().contract.schema.target)
    log: Log = request.app.state.log
    noted = await log.run(queries.note_actual, *actual, request.scope.get("key_name"))
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
