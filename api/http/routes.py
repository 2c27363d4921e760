"""The handlers: what each request is answered with."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from litestar import Request, get, post
from litestar.datastructures import State

from api.http import auth, errors
from api.http.body import read_json
from api.http.responses import Feedback, Health, Metadata, Prediction, Ready
from api.model.loader import Served, Serving
from api.model.micro_batcher import NotFiniteError, Predictor
from api.prediction_log import queries
from api.prediction_log.database import LogError
from api.prediction_log.writer import Log
from api.requests import batch, feedback
from api.requests.diagnostics import RefusedError
from api.requests.strict_json import MalformedError

Asked = Request[Any, Any, State]

_NO_MODEL = errors.documented(503, "No verified model is loaded; the detail says why")
_NOT_READY = errors.documented(
    503, "No verified model is loaded, or the prediction log cannot be written; the detail says why"
)


@get("/health", operation_id="health", summary="The process is alive; which model files it found")
async def health(request: Asked) -> Health:
    serving, log = _serving(request), _log(request)
    # Without a try: an orchestrator that gets no answer at once would kill the process.
    ready = serving.served is not None and not (log.required and log.reason)
    return Health("ok", ready, serving.artifacts())


@get("/ready", operation_id="ready", summary="A prediction would be answered now", responses={503: _NOT_READY})
async def ready(request: Asked) -> Ready:
    served = _served(request)
    if _log(request).required and (reason := await _log(request).probe()):
        raise errors.problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            f"the prediction log cannot be written (PREDICTION_LOG_URL): {reason}",
            errors.NO_LOG,
        )
    return Ready("ready", served.md5)


@get("/metadata", operation_id="metadata", summary="What is served", responses={503: _NO_MODEL})
async def metadata(request: Asked) -> Metadata:
    served = _served(request)
    about = served.model.description
    return Metadata(
        family=about.family,
        promoted=served.promoted,
        path=served.path.as_posix(),
        md5=served.md5,
        revision=served.revision,
        version=served.version,
        settings=about.settings,
        interval=about.interval,
        imputed=about.imputed,
        training=about.training,
        schema=about.schema,
    )


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
async def predict(request: Asked) -> Prediction:
    body = await read_json(request, _serving(request).settings.api_max_body, "API_MAX_BODY")
    served = _served(request)
    with _refusals(), _counted(request, served):
        row = served.contract.decode(body)
        return await _predictor(request).one(served, row, body.decode())


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
async def predict_batch(request: Asked) -> list[Prediction]:
    settings = _serving(request).settings
    body = await read_json(request, settings.api_max_batch_body, "API_MAX_BATCH_BODY")
    served = _served(request)
    with _refusals(), _counted(request, served):
        return await _predictor(request).many(served, body, settings.api_max_batch)


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
async def give_feedback(request: Asked) -> Feedback:
    body = await read_json(request, _serving(request).settings.api_max_body, "API_MAX_BODY")
    served = _served(request)
    with _refusals():
        actual = feedback.decode(body, served.contract.schema.target)
        noted = await asyncio.to_thread(queries.note_actual, _log(request).database, *actual)
    if noted is None:
        raise errors.problem(
            HTTPStatus.NOT_FOUND, f"no logged prediction has id {actual.id!r}: send the id of an answer"
        )
    return Feedback(noted.id, actual.value, noted.changed, noted.previous)


@contextmanager
def _refusals() -> Iterator[None]:
    """Turn the errors of a request whose body has arrived into the problems 400, 413, 422 and 503."""
    try:
        yield
    except MalformedError as error:
        raise errors.problem(HTTPStatus.BAD_REQUEST, f"the body is not JSON: {error}") from None
    except RefusedError as error:
        raise errors.refused(error) from None
    except NotFiniteError as error:
        raise errors.not_finite(error.rows) from None
    except batch.TooManyError as error:
        raise errors.problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, str(error)) from None
    except LogError:
        raise errors.no_log() from None


@contextmanager
def _counted(request: Asked, served: Served) -> Iterator[None]:
    """Each mistake in a row counts in the metrics."""
    try:
        yield
    except RefusedError as error:
        request.app.state.metrics.rejected(error.mistakes, served.contract.schema)
        raise


def _serving(request: Asked) -> Serving:
    return request.app.state.serving


def _log(request: Asked) -> Log:
    return request.app.state.log


def _predictor(request: Asked) -> Predictor:
    return request.app.state.predictor


def _served(request: Asked) -> Served:
    serving = _serving(request)
    if serving.served is None:
        raise errors.no_model(serving.reason)
    return serving.served


HANDLERS = [health, ready, metadata, predict, predict_batch, give_feedback]
