"""The handlers: what each request is answered with."""

import math
import uuid
from http import HTTPStatus
from typing import Any

import numpy as np
from litestar import Request, get, post
from litestar.datastructures import State
from litestar.types import Receive

from api import keys, problems
from api.answers import Health, Metadata, Prediction, Ready
from api.explain import MalformedError, RefusedError
from api.metrics import Metrics
from api.model import Served, Serving

Asked = Request[Any, Any, State]

# How much of a body that is too large is read and thrown away, so that its sender reads the answer and not a reset
# connection. Bytes; who sends more than this is cut off.
DRAINED = 2**26


_NO_MODEL = problems.documented(503, "No verified model is loaded; the detail says why")


@get("/health", operation_id="health", summary="The process is alive; which model files it found")
async def health(request: Asked) -> Health:
    serving = _serving(request)
    return Health("ok", serving.served is not None, serving.artifacts())


@get("/ready", operation_id="ready", summary="A verified model is loaded", responses={503: _NO_MODEL})
async def ready(request: Asked) -> Ready:
    return Ready("ready", _served(request).md5)


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
        settings=about.settings,
        interval=about.interval,
        imputed=about.imputed,
        training=about.training,
        schema=about.schema,
    )


@post(
    "/predict",
    status_code=200,
    guards=[keys.required],
    operation_id="predict",
    summary="The prediction for one row",
    responses={
        400: problems.documented(400, "The body is not JSON"),
        413: problems.documented(413, "The body is larger than API_MAX_BODY"),
        415: problems.documented(415, "The content type is not application/json"),
        422: problems.documented(422, "The body is no row: every field at fault, its value and what was expected"),
        503: _NO_MODEL,
    },
)
async def predict(request: Asked) -> Prediction:
    # The body first, whatever the answer: an answer to a half-sent request may never be read.
    body = await read_body(request.receive, _serving(request).settings.max_body)
    content_type = request.headers.get("content-type", "")
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise problems.problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"expected the header Content-Type: application/json, found {content_type[:100]!r}",
        )
    return answer(_served(request), body, request.app.state.metrics)


def answer(served: Served, body: bytes, metrics: Metrics) -> Prediction:
    """The prediction for one row as JSON.

    Raises the problems 400 and 422.
    """
    try:
        row = served.contract.decode(body)
    except MalformedError as error:
        raise problems.problem(HTTPStatus.BAD_REQUEST, f"the body is not JSON: {error}") from None
    except RefusedError as error:
        metrics.rejected(error.mistakes, served.contract.schema)
        raise problems.refused(error) from None
    prediction, lower, upper = served.model.predict(np.array([row.numbers]))[0].tolist()
    if not all(map(math.isfinite, (prediction, lower, upper))):
        # Each value is allowed, and their sum leaves the range of float32.
        raise problems.problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "the model has no finite answer to these values: expected values nearer to those of the training rows",
            problems.INVALID_FEATURES,
            errors=[],
        )
    metrics.predicted(prediction)
    return Prediction(prediction, lower, upper, uuid.uuid4().hex, served.md5, row.imputed)


async def read_body(receive: Receive, limit: int) -> bytes:
    """The whole body, of which never more than `limit` bytes are held.

    Raises the problem 413 for a larger one, after its end.
    """
    parts: list[bytes] = []
    size = 0
    more = True
    while more and size <= max(limit, DRAINED):
        message = await receive()
        if message["type"] != "http.request":
            raise problems.problem(HTTPStatus.BAD_REQUEST, "the connection ended before the body did")
        size += len(message.get("body", b""))
        if size <= limit:
            parts.append(message.get("body", b""))
        else:
            parts.clear()
        more = message.get("more_body", False)
    if size > limit:
        raise problems.problem(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"expected a body of at most {limit} bytes (API_MAX_BODY), found more"
        )
    return b"".join(parts)


def _serving(request: Asked) -> Serving:
    return request.app.state.serving


def _served(request: Asked) -> Served:
    serving = _serving(request)
    if serving.served is None:
        raise problems.no_model(serving.reason)
    return serving.served


HANDLERS = [health, ready, metadata, predict]
