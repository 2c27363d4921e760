"""The OpenAPI document: Litestar's own, with the features of the served model as the fields of a row."""

from typing import Any

from litestar import Litestar, route
from litestar.enums import HttpMethod
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute
from litestar.types import Method
from msgspec.structs import replace

from api.http import errors
from api.http.field_schema import field
from api.requests.values import LONGEST_ID, as_sent
from api.settings import Settings
from pipeline.contract.column import Column
from pipeline.contract.columns import positions
from pipeline.contract.description import Description
from pipeline.contract.schema import Schema


def read(path: str, **options: Any) -> HTTPRouteHandler:
    """Return the decorator of a handler of GET, and of HEAD: the same answer, of which uvicorn sends no body.

    The document has the GET alone, with the function's name as its id.
    """
    return route(path, http_method=[HttpMethod.GET, HttpMethod.HEAD], operation_id=_operation_id, **options)


def document(app: Litestar, description: Description | None, settings: Settings) -> dict[str, Any]:
    """Return the document of the application; without a model a row is any object."""
    content = app.openapi_schema.to_schema()
    for operations in content["paths"].values():
        operations.pop("head", None)
    row: dict[str, Any] = {"type": "object"} if description is None else body_schema(description.schema)
    bodies: dict[str, dict[str, Any]] = {
        "/predict": {"schema": row},
        "/predict/batch": {"schema": {"type": "array", "maxItems": settings.api_max_batch, "items": row}},
        "/feedback": {"schema": feedback_schema(description.schema if description else None)},
    }
    if description is not None:
        bodies["/predict"]["example"] = example(description)
        bodies["/predict/batch"]["example"] = [example(description)] * min(2, settings.api_max_batch)
        answer = content["components"]["schemas"]["Prediction"]["properties"]
        target, level = description.schema.target, description.interval.level
        answer["prediction"]["description"] = _text(target)
        answer["lower"]["description"] = f"The interval from lower to upper should hold {level:.0%} of actual values"
    for path, body in bodies.items():
        content["paths"][path]["post"]["requestBody"] = {"required": True, "content": {"application/json": body}}
    if settings.api_keys:
        _secure(content, app)
    return content


def _operation_id(handler: HTTPRouteHandler, method: Method | HttpMethod, _: Any) -> str:
    return handler.handler_name if method == HttpMethod.GET else f"{handler.handler_name}_{method.lower()}"


def _secure(content: dict[str, Any], app: Litestar) -> None:
    """Add which operations require a key, how it is sent, and the answers without one and with another one."""
    content["components"]["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    }
    form = {"content": {errors.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
    headers = {"WWW-Authenticate": {"schema": {"type": "string"}}}
    routes = [each for each in app.routes if isinstance(each, HTTPRoute)]
    for path, handler in [(each.path_format, handler) for each in routes for handler in each.route_handlers]:
        for operation in content["paths"][path].values() if "scope" in handler.opt else ():
            operation["security"] = [{"bearer": []}, {"header": []}]
            operation["responses"] |= {
                "401": {"description": "There is no valid key", "headers": headers, **form},
                "403": {"description": f"The key lacks the scope {handler.opt['scope']}", **form},
            }


def body_schema(schema: Schema) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of one row, with the names, types, bounds and units of the table."""
    others = schema.others
    return {
        "type": "object",
        "properties": {
            **{column.name: field(column) for column in schema.features},
            **{c.name: {"description": f"Accepted and not used ({c.role}): {_text(c)}"} for c in others},
            **{c.name: field(replace(c, nullable=True)) for c in others if c.role == "time"},
        },
        "required": [column.name for column in schema.features if not column.nullable],
        "additionalProperties": False,
    }


def feedback_schema(schema: Schema | None) -> dict[str, Any]:
    """Return the JSON Schema of a feedback; the actual value has the bounds of the target."""
    own = schema.with_role("id") if schema else ()
    key = {
        "description": "The id of an answer" + (f", or the {own[0].name} that was sent with the row" if own else ""),
        "type": ["string", "integer"],
        "minLength": 1,
        "maxLength": LONGEST_ID,
        "pattern": "^[^\\u0000]*$",
        "exclusiveMinimum": -(2**63),
        "exclusiveMaximum": 2**63,
    }
    return {
        "type": "object",
        "properties": {"id": key, "actual": field(schema.target) if schema else {"type": "number"}},
        "required": ["id", "actual"],
        "additionalProperties": False,
    }


def example(description: Description) -> dict[str, Any]:
    """Return a training row as a body: the first golden row of the model file."""
    if description.golden is None:
        return {}
    row, at = description.golden.features[0], positions(description.columns)
    return {column.name: as_sent([row[k] for k in at[column.name]], column) for column in description.columns}


def _text(column: Column) -> str:
    return f"{column.description or column.name}{f' [{column.unit}]' if column.unit else ''}"
