"""The end of a server that others still send requests to."""

import contextlib
import itertools
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from tests.api.conftest import JSON, Example, row, until
from tests.api.model.test_reload_under_load import Load
from tests.api.test_server import Server


def server_of(example: Example, folder: Path, workers: int, seconds: int) -> Server:
    variables = {"MODEL_PATH": str(example.path), "WORKERS": str(workers), "DRAIN_SECONDS": str(seconds)}
    return Server(folder, **variables, LOG_LEVEL="error")  # nobody reads its log


def is_ready(url: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"{url}/ready").is_success
    return False


class Proxy:
    """A reverse proxy: it keeps its connections to the servers open, asks each for /ready every 0.3 s, and never
    sends a request twice."""

    def __init__(self) -> None:
        self.servers: list[str] = []
        self.ready: list[str] = []
        self.failures: list[str] = []
        self.turns = itertools.count()
        self.client = httpx.AsyncClient(limits=httpx.Limits(keepalive_expiry=2))  # less than a server's 5 s
        self.ended = threading.Event()

    async def __call__(self, _: Any, receive: Any, send: Any) -> None:
        body = (await receive())["body"]
        try:
            server = self.ready[next(self.turns) % len(self.ready)]
            answer = await self.client.post(f"{server}/predict", content=body, headers=JSON)
        except (ZeroDivisionError, httpx.TransportError) as error:
            answer = httpx.Response(502, json={"detail": repr(error)})
        if answer.status_code != 200:
            self.failures.append(f"{answer.status_code} {answer.text}")
        length = (b"content-length", b"%d" % len(answer.content))
        await send({"type": "http.response.start", "status": answer.status_code, "headers": [length]})
        await send({"type": "http.response.body", "body": answer.content})

    def watch(self) -> None:
        while not self.ended.wait(0.3):
            self.ready = [server for server in tuple(self.servers) if is_ready(server)]


@pytest.fixture
def proxy() -> Iterator[tuple[Proxy, str]]:
    """The proxy and its URL."""
    proxy = Proxy()
    server = uvicorn.Server(uvicorn.Config(proxy, port=0, lifespan="off", log_level="error"))
    threads = [threading.Thread(target=server.run), threading.Thread(target=proxy.watch)]
    for thread in threads:
        thread.start()
    until(lambda: server.started)
    yield proxy, f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    proxy.ended.set()
    for thread in threads:
        thread.join()


def test_a_rolling_replacement_loses_no_request(example: Example, tmp_path: Path, proxy: tuple[Proxy, str]) -> None:
    """Behind a proxy, under load, one server replaces another, then a third one replaces that: each request is
    answered."""
    balancer, url = proxy
    with contextlib.ExitStack() as stack:
        load = None
        old: Server | None = None
        for number, workers in enumerate((1, 2, 1)):
            folder = tmp_path / str(number)
            folder.mkdir()
            new = stack.enter_context(server_of(example, folder, workers, 1))
            balancer.servers.append(new.url)
            until(lambda new=new: new.url in balancer.ready)
            load = load or Load(url, 4)
            if old:
                old.process.send_signal(signal.SIGTERM)
                assert old.process.wait(20) == 0
                balancer.servers.remove(old.url)
            old = new
        assert load
        load.stop()
    assert balancer.failures == load.failures == []
    assert len(load.answers) > 100


def test_after_sigterm_new_requests_are_answered_for_a_while(example: Example, tmp_path: Path) -> None:
    """Then /ready is 503 and says why, /health is 200, and each answer ends its connection; at last the server ends."""
    with server_of(example, tmp_path, 1, 2) as server, httpx.Client(base_url=server.url) as client:
        assert "connection" not in client.post("/predict", json=row()).headers
        started = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        until(lambda: client.get("/ready").status_code == 503)
        assert "DRAIN_SECONDS" in client.get("/ready").json()["detail"]
        assert client.get("/health").json()["ready"] is False
        response = client.post("/predict", json=row())
        assert (response.status_code, response.headers["connection"]) == (200, "close")
        assert server.process.wait(20) == 0
        assert time.monotonic() - started > 2


def test_a_promotion_does_not_end_the_draining(example: Example, tmp_path: Path) -> None:
    """SIGHUP to a server of several workers, which would look for another model, leaves DRAIN_SECONDS as they are."""
    with server_of(example, tmp_path, 2, 600) as server:
        server.process.send_signal(signal.SIGTERM)
        until(lambda: not is_ready(server.url))
        server.process.send_signal(signal.SIGHUP)
        time.sleep(1)
        assert httpx.get(f"{server.url}/health").status_code == 200
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(20) == 0


@pytest.mark.parametrize(("workers", "second"), [(1, signal.SIGTERM), (2, signal.SIGTERM), (1, signal.SIGINT)])
def test_a_second_signal_ends_the_draining(
    example: Example, tmp_path: Path, workers: int, second: signal.Signals
) -> None:
    """SIGTERM twice, or an interrupt after it, does not wait for DRAIN_SECONDS."""
    with server_of(example, tmp_path, workers, 600) as server:
        server.process.send_signal(signal.SIGTERM)
        until(lambda: not is_ready(server.url))
        server.process.send_signal(second)
        assert server.process.wait(20) in (0, -signal.SIGINT)
