"""Uvicorn's HTTP protocol, with limits on what a client holds while it sends or reads nothing.

Middleware sees a request only when its headers are complete, and Uvicorn's own limit counts all connections, so slow
ones would shut out the healthy. Here a slow connection ends by itself, and of too many the idlest are closed.
"""

import asyncio
import heapq
import logging
import math
from http import HTTPStatus
from typing import Any

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.http import draining
from api.http.errors import MEDIA_TYPE, Problem
from api.http.joined_writes import JoinedWrites

log = logging.getLogger("uvicorn.error")


class Protocol(HttpToolsProtocol):
    """One connection. All times are in seconds.

    What runs for every request sets flags alone; the times come from a check once a second.
    """

    MOST_CONNECTIONS = 500  # of a process
    MOST_HEADERS = 2**15  # bytes of a request line and its headers, or of the trailers after a body in chunks
    MOST_PIPELINED = 16  # requests of a connection that wait for the answer to an earlier one; each takes 2.5 kB
    HEADERS_WITHIN = 10.0  # from the start of the connection, or the first byte of a later request
    SILENCE = 20.0  # without a byte of a body, or of an answer that the client reads
    CHECK_EVERY = 1.0
    warned_at = -math.inf

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.transport = JoinedWrites(transport, self.loop)  # type: ignore[assignment]
        self.room = self.MOST_HEADERS  # bytes that may still come without an end of headers and without a body
        self.heard = False  # a byte came since the last check
        self.unsent = 0  # bytes of answers that the client had not read at the last check
        self.seen: Any = None  # the request at the last check
        self.waits_since = self.moved_at = self.loop.time()
        self.check = self.loop.call_later(self.CHECK_EVERY, self._check)
        if len(self.connections) > self.MOST_CONNECTIONS:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        self.check.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if len(data) > self.room:
            self._in_parts(data)
            return
        self.heard = True
        self.room -= len(data)
        HttpToolsProtocol.data_received(self, data)  # faster than super()

    def _in_parts(self, data: bytes) -> None:
        """Take more bytes than there is room for: parts of the body make room again, too long headers do not."""
        while len(data) > self.room >= 0:
            part, data = data[: self.room], data[self.room :]
            self.data_received(part)
            if self.room == 0 and self.pipeline:
                self._hear_out()
            elif self.room == 0:
                limit = f"expected headers of at most {self.MOST_HEADERS} bytes"
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, limit)
                # If the connection were closed at once, a client that still sends would see a reset, and no answer.
                self.room = -1
                self.check.cancel()
                self.check = self.loop.call_later(self.HEADERS_WITHIN, self.transport.abort)
        if self.room > 0:
            self.data_received(data)

    def on_headers_complete(self) -> None:
        if len(self.pipeline) == self.MOST_PIPELINED:
            self._hear_out()
            return
        HttpToolsProtocol.on_headers_complete(self)
        self.room = self.MOST_HEADERS
        if draining.begun:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        if self.room >= 0:
            self.room = self.MOST_HEADERS
            HttpToolsProtocol.on_body(self, body)

    def _unsupported_upgrade_warning(self) -> None:
        """Write no line: Uvicorn's would ask for a library, and any client can send such a header."""

    def _check(self) -> None:
        """End the connection if its time is over, else look again later."""
        self.check = self.loop.call_later(self.CHECK_EVERY, self._check)
        now = self.loop.time()
        before, self.unsent = self.unsent, self.transport.get_write_buffer_size()
        if self.unsent != before or (self.heard and not self.unsent):
            self.moved_at = now
        self.heard = False
        if self.cycle is not self.seen or self.timeout_keep_alive_task or not self._waits():
            self.seen, self.waits_since = self.cycle, now
        silent = now - self.moved_at > self.SILENCE
        if self.unsent:
            if silent:
                self._cut_off()
        elif self._is_idle():
            if now - self.waits_since > self.HEADERS_WITHIN:
                if self.room < self.MOST_HEADERS:
                    late = f"the headers were not complete in {self.HEADERS_WITHIN:g} s"
                    self._refuse(HTTPStatus.REQUEST_TIMEOUT, late)
                self.transport.close()
        elif silent and self._waits():
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, f"no byte of the body came for {self.SILENCE:g} s")
            self.transport.close()

    def _is_idle(self) -> bool:
        """Return whether no request is begun, as far as the headers tell."""
        return self.cycle is None or self.cycle.response_complete

    def _waits(self) -> bool:
        """Return whether the client has to act: to send headers or a body, or to read its answer."""
        return self._is_idle() or bool(self.unsent) or (self.cycle.more_body and not self.flow.read_paused)

    def _idle_since(self) -> float:
        timer = self.timeout_keep_alive_task
        return timer.when() - self.timeout_keep_alive if timer else self.waits_since

    def _refuse(self, status: HTTPStatus, detail: str) -> None:
        """Answer a request that is not whole."""
        self._hear_no_more()
        body = msgspec.json.encode(Problem("about:blank", status.phrase, status, detail))
        head = f"HTTP/1.1 {status} {status.phrase}\r\ncontent-type: {MEDIA_TYPE}\r\ncontent-length: {len(body)}\r\n"
        self.transport.write(head.encode() + b"connection: close\r\n\r\n" + body)
        self.transport.write_eof()

    def _hear_out(self) -> None:
        """Answer the requests so far, the last of them with `Connection: close`, and drop what follows."""
        self.room, self.cycle.keep_alive = -1, False

    def _cut_off(self) -> None:
        self._hear_no_more()
        self.transport.abort()

    def _hear_no_more(self) -> None:
        """Tell the application that its client is gone, so that it sends nothing more."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()

    def _make_room(self) -> None:
        """Close a tenth of the connections: those that wait longest for their client. Without any, this one."""
        connections: set[Any] = self.connections
        waiting = [each for each in connections if each is not self and each._waits()]
        idlest = heapq.nsmallest(self.MOST_CONNECTIONS // 10, waiting, key=Protocol._idle_since) or [self]
        if self.loop.time() > Protocol.warned_at + 60:
            Protocol.warned_at = self.loop.time()
            log.warning("more than %d connections: the idlest are closed", self.MOST_CONNECTIONS)
        for connection in idlest:
            connections.discard(connection)
            connection._cut_off()
