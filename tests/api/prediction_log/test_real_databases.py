"""The prediction log of real servers: killed, on a full disk, with two workers, in PostgreSQL."""

import contextlib
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from api.prediction_log import queries, retention
from api.prediction_log.database import connect, create, existing, transaction
from api.prediction_log.schema import now
from tests.api.conftest import JSON, Example, log_url, row, until
from tests.api.prediction_log.test_migration import make_first
from tests.api.prediction_log.test_repeats import answers_at_once
from tests.api.test_server import Server

BODY = json.dumps(row(heating=None))


def server_of(example: Example, folder: Path, **variables: str) -> Server:
    return Server(folder, MODEL_PATH=str(example.path), **{"PREDICTION_LOG_URL": log_url(folder), **variables})


class Load:
    """Clients that predict without a pause. `ids` and `statuses`: of all answers that arrived."""

    def __init__(self, url: str, clients: int) -> None:
        self.ids: list[str] = []
        self.statuses: set[int] = set()
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(url,)) for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def _run(self, url: str) -> None:
        with httpx.Client(base_url=url, timeout=20) as client:
            while not self._end.is_set():
                try:
                    response = client.post("/predict", content=BODY, headers=JSON)
                except httpx.TransportError:
                    return
                self.statuses.add(response.status_code)
                if response.status_code == 200:
                    self.ids.append(response.json()["id"])

    def end(self) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join(timeout=30)

    def wait_for(self, count: int) -> None:
        until(lambda: len(self.ids) >= count)


def ids_in(folder: Path) -> set[str]:
    with sqlite3.connect(folder / "log/predictions.db") as connection:
        return {found for (found,) in connection.execute("SELECT id FROM predictions")}


