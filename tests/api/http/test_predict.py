"""POST /predict and the form of every error, through the application."""

import gzip
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.requests.values import as_sent
from pipeline.contract.columns import positions
from pipeline.tables.atomic_files import digest
from pipeline.tables.feature_matrix import to_matrix
from pipeline.tables.splitting import TEST
from tests.api.conftest import JSON, Client, Example, logged, row, serving
from tests.api.requests.test_readers_agree import ANY, JUNK, LEAVES, NAMES
from tests.conftest import ROOT

DOCUMENTED = {200, 400, 413, 415, 422}


def bodies(example: Example, table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of the table as a caller would send them; missing values are null."""
    columns = example.schema.features
    rows = [[None if math.isnan(number) else number for number in row] for row in to_matrix(table, columns).tolist()]
    return [{c.name: as_sent([row[k] for k in positions(columns)[c.name]], c) for c in columns} for row in rows]


def assert_problem(response: Any, status: int) -> dict[str, Any]:
    """Return the content of a problem document with this status in both places."""
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    content = response.json()
    assert {"type", "title", "status", "detail"} <= set(content)
    assert content["status"] == status
    assert content["detail"]
    return content


def test_the_answer_is_that_of_the_fitted_pipeline(client: Client, example: Example) -> None:
    """For rows with and without missing values the served number is the scikit-learn pipeline's."""
    table = example.table.head(60)
    assert table[["garden?", "heating", "year", "slope"]].isna().any(axis=1).sum() > 5
    wanted = example.pipeline.predict(table)
    tolerance = 1e-4 * float(example.table["price"].std())
    for body, number in zip(bodies(example, table), wanted, strict=True):
        response = client.post("/predict", json=body)
        assert response.status_code == 200
        assert math.isclose(response.json()["prediction"], number, abs_tol=tolerance)


@pytest.mark.parametrize("path", ["/predict", "/predict/batch", "/feedback"])
def test_a_compressed_body_is_415(client: Client, path: str) -> None:
    """A body that is said to be compressed is refused as such, with the codings that are taken; `identity` is none."""
    headers = {**JSON, "Content-Encoding": "gzip"}
    for content in (gzip.compress(json.dumps(row()).encode()), json.dumps(row()).encode()):
        response = client.post(path, content=content, headers=headers)
        assert "Content-Encoding: 'gzip'" in assert_problem(response, 415)["detail"]
        assert response.headers["accept-encoding"] == "identity"
    assert client.post("/predict", json=row(), headers={"Content-Encoding": "Identity"}).status_code == 200


def test_what_an_answer_has(client: Client, example: Example) -> None:
    """An answer has the interval around the prediction, an id of its own, the model's md5 and what was imputed."""
    first, second = (client.post("/predict", json=row(slope=None, heating=...)).json() for _ in range(2))
    assert set(first) == {"prediction", "lower", "upper", "id", "model", "imputed"}
    assert first["lower"] < first["prediction"] < first["upper"]
    assert first["model"] == digest(example.path, "md5")
    assert first["imputed"] == ["heating", "slope"]
    assert first.pop("id") != second.pop("id")
    assert first == second


def test_an_imputed_feature_counts_as_its_learned_value(client: Client, example: Example) -> None:
    """Leaving a feature out is the same as sending null, and /metadata has what replaces it: the training rows' median.
    (A model may have learned something of a value's being missing too.)"""
    left_out, null = (client.post("/predict", json=row(slope=value)).json()["prediction"] for value in (..., None))
    assert left_out == null
    training = example.table[example.table["fold"] != TEST]
    assert client.get("/metadata").json()["imputed"]["slope"] == pytest.approx(float(training["slope"].median()))


def test_a_mistake_is_told_in_the_problem_document(client: Client) -> None:
    """A body that is no row is 422 with each field, its value and what was expected."""
    content = assert_problem(client.post("/predict", json=row(rooms=99)), 422)
    wanted = {"field": "rooms", "problem": "bounds", "value": 99, "expected": "a whole number from 1 to 10"}
    assert content["errors"] == [wanted]
    assert content["detail"] == "rooms: expected a whole number from 1 to 10"


@pytest.mark.parametrize("content", [b"", b'{"rooms": NaN}', b"\xff", b"[" * 2000])
def test_no_json_is_400(client: Client, content: bytes) -> None:
    """A body that is not JSON is 400."""
    assert_problem(client.post("/predict", content=content, headers=JSON), 400)


@pytest.mark.parametrize("kind", [None, "", "text/plain", "application/jsonx", "application/x-www-form-urlencoded"])
def test_another_content_type_is_415(client: Client, kind: str | None) -> None:
    """Only application/json is taken; the answer names what was found."""
    headers = {} if kind is None else {"content-type": kind}
    content = assert_problem(client.post("/predict", content=json.dumps(row()), headers=headers), 415)
    assert repr(kind or "") in content["detail"]


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON", "application/json;x"])
def test_parameters_of_the_content_type_are_allowed(client: Client, kind: str) -> None:
    """application/json may be written in capitals and with parameters."""
    response = client.post("/predict", content=json.dumps(row()), headers={"content-type": kind})
    assert response.status_code == 200


@pytest.mark.parametrize(("size", "status"), [(4096, 200), (4097, 413), (300_000, 413)])
def test_a_body_over_the_limit_is_413(client: Client, size: int, status: int) -> None:
    """The limit is inclusive, and counts bytes that arrive, announced or not."""
    content = json.dumps(row()).encode().ljust(size)
    for sent in (content, iter([content[:1000], content[1000:]])):
        response = client.post("/predict", content=sent, headers=JSON)
        assert response.status_code == status
        if status == 413:
            assert "4096 bytes" in assert_problem(response, 413)["detail"]


def test_no_such_path_and_no_such_method_are_problems(client: Client) -> None:
    """404 and 405 have the form of all errors, and 405 says what is allowed."""
    for path in ("/nope", "/schema", "/schema/swagger", "/docs/x", "/predict/x"):
        assert_problem(client.get(path), 404)
    response = client.get("/predict")
    assert "POST" in assert_problem(response, 405)["detail"]
    assert "POST" in response.headers["allow"]
    assert_problem(client.delete("/health"), 405)


def test_a_sum_beyond_float32_is_refused(tmp_path: Path) -> None:
    """A row without a finite answer is an error, never a null or an infinity; of a batch no row is answered, and
    nothing is logged. A file of format 1 adds up in float32."""
    usual = {"area": 100, "rooms": 3, "garden": True, "street": "north", "built": 2000}
    beyond = usual | {"area": 3.4e38}
    with serving(tmp_path, model_path=ROOT / "tests/models/format1-ridge.onnx") as client:
        content = assert_problem(client.post("/predict", json=beyond), 422)
        assert "finite" in content["detail"]
        content = assert_problem(client.post("/predict/batch", json=[usual, beyond]), 422)
        assert "of row 1" in content["detail"]
        assert logged(client) == []


def test_the_log_has_what_the_model_saw(tmp_path: Path) -> None:
    """`used` has the numbers as the model file takes them: rounded to float32 by a file of format 1."""
    body = {"area": 100.1, "rooms": 3, "garden": True, "street": "north", "built": 2000}
    with serving(tmp_path, model_path=ROOT / "tests/models/format1-ridge.onnx") as client:
        client.post("/predict", json=body).raise_for_status()
        used = json.loads(logged(client)[0]["used"])
        assert used[0] == float(np.float32(100.1)) != 100.1
        assert used == [float(np.float32(number)) for number in used]


def test_a_far_row_is_answered_inside_the_bounds(client: Client) -> None:
    """A sum beyond float32 is finite in double precision, and limited by the bounds of the target."""
    answer = client.post("/predict", json=row(slope=3.4e38)).json()
    assert [answer[name] for name in ("prediction", "lower", "upper")] == [0, 0, pytest.approx(0, abs=1e4)]


def test_an_error_of_ours_is_a_problem_and_is_logged(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A bug is answered with 500 in the form of all errors, reveals nothing of the code, and stands in the log."""
    monkeypatch.setattr("api.requests.decoder.Contract.decode", lambda self, body: 1 / 0)
    content = assert_problem(client.post("/predict", json=row()), 500)
    assert "ZeroDivision" not in json.dumps(content)
    assert "ZeroDivisionError" in caplog.text


@given(st.dictionaries(NAMES, LEAVES | ANY, max_size=4))
def test_any_json_gets_a_documented_answer(client: Client, changes: dict[str, Any]) -> None:
    """No JSON object is an error of the server, and every refusal says what is wrong."""
    check(client, json.dumps(row() | changes).encode())


@given(st.integers(0, 150), JUNK, st.integers(0, 60))
def test_any_damage_gets_a_documented_answer(client: Client, place: int, junk: bytes, removed: int) -> None:
    """No bytes are an error of the server."""
    whole = json.dumps(row(), ensure_ascii=False).encode()
    check(client, whole[:place] + junk + whole[place + removed :])


def check(client: Client, content: bytes) -> None:
    response = client.post("/predict", content=content, headers=JSON)
    assert response.status_code in DOCUMENTED
    if response.status_code == 200:
        assert all(math.isfinite(response.json()[key]) for key in ("prediction", "lower", "upper"))
    else:
        assert_problem(response, response.status_code)
