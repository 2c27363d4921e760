"""POST /feedback: the actual value of an earlier prediction."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sqlalchemy import select

from api.http.openapi import feedback_schema
from api.keys import parse
from api.prediction_log.schema import feedback
from api.requests.decoder import Contract
from api.requests.diagnostics import RefusedError
from api.requests.feedback import decode
from api.requests.values import limits
from pipeline.contract.column import Column
from tests.api.conftest import JSON, Client, Example, row, serving
from tests.api.http.test_predict import assert_problem
from tests.api.requests.test_readers_agree import ANY, LEAVES


def give(client: Client, key: Any, actual: float) -> dict[str, Any]:
    response = client.post("/feedback", json={"id": key, "actual": actual})
    assert response.status_code == 200
    return response.json()


def test_corrections_are_kept_and_the_same_again_changes_nothing(client: Client) -> None:
    """The first value, a correction and a return to the first are all kept; a repetition is not."""
    key = client.post("/predict", json=row()).json()["id"]
    first, again, corrected, back = (give(client, key, actual) for actual in (10, 10.0, 11.5, 10))
    assert first == {"id": key, "actual": 10.0, "changed": True, "previous": None}
    assert again == {"id": key, "actual": 10.0, "changed": False, "previous": 10.0}
    assert corrected == {"id": key, "actual": 11.5, "changed": True, "previous": 10.0}
    assert back["changed"]
    with client.app.state.log.database.connect() as connection:
        kept = connection.scalars(select(feedback.c.actual).order_by(feedback.c.seq.desc()).limit(3))
        assert list(kept) == [10.0, 11.5, 10.0]


def test_who_told_a_value_is_kept(example: Example, tmp_path: Path) -> None:
    """The name of the caller's key stands beside each actual value, none where there are no keys."""
    headers = {name: {"X-API-Key": f"{name}-secret"} for name in ("crm", "shop")}
    words = [f"{name}:predict+feedback:{name}-secret" for name in headers]
    with serving(tmp_path, model_path=example.path, api_keys=parse(words)) as client:
        key = client.post("/predict", json=row(), headers=headers["crm"]).json()["id"]
        for actual, name in enumerate(headers):
            assert client.post("/feedback", json={"id": key, "actual": actual}, headers=headers[name]).is_success
    with serving(tmp_path, model_path=example.path) as client:
        give(client, key, 7)
        with client.app.state.log.database.connect() as connection:
            assert list(connection.scalars(select(feedback.c.key).order_by(feedback.c.seq))) == ["crm", "shop", None]


@pytest.mark.parametrize(("sent", "given"), [("L-1", "L-1"), (17, "17"), (18, 18.0), ("ñ:\U0001d11e", "ñ:\U0001d11e")])
def test_the_callers_own_id_names_the_latest_prediction(client: Client, sent: Any, given: Any) -> None:
    """The value of the schema's id column works too: text, or a whole number however it is written."""
    client.post("/predict", json=row(listing=sent))
    [latest] = client.post("/predict/batch", json=[row(listing=sent, rooms=4)]).json()
    assert give(client, given, 5)["id"] == latest["id"]


def test_an_unknown_id_is_404(client: Client) -> None:
    """An id that no prediction has is named in the answer."""
    assert "'nobody'" in assert_problem(client.post("/feedback", json={"id": "nobody", "actual": 1}), 404)["detail"]
    client.post("/predict", json=row(listing="x" * 201))
    assert_problem(client.post("/feedback", json={"id": "x" * 200, "actual": 1}), 404)


@pytest.mark.parametrize(
    ("content", "field", "problem"),
    [
        (b'{"id": "a", "actual": -1}', "actual", "bounds"),
        (b'{"id": "a", "actual": 1e999}', "actual", "bounds"),
        (b'{"id": "a", "actual": "x"}', "actual", "type"),
        (b'{"id": "a", "actual": null}', "actual", "missing"),
        (b'{"id": "a"}', "actual", "missing"),
        (b'{"actual": 1}', "id", "missing"),
        (b'{"id": "", "actual": 1}', "id", "type"),
        (b'{"id": null, "actual": 1}', "id", "type"),
        (b'{"id": 1.5, "actual": 1}', "id", "type"),
        (b'{"id": "\\u0000", "actual": 1}', "id", "type"),
        (b'{"id": true, "actual": 1}', "id", "type"),
        (b'{"id": "a", "actual": 1, "price": 1}', "price", "unknown"),
        (b'{"id": "a", "actual": 1, "actual": 1}', "actual", "duplicate"),
        (b"[]", "", "body"),
    ],
)
def test_a_mistake_names_field_value_and_expectation(client: Client, content: bytes, field: str, problem: str) -> None:
    """The actual value must be one that the target may have, and the id one that a prediction may have."""
    [error] = assert_problem(client.post("/feedback", content=content, headers=JSON), 422)["errors"]
    assert (error["field"], error["problem"]) == (field, problem)
    if problem == "bounds":
        assert error["expected"] == "a number of at least 0 (euro)"


def test_what_cannot_be_read(client: Client) -> None:
    """Feedback has the limits and refusals of a prediction's body."""
    assert_problem(client.post("/feedback", content=b'{"id": NaN}', headers=JSON), 400)
    assert_problem(client.post("/feedback", content=b"{}", headers={"content-type": "text/plain"}), 415)
    assert_problem(client.post("/feedback", content=b"{}".ljust(4097), headers=JSON), 413)


@given(st.fixed_dictionaries({}, optional={"id": LEAVES | ANY, "actual": LEAVES | ANY, "x": st.none()}))
def test_the_document_and_the_server_agree(contract: Contract, body: dict[str, Any]) -> None:
    """A body is a feedback exactly where the described JSON Schema says so, which has no bounds for a number in a
    text."""
    assume(not isinstance(body.get("actual"), str) or not _is_beyond(body["actual"], contract.schema.target))
    try:
        decode(json.dumps(body).encode(), contract.schema.target)
    except RefusedError:
        accepted = False
    else:
        accepted = True
    assert jsonschema.Draft202012Validator(feedback_schema(contract.schema)).is_valid(body) is accepted


def _is_beyond(text: str, target: Column) -> bool:
    """Return whether a text is a number outside the bounds of the target."""
    low, high = limits(target)
    try:
        return not low <= float(text) <= high
    except ValueError:
        return False
