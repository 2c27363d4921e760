"""Another model without a restart."""

import contextlib
import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from litestar import Litestar
from litestar.testing import TestClient

from api import swap
from api.app import create_app
from api.settings import Settings
from stages.files import digest
from tests.api.conftest import Example, row, until
from tests.api.test_server import Server

CHAMPION, WORKSPACE = Path("models/champion.onnx"), Path("models/model.onnx")
Client = TestClient[Litestar]


def replace(path: Path, content: bytes) -> None:
    """As promote does: written beside, then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    partial.write_bytes(content)
    partial.replace(path)


def record(path: Path, md5: str) -> None:
    """As `dvc add` does, some time later."""
    outs = [{"md5": md5, "hash": "md5", "path": path.name}]
    replace(path.with_name(f"{path.name}.dvc"), yaml.safe_dump({"outs": outs}).encode())


def put(path: Path, model: Example) -> str:
    md5 = digest(model.path, "md5")
    replace(path, model.path.read_bytes())
    record(path, md5)
    return md5


def served(client: Client) -> Any:
    return client.get("/ready").json().get("model")


def swaps(client: Client, result: str) -> float:
    return next(
        float(line.rsplit(" ", 1)[1])
        for line in client.get("/metrics").text.splitlines()
        if line.startswith(f'api_model_swaps_total{{result="{result}"}}')
    )


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(swap, "POLL", 0.05)
    monkeypatch.setattr(swap, "GRACE", 1.0)


@pytest.fixture
def client(example: Example) -> Iterator[Client]:
    """Serves the example as the champion."""
    put(CHAMPION, example)
    with TestClient(create_app(Settings())) as started:
        yield started


def test_a_promoted_model_is_served(client: Client, dearer: Example) -> None:
    """A new champion with its record is served without a restart, and everything follows it."""
    first = client.post("/predict", json=row()).json()
    page = client.get("/").text
    md5 = put(CHAMPION, dearer)
    until(lambda: served(client) == md5)
    second = client.post("/predict", json=row()).json()
    assert second["model"] == md5 == client.get("/metadata").json()["md5"]
    assert second["prediction"] == pytest.approx(2 * first["prediction"], rel=1e-3)
    assert md5 in client.get("/").text
    assert md5 not in page
    assert f'md5="{md5}"' in client.get("/metrics").text
    assert (swaps(client, "ok"), swaps(client, "refused")) == (1, 0)


def test_another_schema_is_followed(client: Client, example: Example, tmp_path: Path) -> None:
    """The contract and the OpenAPI document are those of the new model."""
    import onnx

    graph = onnx.load(example.path)
    description = json.loads(graph.metadata_props[0].value)
    description["schema"]["columns"][2]["max"] = 99
    graph.metadata_props[0].value = json.dumps(description)
    onnx.save(graph, "wider.onnx")
    assert client.post("/predict", json=row(rooms=50)).status_code == 422
    md5 = put(CHAMPION, example._replace(path=Path("wider.onnx")))
    until(lambda: served(client) == md5)
    assert client.post("/predict", json=row(rooms=50)).status_code == 200
    body = client.get("/openapi.json").json()["paths"]["/predict"]["post"]["requestBody"]
    assert body["content"]["application/json"]["schema"]["properties"]["rooms"]["maximum"] == 99
    assert "1 to 99" in client.get("/").text


def test_model_and_record_may_come_one_after_the_other(client: Client, dearer: Example) -> None:
    """Between the two steps of promote the old model serves, nothing is refused, and then the new one serves."""
    old = served(client)
    replace(CHAMPION, dearer.path.read_bytes())
    time.sleep(0.5)
    assert served(client) == old
    record(CHAMPION, digest(dearer.path, "md5"))
    until(lambda: served(client) == digest(dearer.path, "md5"))
    assert swaps(client, "refused") == 0


def test_promote_takes_the_champion_away_for_a_moment(client: Client, example: Example, dearer: Example) -> None:
    """Between the renames of promote (no champion, the new record, the new champion) the old model serves, no other
    takes its place, and nothing is refused."""
    old, md5 = served(client), digest(dearer.path, "md5")
    put(WORKSPACE, example)
    CHAMPION.unlink()
    time.sleep(0.3)
    record(CHAMPION, md5)
    time.sleep(0.3)
    assert client.post("/predict", json=row()).json()["model"] == served(client) == old
    assert client.get("/metadata").json()["path"] == CHAMPION.as_posix()
    replace(CHAMPION, dearer.path.read_bytes())
    until(lambda: served(client) == md5)
    assert (swaps(client, "ok"), swaps(client, "refused")) == (1, 0)


def test_a_bad_model_is_refused(client: Client, dearer: Example, caplog: pytest.LogCaptureFixture) -> None:
    """A champion that fails a check does not serve: the old one serves on, and the refusal is logged and counted
    once. A good one is taken afterwards."""
    old = served(client)
    replace(CHAMPION, dearer.path.read_bytes()[:-100])
    until(lambda: swaps(client, "refused") == 1)
    assert "refused: models/champion.onnx has md5" in caplog.text
    time.sleep(0.3)
    assert (served(client), swaps(client, "refused")) == (old, 1)
    md5 = put(CHAMPION, dearer)
    until(lambda: served(client) == md5)


def test_a_champion_that_is_gone_gives_way_to_nothing(client: Client, dearer: Example) -> None:
    """While the champion's file is away no unpromoted model takes its place."""
    old = served(client)
    put(WORKSPACE, dearer)
    CHAMPION.unlink()
    until(lambda: swaps(client, "refused") == 1)
    assert served(client) == old


