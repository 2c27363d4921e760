"""The OpenAPI document: Litestar's own, with the fields of the model that is served in place of a bare object."""

from typing import Any

from litestar import Litestar

from api import problems
from api.values import expected, limits, to_json
from stages.onnx_file import Description
from stages.schema import Column, Schema

# What API_KEYS protects.
PROTECTED = ("/predict", "/predict/batch", "/feedback", "/metrics")


def document(app: Litestar, description: Description | None, secured: bool) -> dict[str, Any]:
    """The document for the application with this model, or with none: then a body is any object.

    `secured`: requests need a key.
    """
    content = app.openapi_schema.to_schema()
    predict = content["paths"]["/predict"]["post"]
    schema = {"type": "object"} if description is None else body_schema(description.schema)
    body: dict[str, Any] = {"schema": schema}
    if description is not None:
        body["example"] = example(description)
        answer = content["components"]["schemas"]["Prediction"]["properties"]
        target, level = description.schema.target, description.interval.level
        answer["prediction"]["description"] = _text(target)
        answer["lower"]["description"] = f"The interval from lower to upper should hold {level:.0%} of actual values"
    predict["requestBody"] = {"required": True, "content": {"application/json": body}}
    if secured:
        _secure(content)
    return content


def _secure(content: dict[str, Any]) -> None:
    """Say which operations want a key, how it is sent, and what happens without."""
    content.setdefault("components", {})["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    }
    form = {"$ref": "#/components/schemas/Problem"}
    refused = {
        "description": "There is no valid key",
        "headers": {"WWW-Authenticate": {"schema": {"type": "string"}}},
        "content": {problems.MEDIA_TYPE: {"schema": form}},
    }
    for path in PROTECTED:
        for operation in content["paths"].get(path, {}).values():
            operation["security"] = [{"bearer": []}, {"header": []}]
            operation["responses"]["401"] = refused


def body_schema(schema: Schema) -> dict[str, Any]:
    """The JSON Schema (2020-12) of one row, with the names, types, bounds and units of the table."""
    others = [c for c in schema.columns if c.role not in ("feature", "target")]
    return {
        "type": "object",
        "properties": {
            **{column.name: _field(column) for column in schema.features},
            **{c.name: {"description": f"Accepted and not used ({c.role}): {_text(c)}"} for c in others},
        },
        "required": [column.name for column in schema.features if not column.nullable],
        "additionalProperties": False,
    }


def example(description: Description) -> dict[str, Any]:
    """A training row as a body: the first that the model file keeps to prove itself."""
    golden = description.golden.features[0] if description.golden else []
    return {
        column.name: to_json(number, column) for column, number in zip(description.columns, golden, strict=bool(golden))
    }


def _field(column: Column) -> dict[str, Any]:
    field: dict[str, Any] = {"description": f"{column.description or column.name}: {expected(column)}"}
    null: list[Any] = [None] if column.nullable else []
    if column.dtype == "category":
        return field | {"enum": [*column.categories, *null]}
    if column.dtype == "bool":
        return field | {"enum": [True, False, 1, 0, *null]}
    kind = "integer" if column.dtype == "int" else "number"
    low, high = limits(column)
    if column.dtype == "int":
        low, high = int(low), int(high)
    return field | {"type": [kind, "null"] if column.nullable else kind, "minimum": low, "maximum": high}


def _text(column: Column) -> str:
    return f"{column.description or column.name}{f' [{column.unit}]' if column.unit else ''}"
