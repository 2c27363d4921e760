"""API keys, allowed hosts and request ids."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock, Mock

import pytest
from litestar.routes import HTTPRoute

from api.http import auth
from api.http.middleware import Middleware
from api.keys import SCOPES, parse
from tests.api.conftest import Client, Example, row, serving
from tests.api.http.test_predict import assert_problem


@pytest.fixture(scope="module")
def closed(example: Example, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of an application with two keys for all, and one for each scope."""
    words = ("first-key", "second-key", *(f"{scope}er:{scope}:{scope}-key" for scope in sorted(SCOPES)))
    with serving(tmp_path_factory.mktemp("closed"), model_path=example.path, api_keys=parse(words)) as client:
        yield client


@pytest.mark.parametrize(
    "headers",
    [{"Authorization": "Bearer first-key"}, {"authorization": "bearer second-key"}, {"X-API-Key": "second-key"}],
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
    assert closed.head("/metrics", headers=sent).status_code == 401
    for path in ("/", "/health", "/ready", "/metadata", "/docs", "/openapi.json"):
        assert closed.get(path, headers=sent).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "needed", "status"),
    [
        ("POST", "/predict", row(), "predict", 200),
        ("POST", "/predict", row(rooms=0), "predict", 422),
        ("POST", "/predict/batch", [row()], "predict", 200),
        ("POST", "/feedback", {"id": "nobody", "actual": 1}, "feedback", 404),
        ("GET", "/metrics", None, "metrics", 200),
    ],
)
def test_a_key_opens_its_scopes_alone(
    closed: Client, method: str, path: str, body: Any, needed: str, status: int
) -> None:
    """A key with one scope opens the routes of that scope; at others it is 403, which names the scope."""
    for scope in sorted(SCOPES):
        response = closed.request(method, path, json=body, headers={"X-API-Key": f"{scope}-key"})
        if scope == needed:
            assert response.status_code == status
        else:
            assert f"with the scope {needed}" in assert_problem(response, 403)["detail"]


def test_no_route_is_open_by_oversight(client: Client) -> None:
    """Each handler that takes a body names the scope that it needs."""
    handlers = [each for route in client.app.routes if isinstance(route, HTTPRoute) for each in route.route_handlers]
    posts = [handler for handler in handlers if "POST" in handler.http_methods]
    assert {handler.opt.get("scope") for handler in posts} == {"predict", "feedback"}


def test_the_name_of_a_key_is_in_the_scope(closed: Client, client: Client) -> None:
    """The name of the caller's key is there for the log, the metrics and the prediction log, also where the key's
    scope is not enough; without keys and without a valid one there is none."""
    settings = closed.app.state.serving.settings
    for key, name in (("second-key", "key2"), ("metrics-key", "metricser"), ("wrong", None)):
        scope = {"headers": [(b"x-api-key", key.encode())]}
        refused = auth.refusal(scope, settings, "predict")
        assert (scope.get("key_name"), refused is None) == (name, name == "key2")
    assert auth.refusal({}, client.app.state.serving.settings, "predict") is None


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({}, 403),  # as by `uvicorn api.app:create_app --factory`, at whatever address
        *(({"bind_address": address}, 403) for address in ("0.0.0.0", "::", "10.0.0.1", "example.com")),  # noqa: S104
        *(({"bind_address": address}, 404) for address in ("127.0.0.1", "127.0.0.2", "::1", "localhost")),
        ({"bind_address": "10.0.0.1", "allow_anonymous_feedback": True}, 404),
    ],
)
def test_feedback_without_keys(example: Example, tmp_path: Path, given: dict[str, Any], status: int) -> None:
    """Without keys the server takes feedback only where it is bound to the loopback, or by a setting, whoever asks; the
    refusal says what to set. Predictions are open."""
    with serving(tmp_path, model_path=example.path, **{"bind_address": None, **given}) as client:
        response = client.post("/feedback", json={"id": "nobody", "actual": 1})
        detail = assert_problem(response, status)["detail"]
        assert status == 404 or ("API_KEYS" in detail and "ALLOW_ANONYMOUS_FEEDBACK=true" in detail)
        assert client.post("/predict", json=row()).status_code == 200


def test_keys_stand_in_the_document(closed: Client, client: Client) -> None:
    """The document says which operations require a key; without keys it does not mention them."""
    document = closed.get("/openapi.json").json()
    assert set(document["components"]["securitySchemes"]) == {"bearer", "header"}
    assert {"401", "403"} <= set(document["paths"]["/predict"]["post"]["responses"])
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
        (".example.org", 400),
        ("api.example.com.evil.net", 400),
        ("127.0.0.1", 400),
    ],
)
def test_allowed_hosts(example: Example, tmp_path: Path, host: str, status: int) -> None:
    """Only the hosts of ALLOWED_HOSTS are answered, with any port; probes by address are answered always."""
    hosts = ("api.example.com", "*.example.org")
    with serving(tmp_path, model_path=example.path, allowed_hosts=hosts) as client:
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


TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.mark.parametrize(
    ("sent", "trace"),
    [
        ([], None),
        ([f"00-{TRACE}-{PARENT}-01"], TRACE),
        ([f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-01"], None),
        ([f"01-{TRACE}-{PARENT}-01"], None),
        ([f"00-{TRACE}-{PARENT}-01-x"], None),
        ([f"00-{TRACE}-{PARENT}"], None),
        ([f"00-{TRACE.upper()}-{PARENT}-01"], None),
        ([f"00-{'0' * 32}-{PARENT}-01"], None),
        ([f"00-{TRACE}-{'0' * 16}-01"], None),
        ([f"00-{TRACE}-{PARENT}-0g"], None),
        ([""], None),
    ],
)
def test_what_is_known_of_a_request(sent: list[str], trace: str | None) -> None:
    """The scope has the request id, and the trace id of one valid `traceparent` (W3C Trace Context). Metrics and access
    log get the name of the key that the application found."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert (scope["request_id"], scope["trace_id"]) == ("mine", trace)
        scope |= {"key_name": "shop", "path_template": "/predict"}
        await send({"type": "http.response.start", "status": 200, "headers": []})

    metrics, lines = Mock(), Mock()
    headers = [(b"x-request-id", b"mine"), *((b"traceparent", value.encode()) for value in sent)]
    scope: Any = {"type": "http", "method": "POST", "path": "/predict", "headers": headers}
    asyncio.run(Middleware(app, metrics, lines, ())(scope, Mock(), AsyncMock()))
    assert metrics.observe.call_args.args[:4] == ("POST", "/predict", 200, "shop")
    assert lines.add.call_args.args[1:3] == (scope, 200)
