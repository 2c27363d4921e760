"""Retries: the same answer, and no second row in the log."""

import asyncio
import json
import sqlite3
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.app import create_app
from api.http import caller
from api.model.micro_batcher import Predictor
from api.prediction_log import queries, repeats
from api.prediction_log.schema import Caller, now
from api.settings import Settings
from tests.api.conftest import JSON, Client, Example, log_url, logged, row, serving
from tests.api.http.test_predict import assert_problem

KEY = {"Idempotency-Key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}


@pytest.mark.parametrize(
    ("path", "body", "other"),
    [
        ("/predict", row(heating=None), row(rooms=4)),
        ("/predict/batch", [row(), row(heating=None), row()], [row(), row(heating=None)]),
    ],
)
def test_a_retry_with_a_key_gets_the_stored_answer(
    fresh: Client, monkeypatch: pytest.MonkeyPatch, path: str, body: Any, other: Any
) -> None:
    """The same key with the same body, but for whitespace, is answered from the log for 24 hours; with another body it
    is 422. A refused body keeps no key."""
    assert_problem(fresh.post(path, json={}, headers=KEY), 422)
    first = fresh.post(path, json=body, headers=KEY)
    again = fresh.post(path, content=json.dumps(body, indent=2, ensure_ascii=False), headers=JSON | KEY)
    assert first.status_code == again.status_code == 200
    assert first.json() == again.json()
    content = assert_problem(fresh.post(path, json=other, headers=KEY), 422)
    assert content["type"] == "urn:problem-type:idempotency-key-reused"
    entries = logged(fresh)
    assert len(entries) == (len(body) if path.endswith("batch") else 1)
    assert {entry["idempotency"] for entry in entries} == set(KEY.values())
    assert fresh.post(path, json=body).json() != first.json()  # without the key it is a new request
    monkeypatch.setattr(repeats, "now", lambda: now() + repeats.WITHIN + 1)
    assert fresh.post(path, json=other, headers=KEY).status_code == 200


def test_a_retry_is_counted_once_and_stays_at_its_path(fresh: Client) -> None:
    """A retry is no other prediction in the metrics; a row and a batch of that row are different bodies."""
    for _ in range(3):
        assert fresh.post("/predict", json=row(), headers=KEY).status_code == 200
    assert_problem(fresh.post("/predict/batch", json=[row()], headers=KEY), 422)
    counts = [line for line in fresh.get("/metrics").text.splitlines() if line.startswith("api_predictions_count")]
    assert [line.rsplit(" ", 1)[1] for line in counts] == ["1.0"]


def test_a_key_holds_after_a_restart(example: Example, tmp_path: Path) -> None:
    """The answers are stored in the log: another process gives them too."""
    answers = []
    for _ in range(2):
        with serving(tmp_path, model_path=example.path) as client:
            answers.append(client.post("/predict", json=row(), headers=KEY).json())
    assert answers[0] == answers[1]


@pytest.mark.parametrize("headers", [KEY, {}])
def test_equal_requests_at_once(example: Example, tmp_path: Path, headers: dict[str, str]) -> None:
    """Of equal requests that two servers on one log get at once, one adds a row, and all have its answer."""
    [answer] = answers_at_once(example, log_url(tmp_path), headers)
    with sqlite3.connect(tmp_path / "log/predictions.db") as connection:
        assert connection.execute("SELECT id FROM predictions").fetchall() == [(answer,)]


def answers_at_once(example: Example, url: str, headers: dict[str, str]) -> set[str]:
    """The ids that two servers answer to equal requests at once."""
    apps = [create_app(Settings(example.path, prediction_log_url=url)) for _ in range(2)]

    async def ask() -> list[httpx.Response]:
        async with apps[0].lifespan(), apps[1].lifespan():
            clients = [
                httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x")  # type: ignore[arg-type]
                for app in apps
            ]
            sent = [
                client.post("/predict", json=row(listing=f"L{headers}"), headers=headers) for client in clients * 10
            ]
            return await asyncio.gather(*sent)

    return {response.json()["id"] for response in asyncio.run(ask())}


def test_an_own_id_makes_a_retry_safe(fresh: Client, dearer: Example, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that equals the latest one with its own id gets that answer for 24 hours, alone or in a batch. Other
    content, and the first content after other content, are new predictions; so is the same content for another
    model."""

    def ask(**changes: Any) -> str:
        return fresh.post("/predict", json=row(**changes)).json()["id"]

    first = ask(listing="A")
    batch = fresh.post("/predict/batch", json=[row(listing=name) for name in ("A", "B", "B", "C")] + [row(), row()])
    ids = [answer["id"] for answer in batch.json()]
    assert ids[0] == ask(listing="A") == first
    assert ids[1] == ids[2] == ask(listing="B")
    assert len(set(ids)) == 5
    changed = ask(listing="A", rooms=4)
    assert len({first, changed, ask(listing="A")}) == 3
    assert len(logged(fresh)) == 7
    assert fresh.app.state.log.written == 7
    latest = ask(listing="C")
    with monkeypatch.context() as later:
        later.setattr(repeats, "now", lambda: now() + repeats.WITHIN + 1)
        assert ask(listing="C") != latest
    latest = ask(listing="C")
    fresh.app.state.serving.settings = Settings(dearer.path)
    fresh.app.state.serving.start()
    assert ask(listing="C") != latest


def test_keys_are_those_of_one_caller(fresh: Client) -> None:
    """Two callers may send the same key, or the same own id: each gets its own prediction. The log has who asked."""
    served = fresh.app.state.serving.served
    predictor: Predictor = fresh.app.state.predictor
    trace = "0af7651916cd43dd8448eb211c80319c"

    async def ask(name: str | None, key: str | None) -> str:
        body = json.dumps(row(listing="L"))
        asked = served.contract.decode(body.encode()), body, Caller(name, "r-1", trace, key)
        return (await (predictor.keyed(served, asked) if key else predictor.one(served, asked))).id

    for key in ("k", None):
        ids = [fresh.blocking_portal.call(ask, name, key) for name in ("left", "right", "left", None, None)]
        assert (ids[0], ids[3]) == (ids[2], ids[4]) if key else ids[3] == ids[4]
        assert len({ids[0], ids[1], ids[3]}) == 3
    assert {(entry["key"], entry["request"], entry["trace"]) for entry in logged(fresh)} == {
        (name, "r-1", trace) for name in ("left", "right", None)
    }


def test_the_caller_of_a_scope() -> None:
    """The middleware's request and trace ids, the name of the API key and the idempotency key, each None if absent."""
    known = {"key_name": "web", "request_id": "r-1", "trace_id": "0" * 31 + "1"}
    assert caller.of({"headers": [(b"host", b"x"), (b"idempotency-key", b"k")], **known}) == Caller(
        *known.values(), "k"
    )
    assert caller.of({"headers": []}) == Caller()


@pytest.mark.parametrize("key", ["", "a b", "x" * 201])
def test_a_header_that_is_no_key_is_400(client: Client, key: str) -> None:
    """A key has 1 to 200 visible ASCII characters."""
    for path, body in (("/predict", row()), ("/predict/batch", [row()])):
        content = assert_problem(client.post(path, json=body, headers={"Idempotency-Key": key}), 400)
        assert "Idempotency-Key" in content["detail"]


def test_an_erased_answer_is_not_given_again(fresh: Client) -> None:
    """Erasing a person's row erases the stored answer: the same request is predicted anew, a batch wholly."""
    for path, body in (("/predict", row(listing="E")), ("/predict/batch", [row(listing="E"), row()])):
        headers = {"Idempotency-Key": path}
        first = fresh.post(path, json=body, headers=headers).text
        assert fresh.post(path, json=body, headers=headers).text == first
        assert queries.erase(fresh.app.state.log.database, "E") == (1, 0)
        second = fresh.post(path, json=body, headers=headers).text
        assert second != first
        assert fresh.post(path, json=body, headers=headers).text == second
        queries.erase(fresh.app.state.log.database, "E")
