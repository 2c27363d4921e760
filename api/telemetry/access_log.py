"""The access log: one line for each request, to stdout.

It does not go through `logging`, which would cost more than the prediction.
"""

import logging
import os
import socket
import stat
import sys
import time
from asyncio import AbstractEventLoop, TimerHandle
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from typing import Any

import msgspec

from api.telemetry.logging_config import stamp

REQUESTS = logging.getLogger("api.requests")

# Bytes. POSIX writes up to so many to a pipe in one piece; lines of several workers must not mix.
_PIECE = 4096
MOST_WAITING = 256  # pieces
_LONGEST_PATH = 200  # characters
_DROPPED = "%d lines of requests were dropped: stdout could not be written"
_DELAY = 0.1  # seconds that a line may wait for others


class RequestLines:
    """Lines of requests, gathered for a moment and written without blocking, for one event loop.

    What cannot be written (nobody reads stdout, its disk is full) waits, up to MOST_WAITING pieces (1 MB); later lines
    are dropped, and `lost` is called with their number. Requests never wait.
    """

    def __init__(self, as_json: bool, lost: Callable[[int], None]) -> None:
        self.wanted = REQUESTS.isEnabledFor(logging.INFO)
        self._form = _json_line if as_json else _text_line
        self._lost = lost
        self._lines: list[bytes] = []
        self._size = 0
        self._pieces: deque[bytes] = deque()
        self._dropped = 0
        self._timer: TimerHandle | None = None
        self._write: Callable[[bytes], int] | None = None

    def add(self, loop: AbstractEventLoop, scope: Any, status: int, seconds: float) -> None:
        """Add the line of an answered request, whose ASGI scope has the entries of api.http.middleware."""
        line = self._form(scope, status, seconds)
        if self._size + len(line) > _PIECE:
            self.flush()
        self._lines.append(line)
        self._size += len(line)
        if self._timer is None:
            self._timer = loop.call_later(_DELAY, self.flush)

    def flush(self) -> None:
        """Write what can be written now."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if self._lines:
            self._pieces.append(b"".join(self._lines))
            self._lines, self._size = [], 0
        # ValueError: stdout is closed. Whatever it is, it may end: a disk gets space, a pipe another reader.
        with suppress(OSError, ValueError):
            if self._write is None:
                self._write = _open()
            while self._pieces:
                written = self._write(self._pieces[0])
                self._pieces[0] = self._pieces[0][written:]
                if not self._pieces[0]:
                    self._pieces.popleft()
        dropped = 0
        while len(self._pieces) > MOST_WAITING:
            dropped += self._pieces.pop().count(b"\n")
        if dropped:
            self._lost(dropped)
            self._dropped += dropped
        if self._dropped and not self._pieces:
            REQUESTS.warning(_DROPPED, self._dropped)
            self._dropped = 0

    def close(self) -> None:
        """Write what is left; a slow reader has one second."""
        deadline = time.monotonic() + 1
        self.flush()
        while self._pieces and time.monotonic() < deadline:
            time.sleep(0.02)
            self.flush()
        if left := self._dropped + sum(piece.count(b"\n") for piece in self._pieces):
            REQUESTS.warning(_DROPPED, left)


def _open() -> Callable[[bytes], int]:
    """Return the function that writes to stdout, and never blocks if that is a pipe, or a socket as systemd's is.

    The pipe is opened again, because other processes share the mode of the inherited descriptor.
    """
    file = sys.stdout.fileno()
    mode = os.fstat(file).st_mode
    if stat.S_ISSOCK(mode):
        stdout = socket.socket(fileno=os.dup(file))
        return lambda content: stdout.send(content, socket.MSG_DONTWAIT)
    if stat.S_ISFIFO(mode):
        with suppress(OSError):  # no /proc
            file = os.open(f"/proc/self/fd/{file}", os.O_WRONLY | os.O_NONBLOCK)
    return lambda content: os.write(file, content)


def _text(path: str) -> str:
    if len(path) <= _LONGEST_PATH and path.isascii():
        return path
    # A lone surrogate cannot be written.
    return path[:_LONGEST_PATH].encode(errors="replace").decode()


def _json_line(scope: Any, status: int, seconds: float) -> bytes:
    # An f-string: an encoder takes twice as long. The ids are safe as they are (api.http.middleware), the rest is
    # quoted.
    trace, key = scope.get("trace_id"), scope.get("key_name")
    more = (f',"trace_id":"{trace}"' if trace else "") + (f',"key":{_quoted(key)}' if key else "")
    return (
        f'{{"time":"{stamp(time.time())}","level":"INFO","message":"request","request_id":"{scope["request_id"]}"{more},'
        f'"method":{_quoted(scope.get("method", ""))},"path":{_quoted(_text(scope["path"]))},"status":{status},'
        f'"ms":{seconds * 1000:.3f}}}\n'
    ).encode()


@lru_cache(maxsize=256)
def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()


def _text_line(scope: Any, status: int, seconds: float) -> bytes:
    path, trace, key = _text(scope["path"]), scope.get("trace_id"), scope.get("key_name")
    shown = path if path.isprintable() else repr(path)
    more = (f" trace {trace}" if trace else "") + (f" key {key}" if key else "")
    return (
        f"INFO:     {scope.get('method', '')} {shown} {status} {seconds * 1000:.1f} ms {scope['request_id']}{more}\n"
    ).encode()
