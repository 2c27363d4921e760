"""The prediction log when it cannot be written, was deleted, or is locked by another process."""

import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from api.prediction_log.connection import KeptConnection
from api.prediction_log.writer import Log
from tests.api.conftest import Client, Example, logged, row, serving, until
from tests.api.http.test_predict import assert_problem


def test_no_log_no_answer(example: Example, tmp_path: Path) -> None:
    """Without a log predictions, batches and feedback are 503 with Retry-After, /ready says why, /health stays 200, and
    invalid rows stay 422. When it can be written again predictions are answered without a restart."""
    in_the_way = tmp_path / "log"
    in_the_way.write_text("")
    with serving(tmp_path, model_path=example.path) as client:
        for path, body in (("/predict", row()), ("/predict/batch", [row()]), ("/feedback", {"id": "x", "actual": 1})):
            response = client.post(path, json=body)
            content = assert_problem(response, 503)
            assert (content["type"], response.headers["retry-after"]) == ("urn:problem-type:no-log", "1")
            assert "log" in content["detail"]
            assert str(tmp_path) not in content["detail"]
        assert "PREDICTION_LOG_URL" in assert_problem(client.get("/ready"), 503)["detail"]
        health = client.get("/health")
        assert (health.status_code, health.json()["ready"]) == (200, False)
        assert_problem(client.post("/predict", json=row(rooms=0)), 422)
        in_the_way.unlink()
        until(lambda: client.get("/ready").status_code == 200)  # longer than the pause after a failure
        assert client.get("/health").json()["ready"]
        answer = client.post("/predict", json=row()).json()
        assert [entry["id"] for entry in logged(client)] == [answer["id"]]


def test_a_log_that_is_not_required(example: Example, tmp_path: Path) -> None:
    """With LOG_REQUIRED=false rows are answered without a log and counted as lost, and the server is ready."""
    in_the_way = tmp_path / "log"
    in_the_way.write_text("")
    with serving(tmp_path, model_path=example.path, log_required=False) as client:
        log: Log = client.app.state.log
        assert client.get("/ready").status_code == 200
        assert client.get("/health").json()["ready"]
        assert client.post("/predict", json=row()).status_code == 200
        assert len(client.post("/predict/batch", json=[row(), row()]).json()) == 2
        assert (log.lost, log.written) == (3, 0)
        in_the_way.unlink()

        def written() -> int:
            assert client.post("/predict", json=row()).status_code == 200
            return log.written

        until(lambda: written() > 0)
        assert log.written == len(logged(client)) == 1


def test_a_deleted_log_begins_anew(fresh: Client) -> None:
    """A file that was deleted under the server gets no more predictions: the next one starts a new file."""
    fresh.post("/predict", json=row())
    for path in Path(fresh.app.state.log.database.url.database).parent.iterdir():
        path.unlink()
    answer = fresh.post("/predict", json=row()).json()
    assert [entry["id"] for entry in logged(fresh)] == [answer["id"]]


def test_another_writer_is_waited_for(fresh: Client) -> None:
    """While another process holds the log a prediction waits, and other requests do not."""
    other = sqlite3.connect(fresh.app.state.log.database.url.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    answers: list[int] = []
    waiting = threading.Thread(target=lambda: answers.append(fresh.post("/predict", json=row()).status_code))
    waiting.start()
    for _ in range(20):
        assert fresh.get("/health").status_code == 200
    assert answers == []
    other.execute("COMMIT")
    other.close()
    waiting.join(timeout=20)
    assert answers == [200]


def test_a_lost_confirmation_is_not_tried_again(fresh: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error after the commit leaves one row: the caller decides on a retry, and with an idempotency key that adds no
    row."""
    commit = KeptConnection.commit

    def lost(*given: Any) -> None:
        commit(*given)
        monkeypatch.setattr(KeptConnection, "commit", commit)
        raise RuntimeError("the database's answer was lost")

    for headers, rows in (({}, 1), ({"Idempotency-Key": "k"}, 2)):
        monkeypatch.setattr(KeptConnection, "commit", lost)
        assert_problem(fresh.post("/predict", json=row(), headers=headers), 500)
        assert len(logged(fresh)) == rows
    assert fresh.post("/predict", json=row(), headers=headers).json()["id"] == logged(fresh)[1]["id"]
    assert len(logged(fresh)) == 2
