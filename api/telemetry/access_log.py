"""The access log: one line for each request, to stdout.

It does not go through `logging`, which would cost more than the prediction.
"""

import logging
import os
import stat
import sys
import time
from asyncio import AbstractEventLoop, TimerHandle
from collections import deque
from functools import lru_cache

import msgspec

from api.telemetry.logging_config import stamp

REQUESTS = logging.getLogger("api.requests")

# Bytes. POSIX writes up to so many to a pipe in one piece; lines of several workers must not mix.
_PIECE = 4096
MOST_WAITING = 256  # pieces
_LONGEST_PATH = 200  # characters
_DELAY = 0.1  # seconds that a line may wait for others


class RequestLines:
    """Lines of requests, gathered for a moment and written without blocking, for one event loop.

    If the reader is slow, up to MOST_WAITING pieces (1 MB) are buffered; later lines are dropped and counted. Requests
    never wait.
    """

    def __init__(self, as_json: bool) -> None:
        self.wanted = REQUESTS.isEnabledFor(logging.INFO)
        self._form = _json_line if as_json else _text_line
        self._lines: list[bytes] = []
        self._size = 0
        self._pieces: deque[bytes] = deque()
        self._dropped = 0
        self._timer: TimerHandle | None = None
        self._file: int | None = None

    def add(self, loop: AbstractEventLoop, identity: str, method: str, path: str, status: int, seconds: float) -> None:
        line = self._form(identity, method, _text(path), status, seconds)
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
        try:
            if self._file is None:
                self._file = _open()
            while self._pieces:
                os.write(self._file, self._pieces[0])
                self._pieces.popleft()
        except BlockingIOError:
            pass
        except (OSError, ValueError):
            # Nobody reads any more, or stdout is closed: requests are answered without a line.
            self.wanted = False
        while len(self._pieces) > MOST_WAITING:
            self._dropped += self._pieces.pop().count(b"\n")
        if self._dropped and not self._pieces:
            REQUESTS.warning("%d lines of requests were dropped: stdout was not read", self._dropped)
            self._dropped = 0

    def close(self) -> None:
        """Write what is left; a slow reader has one second."""
        deadline = time.monotonic() + 1
        self.flush()
        while self.wanted and self._pieces and time.monotonic() < deadline:
            time.sleep(0.02)
            self.flush()


def _open() -> int:
    """Return a file descriptor for stdout, one that never blocks if stdout is a pipe.

    The pipe is opened again, because other processes share the mode of the inherited descriptor.
    """
    file = sys.stdout.fileno()
    try:
        if stat.S_ISFIFO(os.fstat(file).st_mode):
            return os.open(f"/proc/self/fd/{file}", os.O_WRONLY | os.O_NONBLOCK)
    except OSError:  # no /proc
        pass
    return file


def _text(path: str) -> str:
    if len(path) <= _LONGEST_PATH and path.isascii():
        return path
    # A lone surrogate cannot be written.
    return path[:_LONGEST_PATH].encode(errors="replace").decode()


def _json_line(identity: str, method: str, path: str, status: int, seconds: float) -> bytes:
    # An f-string: an encoder takes twice as long. The id is safe as it is (api.http.middleware), the rest is quoted.
    return (
        f'{{"time":"{stamp(time.time())}","level":"INFO","message":"request","request_id":"{identity}",'
        f'"method":{_quoted(method)},"path":{_quoted(path)},"status":{status},"ms":{seconds * 1000:.3f}}}\n'
    ).encode()


@lru_cache(maxsize=256)
def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()


def _text_line(identity: str, method: str, path: str, status: int, seconds: float) -> bytes:
    shown = path if path.isprintable() else repr(path)
    return f"INFO:     {method} {shown} {status} {seconds * 1000:.1f} ms {identity}\n".encode()
