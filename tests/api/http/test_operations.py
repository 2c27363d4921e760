"""Around the answers: metrics, keys, hosts and request ids."""

import json
import re
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar import Litestar
from litestar.testing import TestClient
from prometheus_client import CollectorRegistry

from api.app import create_app
from api.settings import Settings
from api.settings import digest as key_digest
from api.telemetry.metrics import NO_COLUMN, Distribution, buckets
from pipeline.contract.onnx_model import Training
from pipeline.tables.atomic_files import digest
from tests.api.conftest import Example, log_url, row, until
from tests.api.http.test_predict import assert_problem
from tests.conftest import ROOT

Client = TestClient[Litestar]


@pytest.fixture
def fresh(example: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """A client whose application has counted nothing yet, in an empty project."""
    monkeypatch.chdir(tmp_path)
    with TestClient(create_app(Settings(model_path=example.path, prediction_log_url=log_url(tmp_path)))) as client:
        yield client


@pytest.fixture(scope="module")
def closed(example: Example, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of an application with two keys."""
    allowed = tuple(map(key_digest, (b"first-key", b"second-key")))
    url = log_url(tmp_path_factory.mktemp("closed"))
    with TestClient(create_app(Settings(model_path=example.path, api_keys=allowed, prediction_log_url=url))) as client:
        yield client


def counts(client: Client) -> dict[str, float]:
    """The samples by name and labels."""
    response = client.get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain; version=")
    assert response.headers["content-type"].count("charset") == 1
    lines = [line for line in response.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_requests_are_counted_by_route_and_status(fresh: Client) -> None:
    """Each request counts once with its status and its time, also those that no route takes."""
    fresh.post("/predict", json=row())
    fresh.post("/predict", json=row())
    fresh.post("/predict", json=row(rooms=99))
    fresh.get("/health")
    fresh.get("/predict")
    found = counts(fresh)
    assert found['api_requests_total{path="/predict",status="200"}'] == 2
    assert found['api_requests_total{path="/predict",status="422"}'] == 1
    assert found['api_requests_total{path="/health",status="200"}'] == 1
    assert found['api_requests_total{path="other",status="405"}'] == 1
    assert found['api_request_seconds_count{path="/predict"}'] == 3
    assert found['api_request_seconds_bucket{le="+Inf",path="/predict"}'] == 3


def test_callers_cannot_make_series(fresh: Client) -> None:
    """Neither unknown paths nor unknown fields become labels."""
    before = len(counts(fresh))
    for number in range(50):
        fresh.get(f"/nope/{number}")
        fresh.get(f"/static/{number}")
        fresh.post("/predict", json=row(**{f"field{number}": 1}))
    found = counts(fresh)
    assert found['api_requests_total{path="other",status="404"}'] == 50
    assert found[f'api_rejected_total{{field="{NO_COLUMN}",problem="unknown"}}'] == 50
    assert len(found) - before < 80  # the buckets of three new routes


def test_rejected_fields_are_counted(fresh: Client) -> None:
    """Each mistake counts under its feature and kind."""
    fresh.post("/predict", json=row(rooms=99, slope="x"))
    fresh.post("/predict/batch", json=[row(), row(rooms=99), row(rooms=99)])
    fresh.post("/feedback", json={"rooms": 99})
    found = counts(fresh)
    assert found['api_rejected_total{field="rooms",problem="bounds"}'] == 3
    assert len([name for name in found if name.startswith("api_rejected_total")]) == 2
    assert found['api_rejected_total{field="slope",problem="type"}'] == 1


@given(st.lists(st.sampled_from([1.0, 2.0, 5.0]) | st.floats(-10, 10), max_size=20))
def test_predictions_counted_together_are_as_counted_one_by_one(amounts: list[float]) -> None:
    """Each is in the first bucket whose edge it does not pass, the edge itself included."""
    together, alone = (Distribution("x", "x", registry=CollectorRegistry(), buckets=[1, 2, 5]) for _ in range(2))
    together.observe_all(amounts)
    for amount in amounts:
        alone.observe(amount)
    found, expected = ([s for s in metric.collect()[0].samples if s.name != "x_sum"] for metric in (together, alone))
    assert found == expected


def test_predictions_are_counted_in_the_targets_spread(fresh: Client, example: Example) -> None:
    """The prediction histogram has the target's unit, and edges around the training median."""
    answer = fresh.post("/predict", json=row()).json()["prediction"]
    found = counts(fresh)
    assert found["api_predictions_count"] == 1
    fresh.post("/predict", content=json.dumps(row()), headers={"Content-Type": "application/json; charset=utf-8"})
    fresh.post("/predict/batch", json=[row()] * 3)
    fresh.post("/predict/batch", json=[row(), row(rooms=99)])
    assert counts(fresh)["api_predictions_count"] == 5
    edges = [float(edge) for edge in re.findall(r'api_predictions_bucket\{le="([\d.e+-]+)"', "\n".join(found))]
    assert min(edges) < example.table["price"].median() < max(edges)
    for edge in edges:
        assert found[f'api_predictions_bucket{{le="{edge}"}}'] == (answer <= edge)


def test_buckets_of_a_constant_target() -> None:
    """A target with no spread still has an edge."""
    assert buckets(Training(10, "", 5.0, 0.0, 0.1)) == [5.0]


def test_the_model_is_told(fresh: Client, example: Example) -> None:
    """One series names the served model's md5, family and whether it is promoted."""
    md5 = digest(example.path, "md5")
    assert counts(fresh)[f'api_model{{family="linear",md5="{md5}",promoted="false",revision=""}}'] == 1


def test_the_log_is_told(example: Example, tmp_path: Path) -> None:
    """Predictions that wait for the log, that are in it, and that were answered without it are counted."""
    database = tmp_path / "log/predictions.db"
    settings = Settings(model_path=example.path, prediction_log_url=log_url(tmp_path), log_required=False)
    with TestClient(create_app(settings)) as client:

        def told() -> list[float]:
            found = counts(client)
            return [found[f"api_log_{name}"] for name in ("pending", "written_total", "lost_total")]

        client.post("/predict", json=row())
        client.post("/predict/batch", json=[row(), row()])
        assert told() == [0, 3, 0]
        assert counts(client)["api_log_seconds"] > 0
        other = sqlite3.connect(database, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        waiting = threading.Thread(target=lambda: client.post("/predict", json=row()))
        waiting.start()
        until(lambda: told() == [1, 3, 0])
        other.execute("COMMIT")
        other.close()
        waiting.join(timeout=20)
        assert told() == [0, 4, 0]
        shutil.rmtree(database.parent)
        database.parent.write_text("in the way")
        client.post("/predict", json=row())
        assert told() == [0, 4, 1]


@pytest.mark.parametrize("content", [None, '{"verdict": "shifted"', '{"verdict": 3}'])
def test_without_a_drift_report_there_is_no_verdict(fresh: Client, content: str | None) -> None:
    """No report, or one that is not readable, is no verdict and no error."""
    if content:
        Path("metrics").mkdir()
        Path("metrics/drift.json").write_text(content)
    assert not [name for name in counts(fresh) if name.startswith("api_drift")]


def test_the_drift_verdict(fresh: Client) -> None:
    """The verdict of the last report is 1 and all others 0, as of now."""
    Path("metrics").mkdir()
    for verdict in ("shifted", "none"):
        Path("metrics/drift.json").write_text(f'{{"verdict": "{verdict}", "drift_detected": false, "n_live": 5}}')
        found = {name: value for name, value in counts(fresh).items() if name.startswith("api_drift")}
        assert found.pop(f'api_drift{{verdict="{verdict}"}}') == 1
        assert set(found.values()) == {0}


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer first-key"},
        {"authorization": "bearer second-key"},
        {"X-API-Key": "second-key"},
    ],
)
def test_a_key_opens(closed: Client, headers: dict[str, str]) -> None:
    """Any of the keys opens, as a bearer token or in X-API-Key."""
    assert closed.post("/predict", json=row(), headers=headers).status_code == 200
    assert closed.post("/predict/batch", json=[row()], headers=headers).status_code == 200
    assert closed.post("/feedback", json={"id": "nobody", "actual": 1}, headers=headers).status_code == 404
    assert closed.get("/metrics", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer first-ke"},
        {"Authorization": "Bearer first-key2"},
        {"Authorization": "Basic first-key"},
        {"Authorization": "first-key"},
        {"Authorization": "Bearer "},
        {"X-API-Key": ""},
        {"X-API-Key": "FIRST-KEY"},
        {"X-API-Key": "é"},
    ],
)
def test_without_a_key_it_is_closed(closed: Client, headers: dict[str, Any]) -> None:
    """Without a valid key predictions and metrics are 401, however the path is written; the rest is open."""
    sent = {name: value.encode() for name, value in headers.items()}
    for path in ("/predict/", "//predict"):
        assert closed.post(path, json=row(), headers=sent).status_code != 200
    for path, body in (("/predict", row()), ("/predict/batch", [row()]), ("/feedback", {"id": "x", "actual": 1})):
        response = closed.post(path, json=body, headers=sent)
        assert_problem(response, 401)
        assert response.headers["www-authenticate"] == "Bearer"
    assert_problem(closed.get("/metrics", headers=sent), 401)
    for path in ("/", "/health", "/ready", "/metadata", "/docs", "/openapi.json"):
        assert closed.get(path, headers=sent).status_code == 200


