"""The pages for a browser: the form at `/`, made from the model's schema, and the OpenAPI document at /docs.

Every script and style comes from this process, and the Content-Security-Policy allows no other. Litestar's own Swagger
page is not used: it writes its script into the HTML, and shows only Litestar's own document.
"""

import itertools
import os
from http import HTTPStatus
from pathlib import Path
from typing import Any

import msgspec
from litestar import MediaType, get
from litestar.connection import ASGIConnection
from litestar.datastructures import CacheControlHeader
from litestar.exceptions import NotFoundException
from litestar.handlers.base import BaseRouteHandler
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.response import Template
from litestar.static_files import create_static_files_router
from litestar.template import TemplateConfig
from litestar.types import ControllerRouterHandler

from api.http import openapi, page_facts
from api.http.body import AnyRequest
from api.model.loader import Served, Serving
from api.requests.values import limits, to_json
from pipeline.contract.number_text import decimals, figure, plain, share
from pipeline.contract.onnx_model import Description
from pipeline.contract.schema import Column
from pipeline.contract.wording import counted

HERE = Path(__file__).parent
TEMPLATES = TemplateConfig(directory=HERE / "templates", engine=JinjaTemplateEngine)
# `data:` is for the small pictures in Swagger UI's style sheet.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
# A prediction is drawn on a scale of so many standard deviations of the training target on each side of its median.
SCALE = 3


class Field(msgspec.Struct, frozen=True):
    """One feature in the form: `value` is its typical value, `options` are pairs of JSON and label."""

    column: Column
    value: str
    allowed: str
    options: tuple[tuple[str, str], ...]


@get("/", include_in_schema=False, media_type=MediaType.HTML, sync_to_thread=True)
def form(request: AnyRequest) -> Template:
    serving: Serving = request.app.state.serving
    if serving.served is None:
        context = {"served": None, "reason": serving.reason}
        return Template("page.html", context=context, headers=HEADERS, status_code=HTTPStatus.SERVICE_UNAVAILABLE)
    context = _context(serving.served) | {"with_key": bool(serving.settings.api_keys)}
    return Template("page.html", context=context, headers=HEADERS)


@get("/docs", include_in_schema=False, media_type=MediaType.HTML, sync_to_thread=False)
def docs() -> Template:
    return Template("docs.html", headers=HEADERS)


@get("/openapi.json", include_in_schema=False, media_type=MediaType.JSON, sync_to_thread=True)
def openapi_json(request: AnyRequest) -> dict[str, Any]:
    serving: Serving = request.app.state.serving
    description = serving.served.model.description if serving.served else None
    return openapi.document(request.app, description, serving.settings)


def _there(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    # Litestar's static files answer 500 for a name that no file can have: one with NUL, or too long.
    if not os.path.isfile(f"{HERE}/static/{connection.path_params['file_path']}"):
        raise NotFoundException


STATIC = create_static_files_router(
    "/static", [HERE / "static"], cache_control=CacheControlHeader(max_age=300), guards=[_there]
)
HANDLERS: list[ControllerRouterHandler] = [form, docs, openapi_json, STATIC]


def fields(description: Description) -> list[Field]:
    """Return the features in the model's order, with the values of a typical row: none where most rows have none."""
    absent = mostly_missing(description)
    return [_field(c, None if c.name in absent else _typical(c, description)) for c in description.columns]


def mostly_missing(description: Description) -> set[str]:
    """Return the features without a value in more than half of the training rows that the model file has: its
    background, or without one the first golden rows, after which comes a row without any value."""
    golden = description.golden.features if description.golden else []
    first = itertools.takewhile(lambda row: any(value is not None for value in row), golden)
    rows = description.background or list(first)
    counts = [sum(value is None for value in column) for column in zip(*rows, strict=True)]
    return {name for name, count in zip(description.features, counts, strict=bool(rows)) if 2 * count > len(rows)}


def _context(served: Served) -> dict[str, Any]:
    about = served.model.description
    training, target = about.training, about.schema.target
    low, high = limits(target)
    return {
        "served": served,
        "about": about,
        "target": target,
        "fields": fields(about),
        "scale": (
            max(low, training.target_median - SCALE * training.target_std),
            min(high, training.target_median + SCALE * training.target_std),
        ),
        "decimals": decimals(training.target_std),
        "figure": figure,
        "share": share,
        "counted": counted,
        "evaluation": page_facts.evaluation(served.md5),
        "drift": page_facts.drift(),
    }


def _field(column: Column, typical: Any) -> Field:
    if column.dtype == "category":
        options = tuple((_json(category), category) for category in column.categories)
    elif column.dtype == "bool":
        options = (("true", "yes"), ("false", "no"))
    else:
        return Field(column, "" if typical is None else plain(typical), _allowed(column), ())
    unit = "" if column.dtype == "bool" else column.unit
    return Field(column, "" if typical is None else _json(typical), unit, options)


def _typical(column: Column, description: Description) -> Any:
    if column.name in description.imputed:
        return to_json(description.imputed[column.name], column)
    return openapi.example(description).get(column.name)


def _allowed(column: Column) -> str:
    """Return the allowed values for people: `0 to 100 percent`."""
    low, high = ("" if bound is None else plain(bound) for bound in (column.min, column.max))
    if low and high:
        text = f"{low} to {high}"
    elif low or high:
        text = f"at least {low}" if low else f"at most {high}"
    else:
        text = "any number" if column.dtype == "float" else "any whole number"
        return f"{text} ({column.unit})" if column.unit else text
    return f"{text} {column.unit}".strip()


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
