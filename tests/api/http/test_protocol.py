"""Slow, silent and greedy clients, over real sockets."""

import json
import select
import socket
import threading
import time
from collections.abc import Iterator

import httpx
import pytest
import uvicorn

from api.app import create_app
from api.http import body
from api.http.protocol import Protocol
from api.settings import Settings
from tests.api.conftest import Example, log_url, row, until

POST = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
GET = b"GET /health HTTP/1.1\r\nHost: x\r\n"
BODY = json.dumps(row()).encode()
LONG = b"x" * 2**15


class Hasty(Protocol):
    """The same with little patience."""

    MOST_CONNECTIONS = 20
    HEADERS_WITHIN = 0.6
    SILENCE = 1.2
    CHECK_EVERY = 0.1


@pytest.fixture(scope="module")
def port(example: Example, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a server in a thread."""
    application = create_app(
        Settings(model_path=example.path, prediction_log_url=log_url(tmp_path_factory.mktemp("slow")))
    )
    server = uvicorn.Server(uvicorn.Config(application, port=0, http=Hasty, ws="none", log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    until(lambda: server.started)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join()


def connect(port: int, *parts: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    for part in parts:
        connection.sendall(part)
    return connection


def everything(connection: socket.socket) -> bytes:
    """All bytes until the server ends the connection."""
    with connection, connection.makefile("rb") as answer:
        return answer.read()


def head_of(length: int) -> bytes:
    return POST + b"Content-Length: %d\r\n\r\n" % length


@pytest.mark.parametrize(
    ("sent", "seconds", "answer"),
    [
        ([], 0.6, b""),
        ([GET], 0.6, b"HTTP/1.1 408 Request Timeout"),
        ([GET + b"\r\n", b"\r\n"], 0.6, b"HTTP/1.1 200 OK"),  # an empty line is no request
        ([head_of(500), b"{"], 1.2, b"HTTP/1.1 408 Request Timeout"),
        ([head_of(500).replace(b"/predict", b"/nope"), b"{"], 0.6, b"HTTP/1.1 404 Not Found"),
    ],
)
def test_a_connection_that_falls_silent_ends(port: int, sent: list[bytes], seconds: float, answer: bytes) -> None:
    """One without a byte, with half its headers or half its body is closed after its time, and not before; so is one
    that goes on with neither after its answer."""
    started = time.monotonic()
    connection = connect(port)
    for part in sent:
        connection.sendall(part)
        time.sleep(0.2)
    found = everything(connection)
    assert found.partition(b"\r\n")[0] == answer
    assert seconds < time.monotonic() - started < seconds + 2


def test_slow_bytes_prolong_a_body_and_not_the_headers(port: int) -> None:
    """A body may be slow as long as bytes come. Headers have their time as a whole."""
    with connect(port, head_of(len(BODY))) as connection:
        for part in (BODY[:50], BODY[50:100], BODY[100:]):
            time.sleep(0.8)
            connection.sendall(part)
        assert connection.makefile("rb").readline() == b"HTTP/1.1 200 OK\r\n"
    started = time.monotonic()
    with connect(port, GET) as connection:
        while not select.select([connection], [], [], 0.1)[0]:
            connection.sendall(b"X: y\r\n")
        assert time.monotonic() - started < 5
        assert connection.makefile("rb").readline() == b"HTTP/1.1 408 Request Timeout\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        [GET + b"X: " + LONG],
        [GET, *[b"X: " + b"y" * 1000 + b"\r\n"] * 33],
        [b"GET /" + LONG],
        # What comes in one packet with the end of something else is not counted, so it takes some more.
        [GET + b"\r\n" + GET + b"X: " + LONG * 16],
        [POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n0\r\nX: " + LONG * 16],
    ],
    ids=["a header", "many headers", "a path", "a second request", "trailers"],
)
def test_headers_over_32_kb_are_refused_at_once(port: int, sent: list[bytes]) -> None:
    """The answer 431 comes while the client still sends; what follows is dropped, and then the connection ends."""
    with connect(port, *sent) as connection:
        stream = connection.makefile("rb")
        assert any(b"HTTP/1.1 431" in line for line in stream)
        for _ in range(20):
            connection.sendall(LONG * 32)
        content = stream.read().partition(b"\r\n\r\n")[2]
    assert json.loads(content)["detail"] == "expected headers of at most 32768 bytes"


def test_large_bodies_beside_small_headers(port: int) -> None:
    """The limit counts headers alone: bodies in chunks, in one packet with the headers, and pipelined requests pass."""
    padded = BODY.ljust(60_000)
    chunked = POST + b"Transfer-Encoding: chunked\r\n\r\nea60\r\n" + padded + b"\r\n0\r\nX: y\r\n\r\n"
    whole = head_of(len(padded)) + padded
    closing = GET + b"Y: " + LONG[:-200] + b"\r\nConnection: close\r\n\r\n"
    found = everything(connect(port, whole + chunked + GET + b"\r\n" + whole, closing))
    assert found.count(b"HTTP/1.1 200 OK") == 5


def test_of_many_requests_before_the_first_answer_some_are_answered(port: int) -> None:
    """Each that waits takes memory: after 17 answers the connection is closed, as the last one says."""
    found = everything(connect(port, (GET + b"\r\n" + head_of(2).replace(b"/predict", b"/nope") + b"{}") * 500))
    assert found.count(b"HTTP/1.1 ") == 17
    assert found.count(b"connection: close") == 1


def test_long_headers_after_requests_that_wait(port: int) -> None:
    """The requests before them are answered, and then the connection is closed."""
    found = everything(connect(port, (GET + b"\r\n") * 3 + GET + b"X: " + LONG * 2))
    assert found.count(b"HTTP/1.1 200 OK") == found.count(b"HTTP/1.1 ") == 3
    assert found.count(b"connection: close") == 1


def test_a_client_that_reads_no_answer_is_cut_off(port: int) -> None:
    """Answers that nobody reads are held for a while only."""
    ask = b"GET /static/swagger-ui/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n"
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(10)
        connection.connect(("127.0.0.1", port))
        connection.sendall(ask * 8)
        time.sleep(3)
        assert len(everything(connection)) < 8_000_000


def test_half_sent_bodies_hold_a_limited_memory(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the bodies of open requests together are too large, the next part gets 503 at once; afterwards bodies are
    taken again."""
    monkeypatch.setattr(body, "TOGETHER", 90_000)
    batch = head_of(100_000).replace(b"/predict", b"/predict/batch")
    slow = [connect(port, batch, LONG) for _ in range(2)]
    time.sleep(0.3)
    assert everything(connect(port, batch, LONG)).startswith(b"HTTP/1.1 503")
    for connection in slow:
        connection.close()
    until(lambda: body._held == 0)
    assert httpx.post(f"http://127.0.0.1:{port}/predict/batch", json=[row()]).status_code == 200


def test_the_idlest_of_too_many_connections_is_closed(port: int) -> None:
    """Any number of clients that send nothing leaves room for those that do, old ones and new ones."""
    with httpx.Client(base_url=f"http://127.0.0.1:{port}") as old:
        silent = []
        for number in range(100):
            silent.append(connect(port, GET if number % 2 else head_of(5)))
            assert old.get("/health").status_code == 200
            if number % 10 == 0:
                assert httpx.post(f"http://127.0.0.1:{port}/predict", json=row()).status_code == 200
        assert everything(silent[0]) == b""
        for connection in silent:
            connection.close()
