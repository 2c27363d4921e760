"""The OpenAPI document: the real fields, true for the server, with nothing from elsewhere."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.http.openapi import body_schema
from api.requests.decoder import Contract
from api.requests.diagnostics import RefusedError
from pipeline.contract.cell_text import NUMBER
from pipeline.contract.column import Column
from tests.api.conftest import Client, row, serving
from tests.api.requests.test_readers_agree import ANY, LEAVES, NAMES
from tests.pipeline.contract.test_cells import WORDS
from tests.tables import make_schema


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


def test_a_prefix_of_a_proxy(document: dict[str, Any], tmp_path: Path) -> None:
    """Paths are relative to the document, so they hold behind a proxy that strips a prefix; ROOT_PATH names it for a
    client that has the document from elsewhere. The pages name nothing by a path from the root."""
    assert document["servers"] == [{"url": "./"}]
    with serving(tmp_path, root_path="/housing") as client:
        assert client.get("/openapi.json").json()["servers"] == [{"url": "/housing"}]
        for path in ("/", "/docs"):
            assert re.findall(r'(?:href|src|action)="/', client.get(path).text) == []


def test_the_body_has_the_real_fields(document: dict[str, Any]) -> None:
    """Names, types, bounds, categories, units and what is required come from the model's schema."""
    body = fields(document)["schema"]
    assert body["required"] == ["area m²", "rooms", "distrito"]
    assert body["additionalProperties"] is False
    area = body["properties"]["area m²"]
    assert re.fullmatch(area["pattern"], "-2.5e1 ")  # a number in text
    assert area == {
        "pattern": area["pattern"],
        "description": "Living area: a number from 10 to 500 (square metres)",
        "type": ["number", "string"],
        "minimum": 10,
        "maximum": 500,
    }
    year, heating, garden = (body["properties"][name]["anyOf"] for name in ("year", "heating", "garden?"))
    assert (year[0]["type"], year[1]) == (["integer", "string"], {"type": "null"})
    assert heating[0]["anyOf"][0] == {"enum": ["gas", "1", 1]}
    assert garden[0]["anyOf"][0] == {"enum": [True, False, 1, 0]}
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


EVERY = make_schema(
    Column("f", "float", missing=("?", "-999"), min=-1000, max=10),
    Column("g", "int", missing=("-1",), min=0, nullable=True),
    Column("b", "bool", missing=("unknown",), nullable=True),
    Column("c", "category", categories=("1", "2.5", "007", "True", "a.b")),
    Column("o", "category", categories=("NA", "rest"), other="rest", missing=("9",)),
    Column("p", "category", categories=("x",), other="x", nullable=True),
    Column("y", "float", role="target"),
)
VALID = {"f": 1, "c": "1", "o": "NA"}


def assert_agree(contract: Contract, body: dict[str, Any]) -> None:
    """The decoder takes the body where the document does; bounds hold for a number in text too."""
    try:
        contract.decode(json.dumps(body).encode())
    except RefusedError:
        accepted = False
    else:
        accepted = True
    document = jsonschema.Draft202012Validator(body_schema(contract.schema))
    assert document.is_valid(body) or not accepted
    numbers = [column.name for column in contract.schema.features if column.dtype in ("float", "int")]
    texts = {name: body[name] for name in numbers if isinstance(body.get(name), str)}
    as_numbers = {name: float(text) for name, text in texts.items() if re.fullmatch(NUMBER, text.strip())}
    assert document.is_valid(body | as_numbers) is accepted


@given(st.dictionaries(NAMES, LEAVES | ANY, max_size=3))
def test_the_document_and_the_server_agree(contract: Contract, changes: dict[str, Any]) -> None:
    """A body is a row exactly where the described JSON Schema says so, with a number in text taken as the number."""
    assert_agree(contract, row() | changes)


@given(
    st.dictionaries(
        st.sampled_from("fgbcop"), LEAVES | st.sampled_from([*WORDS, -999, -1, 9, 7, 2.5, "9.0"]), max_size=3
    )
)
def test_they_agree_on_markers_and_other_categories(changes: dict[str, Any]) -> None:
    """So it is with a column's own markers of missing, and with a category for all others."""
    assert_agree(Contract(EVERY), VALID | changes)


@pytest.mark.parametrize(
    ("column", "good", "bad"),
    [
        (
            Column("t", "category", role="time"),
            ["2026-11-30", "2026-11-30T10:05:00Z", "2026-11-30 10:05", None, "NA", ...],
            ["yesterday", "10:05", "01/02/2026", "2026-02-30", 1764497100, True, []],
        ),
        (Column("t", "int", role="time", min=2000), [2026, 2026.0, "2026", None, ...], ["yesterday", 2026.5, 1999]),
    ],
)
def test_a_time_is_checked(column: Column, good: list[Any], bad: list[Any]) -> None:
    """A time that is sent must be one that cleaning takes, or its labelled row is lost later; it may be absent."""
    checked = Contract(make_schema(Column("f", "float"), column, Column("y", "float", role="target")))
    for value in good:
        body = {"f": 1} if value is ... else {"f": 1, "t": value}
        assert checked.decode(json.dumps(body).encode()).numbers == [1.0]
        assert jsonschema.Draft202012Validator(body_schema(checked.schema)).is_valid(body)
    for value in bad:
        with pytest.raises(RefusedError) as raised:
            checked.decode(json.dumps({"f": 1, "t": value}).encode())
        assert [(mistake.field, mistake.problem) for mistake in raised.value.mistakes] == [("t", "type")]
