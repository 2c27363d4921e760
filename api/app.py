"""The Litestar application. Importing this does nothing; `create_app` makes it and its start loads the model."""

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

from api import openapi, problems, settings
from api.fast import Application
from api.log import Log
from api.model import Serving
from api.predictor import Predictor
from api.routes import HANDLERS
from api.settings import Settings

VERSION = "1"  # of the HTTP contract


def create_app(given: Settings | None = None) -> Litestar:
    """The application with these settings, by default those of the environment.

    Raises PipelineError for a setting that is not valid. A model that cannot be loaded is no reason to stop: then
    /ready says why.
    """
    chosen = given or settings.load()
    serving = Serving(chosen)
    log = Log(chosen)
    predictor = Predictor(log)
    return Application(
        serving,
        predictor,
        HANDLERS,
        lifespan=[_lifespan],
        state=State({"serving": serving, "openapi": None, "log": log, "predictor": predictor}),
        plugins=[problems.plugin()],
        openapi_config=OpenAPIConfig(
            title="Predictions",
            version=VERSION,
            openapi_router=_closed(),
            render_plugins=[JsonRenderPlugin()],
        ),
        logging_config=None,
    )


@asynccontextmanager
async def _lifespan(app: Litestar) -> AsyncIterator[None]:
    serving: Serving = app.state.serving
    log: Log = app.state.log
    serving.start()
    await log.start()
    description = serving.served.model.description if serving.served else None
    app.state.openapi = openapi.document(app, description, serving.settings.max_batch)
    # What is loaded now stays: the garbage collector need not look at it again.
    gc.collect()
    gc.freeze()
    yield
    await log.stop()


def _closed() -> Router:
    """Where Litestar mounts pages of its own: shut, for they answer with HTML, and ours is /openapi.json."""
    return Router("/schema", route_handlers=[], include_in_schema=False, guards=[_not_found])


def _not_found(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    raise NotFoundException