@pytest.mark.parametrize("kills", [1, pytest.param(20, marks=pytest.mark.slow)])
def test_a_kill_loses_no_answer(example: Example, tmp_path: Path, kills: int) -> None:
    """Servers on one log are killed under load, one after the other: each id that a client received is in the log."""
    received: set[str] = set()
    for number in range(kills):
        with server_of(example, tmp_path) as server:
            load = Load(server.url, 8)
            load.wait_for(50 + 17 * number)
            os.kill(server.process.pid, signal.SIGKILL)
            load.end()
        received.update(load.ids)
    assert received <= ids_in(tmp_path)
    with sqlite3.connect(tmp_path / "log/predictions.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_an_interrupt_finishes_what_was_begun(example: Example, tmp_path: Path) -> None:
    """On SIGTERM each accepted request is answered and logged."""
    with server_of(example, tmp_path) as server:
        load = Load(server.url, 8)
        load.wait_for(50)
        server.process.terminate()
        server.process.communicate(timeout=30)
        load.end()
    assert load.statuses == {200}
    assert set(load.ids) == ids_in(tmp_path)


def test_two_workers_write_one_log(example: Example, tmp_path: Path) -> None:
    """Both processes of `WORKERS=2` write one log, and no request fails."""
    with server_of(example, tmp_path, WORKERS="2") as server:
        children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
        if not children.exists():
            pytest.skip("this system has no /proc with the children of a process")
        load = Load(server.url, 16)
        load.wait_for(600)
        writers = [child for child in children.read_text().split() if "predictions.db" in open_files(child)]
        load.end()
    assert len(writers) == 2
    assert load.statuses == {200}
    assert set(load.ids) == ids_in(tmp_path)


def open_files(process: str) -> str:
    return " ".join(os.readlink(link) for link in Path(f"/proc/{process}/fd").iterdir() if link.is_symlink())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 400 kB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk(example: Example, tmp_path: Path, small_disk: Path) -> None:
    """On a full disk predictions and feedback are 503 until there is room again; earlier answers stay in the log."""
    with server_of(example, tmp_path, PREDICTION_LOG_URL=log_url(small_disk)) as server:
        ballast = small_disk / "ballast"
        ballast.write_bytes(b"x" * 150_000)
        load = Load(server.url, 4)
        until(lambda: 503 in load.statuses)
        load.end()
        assert load.statuses == {200, 503}
        response = httpx.post(f"{server.url}/predict", content=BODY, headers=JSON)
        assert (response.status_code, response.headers["retry-after"]) == (503, "1")
        assert httpx.post(f"{server.url}/feedback", json={"id": load.ids[0], "actual": 5}).status_code == 503
        ready = httpx.get(f"{server.url}/ready")
        assert (ready.status_code, "full" in ready.json()["detail"]) == (503, False)
        ballast.unlink()
        until(lambda: httpx.get(f"{server.url}/ready").status_code == 200)
        after = httpx.post(f"{server.url}/predict", content=BODY, headers=JSON)
        assert after.status_code == 200
        assert ids_in(small_disk) >= {*load.ids, after.json()["id"]}
        assert "full" in server.stop()[1]


class Postgres:
    """A PostgreSQL server of Debian's package in a folder, run by a user who is not root."""

    def __init__(self, folder: Path, programs: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._data = folder / "data"
        self._programs = programs
        self._user = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
        if self._user:
            shutil.chown(folder, "postgres")
        self._run("initdb", "--auth=trust", "--username=tests", "--no-sync")
        self.url = f"postgresql://tests@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        options = f"-p {self.port} -h 127.0.0.1 -k {self._data}"
        self._run("pg_ctl", "-w", "-o", options, "-l", str(self._data / "server.log"), "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-w", "-m", "immediate", "stop")

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._user, str(self._programs / program), "-D", str(self._data), *arguments]
        # Not captured: the server that pg_ctl leaves behind would hold the pipe open.
        subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("there is no PostgreSQL under /usr/lib/postgresql: apt-get install postgresql")
    folder = Path(subprocess.run(["mktemp", "-d"], capture_output=True, text=True, check=True).stdout.strip())
    server = Postgres(folder, found[-1].parent)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(folder)


@pytest.mark.slow
def test_postgresql(example: Example, tmp_path: Path, postgres: Postgres) -> None:
    """Two workers make the tables together and log to PostgreSQL. Feedback, retention, the export's window and erasure
    work there. While it is away predictions are 503 and other paths answer."""
    with server_of(example, tmp_path, PREDICTION_LOG_URL=postgres.url, WORKERS="2") as server:
        load = Load(server.url, 8)
        load.wait_for(200)
        load.end()
        assert load.statuses == {200}
        database = existing(postgres.url)
        with database.connect() as connection:
            assert set(connection.scalars(text("SELECT id FROM predictions"))) == set(load.ids)
        with httpx.Client(base_url=server.url, timeout=30) as client:
            batch = client.post("/predict/batch", json=[row(listing="own"), row(slope=None)]).json()
            assert client.post("/feedback", json={"id": "own", "actual": 5}).json()["id"] == batch[0]["id"]
            assert not client.post("/feedback", json={"id": "own", "actual": 5}).json()["changed"]
            assert client.post("/feedback", json={"id": "own", "actual": 6}).json()["previous"] == 5
            assert client.post("/feedback", json={"id": "no", "actual": 6}).status_code == 404
            away_and_back(client, postgres)
        logged = {entry.id: actual for entry, actual, _ in queries.window(database, 0, now() + 1)}
        assert logged[batch[0]["id"]] == 6
        assert queries.erase(database, "own") == (1, 2)
        assert retention.prune(database, 0, 5) > 100
        database.dispose()


@pytest.mark.slow
def test_postgresql_upgrades_and_knows_retries(example: Example, postgres: Postgres) -> None:
    """A log of version 1 in PostgreSQL is upgraded once by processes that start together, and keeps its rows. Of equal
    requests that two servers get at once one adds a row."""
    with connect(postgres.url).connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("CREATE DATABASE older"))
    url = postgres.url.removesuffix("/postgres") + "/older"
    database = connect(url)
    with transaction(database) as connection:
        make_first(connection)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: create(connect(url)), range(8)))
    ids = [answers_at_once(example, url, headers) for headers in ({"Idempotency-Key": "k"}, {})]
    assert [len(each) for each in ids] == [1, 1]
    rows = queries.window(existing(url), 0, now() + 1)
    logged = [(entry.id, entry.idempotency, actual) for entry, actual, *_ in rows]
    assert logged == [
        ("01a20ac1ef3d748aa9067a5652a14be9", None, 3.25),
        ("01a20ac1ef3d748aa9067a5652a14bea", None, None),
        (ids[0].pop(), "k", None),
        (ids[1].pop(), None, None),
    ]
    database.dispose()


