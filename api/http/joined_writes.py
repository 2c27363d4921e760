"""Write the head and the body of an answer with one system call.

Uvicorn writes them one after the other, and each write sends a packet: for a small answer the second costs as much as
the decoding of the request.
"""

import asyncio
from typing import Any

# Bytes of a second write that is joined. A larger one would be copied for each client that reads it slowly.
_SMALL = 2**14


class JoinedWrites:
    """A transport that keeps the first write of a turn of the loop until the second one, or the end of the turn."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._send, self._is_closing, self._soon = transport.write, transport.is_closing, loop.call_soon
        self._kept = b""

    def write(self, data: bytes) -> None:
        if self._is_closing():
            return  # the connection ended before the answer: uvloop would raise
        if self._kept and len(data) < _SMALL:
            data, self._kept = self._kept + data, b""
            self._send(data)
        elif self._kept:
            self.flush()
            self._send(data)
        else:
            self._kept = data
            self._soon(self.flush)

    def flush(self) -> None:
        data, self._kept = self._kept, b""
        if data and not self._is_closing():  # a client may leave within the turn
            self._send(data)

    def write_eof(self) -> None:
        self.flush()
        self._transport.write_eof()

    def close(self) -> None:
        self.flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
