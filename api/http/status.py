"""The handlers that tell the state of the server: /health, /ready, /metadata and /metrics."""

from http import HTTPStatus

from litestar import Response
from prometheus_client import CONTENT_TYPE_LATEST

from api.http import draining, errors
from api.http.body import AnyRequest
from api.http.openapi import read
from api.http.responses import Health, Metadata, Ready
from api.model.loader import Served, Serving
from api.prediction_log.writer import Log

# Litestar adds the charset to every text.
_METRICS = CONTENT_TYPE_LATEST.partition("; charset")[0]

_NO_MODEL = errors.documented(503, "No verified model is loaded; the detail says why")
_NOT_READY = errors.documented(
    503, "No verified model is loaded, the prediction log cannot be written, or the server stops; the detail says which"
)


@read("/health", summary="The process is alive; which model files it found")
async def health(request: AnyRequest) -> Health:
    serving: Serving = request.app.state.serving
    log: Log = request.app.state.log
    # The log is not tried: an orchestrator that gets no answer at once would kill the process.
    ready = serving.served is not None and not (log.required and log.reason) and not draining.begun
    return Health("ok", ready, serving.artifacts)


@read("/ready", summary="A prediction would be answered now", responses={503: _NOT_READY})
async def ready(request: AnyRequest) -> Ready:
    if draining.begun:
        raise errors.problem(HTTPStatus.SERVICE_UNAVAILABLE, "the server stops soon (DRAIN_SECONDS): send no more here")
    served = request.app.state.serving.now()
    log: Log = request.app.state.log
    if log.required and log.reason:
        # The reason may name hosts and users, and anybody may ask.
        raise errors.problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "the prediction log cannot be written (PREDICTION_LOG_URL); the server's own log has the reason",
            errors.NO_LOG,
        )
    return Ready("ready", served.md5)


@read("/metadata", summary="What is served", responses={503: _NO_MODEL})
async def metadata(request: AnyRequest) -> Metadata:
    served: Served = request.app.state.serving.now()
    about = served.model.description
    return Metadata(
        family=about.family,
        promoted=served.promoted,
        unpromoted=served.unpromoted,
        path=served.path.as_posix(),
        md5=served.md5,
        revision=served.revision,
        version=served.version,
        settings=about.settings,
        members=about.members,
        interval=about.interval,
        imputed=about.imputed,
        training=about.training,
        schema=about.schema,
    )


@read(
    "/metrics",
    opt={"scope": "metrics"},
    summary="Prometheus text: requests, latency, predictions, rejected fields, swaps, the prediction log",
    media_type=_METRICS,
)
async def metrics(request: AnyRequest) -> Response[bytes]:
    return Response(request.app.state.metrics.text(), media_type=_METRICS)


HANDLERS = [health, ready, metadata, metrics]