def test_the_first_champion_replaces_the_workspace_model(example: Example, dearer: Example) -> None:
    """A server that began with nothing becomes ready with the first model, and promoted with the first champion."""
    with TestClient(create_app(Settings())) as client:
        assert client.get("/ready").status_code == 503
        md5 = put(WORKSPACE, example)
        until(lambda: served(client) == md5)
        assert client.get("/metadata").json()["promoted"] is False
        md5 = put(CHAMPION, dearer)
        until(lambda: served(client) == md5)
        assert client.get("/metadata").json()["promoted"] is True


class Load:
    """Clients that ask for one and the same row until they are stopped, and keep every answer."""

    def __init__(self, url: str, clients: int) -> None:
        self.url = url
        self.answers: list[tuple[str, float]] = []
        self.failures: list[object] = []
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(clients)
        self._running = [self._pool.submit(self._ask) for _ in range(clients)]

    def _ask(self) -> None:
        with httpx.Client(base_url=self.url) as client:
            while not self._stop.is_set():
                try:
                    response = client.post("/predict", json=row())
                    content = response.json()
                    self.answers.append((content["model"], content["prediction"]))
                except (httpx.HTTPError, KeyError, ValueError) as error:
                    self.failures.append(repr(error))

    def stop(self) -> None:
        self._stop.set()
        self._pool.shutdown()


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_swaps_under_load_lose_nothing(tmp_path: Path, example: Example, dearer: Example, workers: int) -> None:
    """20 swaps under load, half of them by SIGHUP: every request is answered, each by the model that its answer names,
    and every worker swaps."""
    first = put(CHAMPION, example)
    shared = tmp_path / "metrics"
    shared.mkdir()
    server = Server(tmp_path, WORKERS=str(workers), PROMETHEUS_MULTIPROC_DIR=str(shared))
    load = None
    try:
        server.wait()
        # A worker that starts later than the other would load the second model first, and swap once less.
        until(lambda: sum(first.encode() in path.read_bytes() for path in shared.glob("gauge_livemax_*")) == workers)
        load = Load(server.url, 4)

        def swapped(times: int) -> bool:
            # Of all workers together; one that is busy may be a moment behind.
            return f'api_model_swaps_total{{result="ok"}} {float(times)}\n' in httpx.get(f"{server.url}/metrics").text

        expected = {}
        for number in range(20):
            model = dearer if number % 2 == 0 else example
            md5 = digest(model.path, "md5")
            expected[md5] = float(model.pipeline.predict(_table(model))[0])
            replace(CHAMPION, model.path.read_bytes())
            time.sleep(0.1)
            record(CHAMPION, md5)
            if number % 4 < 2:
                server.process.send_signal(signal.SIGHUP)
            until(lambda times=workers * (number + 1): swapped(times))
        load.stop()
        metrics = httpx.get(f"{server.url}/metrics").text
        assert load.failures == []
        assert len(load.answers) > 1000
        for md5, prediction in load.answers:
            assert prediction == pytest.approx(expected[md5], rel=1e-4)
        assert {md5 for md5, _ in load.answers} == set(expected)
        assert 'api_model_swaps_total{result="refused"} 0.0' in metrics
        assert f'api_requests_total{{path="/predict",status="200"}} {float(len(load.answers))}' in metrics
        print(f"{len(load.answers)} answers over 20 swaps with {workers} workers, none lost")
    finally:
        if load:
            load.stop()
        server.process.terminate()  # and not kill: its workers would live on
        print(server.process.communicate(timeout=20)[1])
    assert server.process.returncode == 0


def _table(model: Example) -> Any:
    """The row of the load as the pipeline reads it."""
    table = model.table.head(1).copy()
    for name, value in row().items():
        table[name] = table[name].astype(object)
        table.loc[table.index[0], name] = value
    return table.astype(model.table.dtypes)


@pytest.mark.parametrize(("workers", "told"), [(1, "Started server process"), (2, "Started parent process")])
def test_a_hangup_while_it_starts_kills_nothing(tmp_path: Path, example: Example, workers: int, told: str) -> None:
    """A server that is told to look for another model before it has one starts, with all of its workers."""
    put(CHAMPION, example)
    server = Server(tmp_path, WORKERS=str(workers))
    try:
        assert server.process.stderr
        for line in server.process.stderr:
            if told in line:
                break

        def ready() -> bool:
            server.process.send_signal(signal.SIGHUP)
            with contextlib.suppress(httpx.TransportError):
                return httpx.get(f"{server.url}/ready").is_success
            return server.process.poll() is not None

        until(ready)
        time.sleep(1)  # the other worker
        server.process.terminate()
        _, log = server.process.communicate(timeout=20)
    finally:
        server.kill()
    assert log.count("Finished server process") == workers
    assert "died" not in log


def test_a_hangup_looks_at_once(tmp_path: Path, example: Example, dearer: Example) -> None:
    """On SIGHUP a server looks for another model, says what it found, and lives on; a bad one is refused at once."""
    put(CHAMPION, example)
    server = Server(tmp_path)
    try:
        server.wait()
        server.process.send_signal(signal.SIGHUP)
        time.sleep(0.3)
        shutil.copy(dearer.path, CHAMPION)
        server.process.send_signal(signal.SIGHUP)
        until(lambda: 'result="refused"} 1.0' in httpx.get(f"{server.url}/metrics").text)
        md5 = put(CHAMPION, dearer)
        server.process.send_signal(signal.SIGHUP)
        until(lambda: httpx.get(f"{server.url}/ready").json()["model"] == md5)
        _, log = server.stop()
    finally:
        server.process.kill()
        server.process.communicate()
    messages = [json.loads(line)["message"] for line in log.splitlines()]
    told = [text for text in messages if text.startswith(("serving", "refused", "now serving"))]
    assert [text.split()[0] for text in told] == ["serving", "serving", "refused:", "now"]
    assert os.path.basename(CHAMPION) in told[-1]
