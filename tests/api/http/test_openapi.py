"""The OpenAPI document: the real fields, true for the server, with nothing from elsewhere."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.http.openapi import body_schema
from api.requests.decoder import Contract
from api.requests.diagnostics import RefusedError
from tests.api.conftest import Client, row, serving
from tests.api.requests.test_decoder import ANY, LEAVES, NAMES


@pytest.fixture(scope="module")
def document(client: Client) -> dict[str, Any]:
    response = client.get("/openapi.json")
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    return response.json()


def fields(document: dict[str, Any]) -> dict[str, Any]:
    return document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]


def test_every_path_is_in_it(document: dict[str, Any]) -> None:
    """The document lists what the server answers, and no page of the framework."""
    assert set(document["paths"]) == {
        *("/health", "/ready", "/metadata", "/metrics", "/predict", "/predict/batch", "/feedback")
    }
    assert set(document["paths"]["/predict"]["post"]["responses"]) == {"200", "400", "413", "415", "422", "503"}


def test_the_body_has_the_real_fields(document: dict[str, Any]) -> None:
    """Names, types, bounds, categories, units and what is required come from the model's schema."""
    body = fields(document)["schema"]
    assert body["required"] == ["area m²", "rooms", "distrito"]
    assert body["additionalProperties"] is False
    assert body["properties"]["area m²"] == {
        "description": "Living area: a number from 10 to 500 (square metres)",
        "type": "number",
        "minimum": 10,
        "maximum": 500,
    }
    assert body["properties"]["year"]["type"] == ["integer", "null"]
    assert body["properties"]["heating"]["enum"] == ["gas", "1", None]
    assert body["properties"]["garden?"]["enum"] == [True, False, 1, 0, None]
    assert "price" not in body["properties"]


def test_the_example_works(document: dict[str, Any], client: Client) -> None:
    """The example in the document is answered with a prediction."""
    sent = fields(document)["example"]
    assert {"area m²", "rooms", "distrito"} <= set(sent)
    assert client.post("/predict", json=sent).status_code == 200
    batch = document["paths"]["/predict/batch"]["post"]["requestBody"]["content"]["application/json"]
    assert batch["schema"]["items"] == fields(document)["schema"]
    assert len(client.post("/predict/batch", json=batch["example"]).json()) == 2


def test_the_answers_are_as_described(document: dict[str, Any], client: Client) -> None:
    """Every answer and a refusal validate against their schemas; the prediction's description has the unit."""
    answers = [
        ("post", "/predict", client.post("/predict", json=row())),
        ("post", "/predict", client.post("/predict", json=row(rooms=0, x=[1], slope="a", area=True))),
        ("post", "/predict", client.post("/predict", content=b"{")),
        ("post", "/predict/batch", client.post("/predict/batch", json=[row(), row(rooms=4)])),
        ("post", "/predict/batch", client.post("/predict/batch", json=[row(), row(rooms=0), 7])),
        ("post", "/predict/batch", client.post("/predict/batch", json={})),
        *(
            ("post", "/feedback", client.post("/feedback", json={"id": key, "actual": 1}))
            for key in (client.post("/predict", json=row()).json()["id"], "nobody", 1.5)
        ),
        *(("get", path, client.get(path)) for path in ("/health", "/ready", "/metadata")),
    ]
    for method, path, response in answers:
        described = document["paths"][path][method]["responses"][str(response.status_code)]["content"]
        schema = described[response.headers["content-type"]]["schema"]
        jsonschema.validate(response.json(), schema | {"components": document["components"]})
    prediction = document["components"]["schemas"]["Prediction"]
    assert "euro" in prediction["properties"]["prediction"]["description"]
    assert set(prediction["required"]) == set(answers[0][2].json())


def test_without_a_model_the_body_is_any_object(tmp_path: Path) -> None:
    """A server that is not ready still describes itself."""
    with serving(tmp_path, model_path=tmp_path / "away.onnx") as client:
        assert fields(client.get("/openapi.json").json()) == {"schema": {"type": "object"}}


@given(st.dictionaries(NAMES, LEAVES | ANY, max_size=3))
def test_the_document_and_the_server_agree(contract: Contract, changes: dict[str, Any]) -> None:
    """A body is a row exactly where the described JSON Schema says so."""
    body = row() | changes
    try:
        contract.decode(json.dumps(body).encode())
    except RefusedError:
        accepted = False
    else:
        accepted = True
    assert jsonschema.Draft202012Validator(body_schema(contract.schema)).is_valid(body) is accepted
