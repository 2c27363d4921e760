"""The clients of the soak: valid rows, batches and feedback without end, bodies that are wrong, probes, and connections
that never finish their request."""

import asyncio
import itertools
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

PATIENCE = 30  # seconds for an answer
_HEAD = re.compile(rb"HTTP/1\.1 (\d{3}) ")
_LENGTH = re.compile(rb"(?i)content-length: *(\d+)")


class Kind(NamedTuple):
    """A kind of request: how many clients send it, seconds between two of a client, and what comes next."""

    clients: int
    pause: float
    requests: Iterator[bytes]


class Load:
    """Clients of one server on the loopback, and what they were answered.

    `acknowledged`: the ids of all predictions answered 200. `statuses`: answers by kind and status. `undocumented`:
    first lines of answers with 5xx that are no 503 with a problem document. `cut`: connections that ended before the
    answer. `slowest`: seconds of the slowest answer by kind, and `during` which fault. While `paused` no
    connection is open.
    """

    def __init__(self, port: int, rows: list[dict[str, Any]]) -> None:
        self.port = port
        self.acknowledged: set[str] = set()
        self.statuses: Counter[tuple[str, int]] = Counter()
        self.undocumented: Counter[bytes] = Counter()
        self.cut: Counter[str] = Counter()
        self.unanswered = 0
        self.slowest: dict[str, tuple[float, str]] = {}
        self.during = "warm_up"
        self.paused = False
        self._latest = "none"
        self._ended = False
        singles = itertools.cycle([request("POST", "/predict", row) for row in rows])
        batches = itertools.cycle(
            [request("POST", "/predict/batch", rows[start : start + 50]) for start in (0, 50, 100)]
        )
        self._kinds = {
            "predict": Kind(6, 0.01, singles),
            "batch": Kind(1, 0.1, batches),
            "feedback": Kind(1, 0.05, self._feedback()),
            "wrong": Kind(2, 0.05, itertools.cycle(_wrong(rows[0]))),
            "health": Kind(1, 0.1, itertools.repeat(request("GET", "/health"))),
        }

    async def run(self, others: Callable[[], Any]) -> None:
        """Send until `others`, a coroutine function, has ended."""
        clients = [self._client(name, kind) for name, kind in self._kinds.items() for _ in range(kind.clients)]
        tasks = [asyncio.create_task(client) for client in clients]
        await others()
        self._ended = True
        await asyncio.gather(*tasks)

    async def silent(self, connections: int, seconds: float) -> None:
        """Open connections that send nothing, half of a head or half of a body, and close them after a while."""
        whole = request("POST", "/predict", {"a": 1})
        starts = itertools.cycle([b"", whole[:30], whole[:-3]])
        opened = [await asyncio.open_connection("127.0.0.1", self.port) for _ in range(connections)]
        for (_, writer), start in zip(opened, starts, strict=False):
            writer.write(start)
        await asyncio.sleep(seconds)
        for _, writer in opened:
            writer.close()

    async def _client(self, name: str, kind: Kind) -> None:
        while not self._ended:
            await asyncio.sleep(0.1)
            if self.paused:
                continue
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError:
                continue
            try:
                while not self._ended and not self.paused:
                    begun = time.perf_counter()
                    writer.write(next(kind.requests))
                    self._note(name, *await asyncio.wait_for(_answer(reader), PATIENCE))
                    taken = time.perf_counter() - begun, self.during
                    self.slowest[name] = max(self.slowest.get(name, taken), taken)
                    await asyncio.sleep(kind.pause)
            except TimeoutError:
                self.unanswered += 1
            except (OSError, asyncio.IncompleteReadError):  # the server was killed, or closed after an error
                self.cut[name] += 1
            finally:
                writer.close()

    def _note(self, name: str, head: bytes, content: bytes) -> None:
        found = _HEAD.match(head)
        status = int(found[1]) if found else 0
        self.statuses[name, status] += 1
        if status == 200 and name in ("predict", "batch"):
            answers = json.loads(content)
            ids = [answer["id"] for answer in (answers if name == "batch" else [answers])]
            self.acknowledged.update(ids)
            self._latest = ids[-1]
        if status >= 500 and not (status == 503 and b"application/problem+json" in head):
            self.undocumented[name.encode() + b": " + head.partition(b"\r\n")[0]] += 1

    def _feedback(self) -> Iterator[bytes]:
        while True:
            yield request("POST", "/feedback", {"id": self._latest, "actual": 20.0})


def request(method: str, path: str, content: Any = None) -> bytes:
    """Return a request with a body of JSON, or of these bytes."""
    body = content if isinstance(content, bytes) else b"" if content is None else json.dumps(content).encode()
    head = f"{method} {path} HTTP/1.1\r\nHost: soak\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def _wrong(row: dict[str, Any]) -> list[bytes]:
    """Requests of clients that are mistaken or hostile; each is answered 4xx."""
    bodies = [
        b"",
        b"{",
        b"\xff\xfe",
        b"[" * 60_000,
        b"null",
        b'{"a": NaN}',
        json.dumps(row).encode() * 2,
        b" " * 70_000,
    ]
    bodies += [json.dumps({**row, next(iter(row)): value}).encode() for value in ("x" * 10_000, 1e400, [[]])]
    requests = [request("POST", path, body) for path in ("/predict", "/feedback") for body in bodies]
    requests += [request("POST", "/predict/batch", [{f"x{number}": 1} for number in range(500)])]
    requests += [request("POST", "/predict/batch", [row] * 1001), request("PUT", "/predict", row)]
    return [*requests, request("GET", "/" + "x" * 5000), request("GET", "/%00%ff"), b"\x16\x03\x01\x02\x00\r\n\r\n"]


async def _answer(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Return the head and the content of an answer."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = _LENGTH.search(head)
    return head, await reader.readexactly(int(length[1]) if length else 0)
