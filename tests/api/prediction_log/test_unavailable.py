"""The prediction log when it cannot be written, was deleted, or is locked by another process."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from litestar.testing import TestClient
from sqlalchemy import event

from api.app import create_app
from api.prediction_log import writer
from api.prediction_log.connection import KeptConnection
from api.prediction_log.writer import Log
from api.settings import Settings
from tests.api.conftest import Client, Example, log_url, logged, row, serving, until
from tests.api.http.test_predict import assert_problem
from tests.api.test_server import Server


@contextmanager
def locked(path: Path | str) -> Iterator[None]:
    """Another process that holds SQLite's write lock."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.execute("COMMIT")
    other.close()


def slowest(send: Any, times: int) -> float:
    """The most seconds of an answer to some requests, one after the other."""
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        assert send().status_code == 200
        taken.append(time.perf_counter() - begun)
        time.sleep(0.02)
    return max(taken)


def test_no_log_no_answer(example: Example, tmp_path: Path) -> None:
    """Without a log predictions, batches and feedback are 503 with Retry-After, /ready too, /health stays 200, and
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


def test_where_the_log_is_stays_inside(example: Example, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """/ready names neither the host of the database nor its user; the server's own log does, without the password."""
    url = "postgresql://somebody:s3cret@127.0.0.1:1/predictions"
    with serving(tmp_path, model_path=example.path, prediction_log_url=url) as client:
        content = assert_problem(client.get("/ready"), 503)
        assert "PREDICTION_LOG_URL" in content["detail"]
    assert not [word for word in ("127.0.0.1", "somebody", "s3cret") if word in str(content)]
    assert "127.0.0.1" in caplog.text
    assert "s3cret" not in caplog.text


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


def test_health_does_not_wait_for_feedback(fresh: Client) -> None:
    """While SQLite is locked, more feedback than the process has threads waits, and /health is answered at once."""
    told = {"id": fresh.post("/predict", json=row()).json()["id"], "actual": 1}
    with locked(fresh.app.state.log.database.url.database), ThreadPoolExecutor(40) as senders:
        waiting = [senders.submit(fresh.post, "/feedback", json=told) for _ in range(40)]
        time.sleep(0.5)
        assert slowest(lambda: fresh.get("/health"), 10) < 2
        assert {each.result().status_code for each in waiting} == {503}


def test_a_deleted_log_begins_anew(fresh: Client) -> None:
    """A file that was deleted under the server gets no more predictions: the next one starts a new file."""
    fresh.post("/predict", json=row())
    for path in Path(fresh.app.state.log.database.url.database).parent.iterdir():
        path.unlink()
    answer = fresh.post("/predict", json=row()).json()
    assert [entry["id"] for entry in logged(fresh)] == [answer["id"]]


def test_another_writer_is_waited_for(fresh: Client) -> None:
    """While another process holds the log a prediction waits, and other requests do not."""
    answers: list[int] = []
    waiting = threading.Thread(target=lambda: answers.append(fresh.post("/predict", json=row()).status_code))
    with locked(fresh.app.state.log.database.url.database):
        waiting.start()
        for _ in range(20):
            assert fresh.get("/health").status_code == 200
        assert answers == []
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


def test_a_log_that_is_locked_at_the_start(example: Example, tmp_path: Path) -> None:
    """A server that starts while another process holds the log answers /health at once and is not ready; without a
    restart it becomes ready when the log is free."""
    with serving(tmp_path, model_path=example.path) as client:
        client.post("/predict", json=row())
    with ExitStack() as ends:
        with locked(tmp_path / "log/predictions.db"):
            server = Server(tmp_path, MODEL_PATH=str(example.path), PREDICTION_LOG_URL=log_url(tmp_path))
            ends.enter_context(server)
            asking = threading.Thread(target=lambda: httpx.get(f"{server.url}/ready", timeout=30))
            asking.start()
            assert slowest(lambda: httpx.get(f"{server.url}/health", timeout=30), 20) < 2
            assert_problem(httpx.get(f"{server.url}/ready", timeout=30), 503)
            asking.join(timeout=30)
        until(lambda: httpx.get(f"{server.url}/ready").status_code == 200)
        assert httpx.post(f"{server.url}/predict", json=row()).status_code == 200


def test_what_may_wait_has_its_own_thread(example: Example, tmp_path: Path) -> None:
    """The log is opened, opened again after its file was deleted, and closed outside of the event loop."""
    app = create_app(Settings(example.path, prediction_log_url=log_url(tmp_path)))
    threads = set()
    for name in ("connect", "close"):
        event.listen(app.state.log.database, name, lambda *_: threads.add(threading.current_thread()))
    with TestClient(app) as client:
        loop = client.blocking_portal.call(threading.current_thread)
        client.post("/predict", json=row())
        (tmp_path / "log/predictions.db").unlink()
        client.post("/predict", json=row())
    assert threads
    assert loop not in threads


def test_a_slow_disk_stops_no_other_request(fresh: Client) -> None:
    """After one slow transaction the next ones have a thread: other requests are answered meanwhile."""
    event.listen(fresh.app.state.log.database, "commit", lambda _: time.sleep(2))
    fresh.post("/predict", json=row())
    writing = threading.Thread(target=lambda: fresh.post("/predict", json=row()))
    writing.start()
    assert slowest(lambda: fresh.get("/health"), 20) < 1.5
    writing.join(timeout=20)
    assert len(logged(fresh)) == 2


def test_feedback_fails_fast(fresh: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Feedback that got no answer from the log is 503; the next requests are so at once, until the log answers."""
    monkeypatch.setattr(writer, "PATIENCE", 2)
    key = fresh.post("/predict", json=row()).json()["id"]

    def feedback() -> httpx.Response:
        return fresh.post("/feedback", json={"id": key, "actual": 1})

    with locked(fresh.app.state.log.database.url.database):
        assert_problem(feedback(), 503)
        begun = time.perf_counter()
        assert feedback().headers["retry-after"] == "1"
        assert_problem(fresh.post("/predict", json=row()), 503)
        assert_problem(fresh.get("/ready"), 503)
        assert time.perf_counter() - begun < 1.5
    until(lambda: fresh.get("/ready").status_code == 200)
    assert feedback().status_code == 200