def test_keys_stand_in_the_document(closed: Client, client: Client) -> None:
    """The document says which operations want a key, and nothing of keys where there are none."""
    document = closed.get("/openapi.json").json()
    assert set(document["components"]["securitySchemes"]) == {"bearer", "header"}
    assert "401" in document["paths"]["/predict"]["post"]["responses"]
    assert document["paths"]["/metrics"]["get"]["security"] == [{"bearer": []}, {"header": []}]
    assert "security" not in document["paths"]["/health"]["get"]
    assert "securitySchemes" not in client.get("/openapi.json").json()["components"]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("api.example.com", 200),
        ("API.example.com:8000", 200),
        ("a.b.example.org", 200),
        ("example.org", 400),
        ("example.com", 400),
        ("api.example.com.evil.net", 400),
        ("127.0.0.1", 400),
    ],
)
def test_allowed_hosts(example: Example, tmp_path: Path, host: str, status: int) -> None:
    """Only the hosts of ALLOWED_HOSTS are answered, with any port; probes by address are answered always."""
    hosts = ("api.example.com", "*.example.org")
    settings = Settings(model_path=example.path, allowed_hosts=hosts, prediction_log_url=log_url(tmp_path))
    with TestClient(create_app(settings)) as client:
        response = client.post("/predict", json=row(), headers={"Host": host})
        assert response.status_code == status
        if status == 400:
            assert "ALLOWED_HOSTS" in assert_problem(response, 400)["detail"]
            assert client.get("/nope", headers={"Host": host}).status_code == 400
        assert client.get("/ready", headers={"Host": host}).status_code == 200


def test_each_answer_has_a_request_id(client: Client) -> None:
    """Every answer has an id of its own, errors too."""
    answers = [client.post("/predict", json=row()), client.post("/predict", content=b"{"), client.get("/nope")]
    identities = [answer.headers["x-request-id"] for answer in answers]
    assert len(set(identities)) == 3
    assert all(re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]+", identity) for identity in identities)


@pytest.mark.parametrize(
    ("sent", "kept"), [("a1.B_2:3-4", True), ("x" * 64, True), ("x" * 65, False), ("", False), ('"}', False)]
)
def test_the_callers_request_id_is_kept(client: Client, sent: str, kept: bool) -> None:
    """A sane X-Request-Id comes back; what could break a log line or a header does not."""
    answer = client.get("/health", headers={"X-Request-Id": sent})
    assert (answer.headers["x-request-id"] == sent) is kept


def test_every_metric_is_documented(fresh: Client) -> None:
    """docs/serving.md names each metric that /metrics has."""
    page = (ROOT / "docs/serving.md").read_text(encoding="utf-8")
    families = re.findall(r"^# TYPE (api_\w+) ", fresh.get("/metrics").text, re.MULTILINE)
    assert len(families) > 5
    assert [name for name in families if f"`{name}`" not in page] == []
