"""Hot reload of real servers: under load, and on SIGHUP."""

import contextlib
import json
import shutil
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from pipeline.tables.atomic_files import digest
from tests.api.conftest import Example, row, until
from tests.api.model.test_reloader import CHAMPION, put, record, replace
from tests.api.test_server import Server


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


class Load:
    """Clients that send one row again and again until they are stopped, and keep every answer."""

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
    variables = {"WORKERS": str(workers), "PROMETHEUS_MULTIPROC_DIR": str(shared)}
    expected = {md5_of(model): float(model.pipeline.predict(_table(model))[0]) for model in (example, dearer)}
    with Server(tmp_path, **variables) as server:
        # A worker that starts later than the other would load the second model first, and swap once less.
        until(lambda: sum(first.encode() in path.read_bytes() for path in shared.glob("gauge_livemax_*")) == workers)
        load = Load(server.url, 4)
        try:
            for number in range(20):
                model = dearer if number % 2 == 0 else example
                replace(CHAMPION, model.path.read_bytes())
                time.sleep(0.1)
                record(CHAMPION, md5_of(model))
                if number % 4 < 2:
                    server.process.send_signal(signal.SIGHUP)
                # Of all workers together; one that is busy may be a moment behind.
                swaps = f'api_model_swaps_total{{result="ok"}} {float(workers * (number + 1))}\n'
                until(lambda swaps=swaps: swaps in httpx.get(f"{server.url}/metrics").text)
                # A signal that the first process passes on late must not come between the next model and its record.
                time.sleep(workers - 1)
        finally:
            load.stop()
        metrics = httpx.get(f"{server.url}/metrics").text
        server.process.terminate()
        server.process.communicate(timeout=20)
    assert server.process.returncode == 0
    assert load.failures == []
    assert len(load.answers) > 1000
    for md5, prediction in load.answers:
        assert prediction == pytest.approx(expected[md5], rel=1e-4)
    assert {md5 for md5, _ in load.answers} == set(expected)
    assert 'api_model_swaps_total{result="refused"} 0.0' in metrics
    assert (
        f'http_requests_total{{key="",method="POST",path="/predict",status="200"}} {float(len(load.answers))}'
        in metrics
    )


def md5_of(model: Example) -> str:
    return digest(model.path, "md5")


def _table(model: Example) -> Any:
    """Return the row of the load as the pipeline reads it."""
    table = model.table.head(1).copy()
    for name, value in row().items():
        table[name] = table[name].astype(object)
        table.loc[table.index[0], name] = value
    return table.astype(model.table.dtypes)


@pytest.mark.parametrize(("workers", "told"), [(1, "Started server process"), (2, "Started parent process")])
def test_a_hangup_while_it_starts_kills_nothing(tmp_path: Path, example: Example, workers: int, told: str) -> None:
    """A server that gets SIGHUP before it has a model starts, with all of its workers."""
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
    """On SIGHUP a server looks for another model, logs what it found, and lives on; a bad one is refused at once."""
    put(CHAMPION, example)
    with Server(tmp_path) as server:
        server.process.send_signal(signal.SIGHUP)
        time.sleep(0.3)
        shutil.copy(dearer.path, CHAMPION)
        server.process.send_signal(signal.SIGHUP)
        until(lambda: 'result="refused"} 1.0' in httpx.get(f"{server.url}/metrics").text)
        md5 = put(CHAMPION, dearer)
        server.process.send_signal(signal.SIGHUP)
        until(lambda: httpx.get(f"{server.url}/ready").json()["model"] == md5)
        _, log = server.stop()
    messages = [json.loads(line)["message"] for line in log.splitlines()]
    told = [text for text in messages if text.startswith(("serving", "refused", "now serving"))]
    assert [text.split()[0] for text in told] == ["serving", "serving", "refused:", "now"]
    assert CHAMPION.name in told[-1]
