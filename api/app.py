"""The Litestar application. Importing this module does no work; the application loads the model when it starts."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from litestar import Litestar, Router
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.exceptions import NotFoundException
from litestar.handlers.base import BaseRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Server

from api import settings
from api.http import auth, draining, errors, page, routes, status
from api.http.fast_path import FastPath
from api.http.middleware import Middleware
from api.model.loader import Serving
from api.model.micro_batcher import Predictor
from api.model.reloader import Reloader
from api.prediction_log.writer import Log
from api.settings import Settings
from api.telemetry import access_log, logging_config
from api.telemetry.metrics import Metrics

VERSION = "1"  # of the HTTP contract


def create_app(given: Settings | None = None) -> Litestar:
    """Return the application with these settings, by default those of the environment.

    Raises PipelineError for an invalid setting. Without a model that can be loaded it starts too, and /ready says why.
    """
    chosen = given or settings.load()
    serving, log = Serving(chosen), Log(chosen)
    counted = Metrics(log)
    predictor = Predictor(log, counted)
    app = Litestar(
        [*status.HANDLERS, *routes.HANDLERS, *page.HANDLERS],
        lifespan=[_lifespan],
        guards=[auth.required],
        state=State({"serving": serving, "metrics": counted, "log": log, "predictor": predictor}),
        plugins=[errors.plugin()],
        template_config=page.TEMPLATES,
        openapi_config=OpenAPIConfig(
            title="Predictions",
            version=VERSION,
            # Closed: the document is at /openapi.json, not on Litestar's pages.
            openapi_router=Router("/schema", route_handlers=[], include_in_schema=False, guards=[_not_found]),
            render_plugins=[JsonRenderPlugin()],
            # Relative to the document, so that a proxy may put all under a path.
            servers=[Server(chosen.root_path or "./")],
        ),
        logging_config=None,
    )
    lines = access_log.RequestLines(logging_config.is_json(chosen), counted.lines_lost)
    app.asgi_handler = Middleware(FastPath(app.asgi_handler, serving, predictor), counted, lines, chosen.allowed_hosts)
    app.on_shutdown += [lines.close, counted.close]
    return app


@asynccontextmanager
async def _lifespan(app: Litestar) -> AsyncIterator[None]:
    log: Log = app.state.log
    async with Reloader(app.state.serving, app.state.metrics).watching():
        await log.start()
        # The garbage collector need not visit what is loaded now, and new objects rarely: a batch makes thousands of
        # them, and no cycles.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, *gc.get_threshold()[1:])
        try:
            draining.on_sigterm(app.state.serving.settings.drain_seconds)
            yield
        finally:
            await log.stop()


def _not_found(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    raise NotFoundException