class Relay:
    """A TCP relay to a port that can stall: then it takes and acknowledges bytes, and passes none on."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._moving: list[threading.Event] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.open = True
        threading.Thread(target=self._accept, daemon=True).start()

    def stall(self) -> None:
        """Stall the connections that there are, for ever."""
        for moving in self._moving:
            moving.clear()

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            server, moving = socket.create_connection(("127.0.0.1", self._port)), threading.Event()
            if self.open:
                moving.set()
            self._moving.append(moving)
            for pair in ((client, server), (server, client)):
                threading.Thread(target=self._pass_on, args=(*pair, moving), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, moving: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if moving.is_set():
                    target.sendall(data)
            target.close()


@pytest.mark.slow
def test_a_cut_connection_to_postgresql(example: Example, tmp_path: Path, postgres: Postgres) -> None:
    """Behind a proxy that stalls, predictions and feedback are 503 within seconds, then at once, and other paths
    answer. New connections that work are taken without a restart. SIGTERM ends the server also while they stall."""
    relay = Relay(postgres.port)
    url = postgres.url.replace(str(postgres.port), str(relay.port))
    with (
        server_of(example, tmp_path, PREDICTION_LOG_URL=url) as server,
        httpx.Client(base_url=server.url, timeout=30) as client,
    ):

        def answers() -> tuple[set[int], float]:
            begun = time.monotonic()
            predicted = client.post("/predict", json=row(listing="cut"))
            told = client.post("/feedback", json={"id": "cut", "actual": 5})
            return {predicted.status_code, told.status_code}, time.monotonic() - begun

        until(lambda: answers()[0] == {200})
        relay.stall()
        statuses, seconds = answers()
        assert statuses == {503}
        assert seconds < 10
        until(lambda: answers()[0] == {200})
        relay.open = False
        relay.stall()
        assert client.post("/feedback", json={"id": "cut", "actual": 6}).status_code == 503
        statuses, seconds = answers()
        assert statuses == {503}
        assert seconds < 3
        assert client.get("/health").status_code == 200
        relay.open = True
        until(lambda: answers()[0] == {200})
        relay.open = False
        relay.stall()
        server.process.terminate()
        server.process.communicate(timeout=30)


@pytest.mark.slow
def test_limits_of_connections_to_postgresql(postgres: Postgres) -> None:
    """A server's statements end after seconds, a command's take their time; the connections of both are kept alive."""
    limits = []
    for database in (connect(postgres.url), existing(postgres.url)):
        with database.connect() as connection:
            limits.append(connection.scalar(text("SHOW statement_timeout")))
            driver: Any = connection.connection.driver_connection
            assert int(driver.info.get_parameters()["keepalives_idle"]) < 60
        database.dispose()
    assert limits == ["5s", "0"]


def away_and_back(client: httpx.Client, postgres: Postgres) -> None:
    def status(path: str, **sent: Any) -> int:
        return client.request("POST" if sent else "GET", path, **sent).status_code

    postgres.stop()
    assert status("/predict", json=row()) == status("/predict", json=row()) == 503
    assert status("/feedback", json={"id": "own", "actual": 6}) == 503
    assert status("/ready") == 503
    assert status("/health") == 200
    assert "127.0.0.1" not in client.get("/ready").text
    postgres.start()
    for _ in range(4):  # each worker finds out by itself
        until(lambda: status("/predict", json=row()) == 200)
