"""The pages for a browser: the form at `/`, made from the model's schema, and the OpenAPI document at /docs.

Every script and style comes from this process, and the Content-Security-Policy allows no other. Litestar's own Swagger
page is not used: it writes its script into the HTML, and shows only Litestar's own document.
"""

import functools
import mimetypes
from http import HTTPStatus
from pathlib import Path
from typing import Any

from litestar import MediaType, Response
from litestar.datastructures import CacheControlHeader
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.response import Template
from litestar.template import TemplateConfig
from litestar.types import ControllerRouterHandler

from api.http import form_fields, openapi, page_facts
from api.http.body import AnyRequest
from api.http.openapi import read
from api.model.loader import Served, Serving
from api.requests.values import limits
from pipeline.contract.number_text import decimals, figure, share
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


@read("/", include_in_schema=False, media_type=MediaType.HTML, sync_to_thread=True)
def form(request: AnyRequest) -> Template:
    serving: Serving = request.app.state.serving
    if serving.served is None:
        context = {"served": None, "reason": serving.reason}
        return Template("page.html", context=context, headers=HEADERS, status_code=HTTPStatus.SERVICE_UNAVAILABLE)
    context = _context(serving.served) | {"with_key": bool(serving.settings.api_keys)}
    return Template("page.html", context=context, headers=HEADERS)


@read("/docs", include_in_schema=False, media_type=MediaType.HTML, sync_to_thread=False)
def docs() -> Template:
    return Template("docs.html", headers=HEADERS)


@read("/openapi.json", include_in_schema=False, media_type=MediaType.JSON, sync_to_thread=True)
def openapi_json(request: AnyRequest) -> dict[str, Any]:
    serving: Serving = request.app.state.serving
    description = serving.served.model.description if serving.served else None
    return openapi.document(request.app, description, serving.settings)


@functools.cache
def _files() -> dict[str, bytes]:
    """Return the static files by path. There is one copy, however many clients read it, and however slowly."""
    folder = HERE / "static"
    return {
        f"/{path.relative_to(folder).as_posix()}": path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@read(
    "/static/{name:path}", include_in_schema=False, cache_control=CacheControlHeader(max_age=300), sync_to_thread=True
)
def static(name: FromPath[str]) -> Response[bytes]:
    if name not in _files():
        raise NotFoundException
    return Response(_files()[name], media_type=mimetypes.guess_type(name)[0] or "text/plain")


HANDLERS: list[ControllerRouterHandler] = [form, docs, openapi_json, static]


def _context(served: Served) -> dict[str, Any]:
    about = served.model.description
    training, target = about.training, about.schema.target
    low, high = limits(target)
    return {
        "served": served,
        "about": about,
        "target": target,
        "fields": form_fields.fields(about),
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
