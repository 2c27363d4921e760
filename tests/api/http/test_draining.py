"""The end of a server that others still send requests to."""

import asyncio
import contextlib
import itertools
import signal
import time
from pathlib import Path

import httpx
import pytest

from tests.api.conftest import Example, row, until
from tests.api.test_server import Server

TURN = 1  # second of draining


def server_of(example: Example, folder: Path, **variables: str) -> Server:
    return Server(folder, MODEL_PATH=str(example.path), DRAIN_SECONDS=str(TURN), **variables)


class Proxy:
    """A reverse proxy on one port: it asks each server's /ready every 0.1 s, keeps connections to the servers open, and
    never sends a request twice."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.urls: list[str] = []
        self.ready: list[str] = []
        self.turn = itertools.count()

    async def watch(self) -> None:
        while True:
            self.ready = [url for url in self.urls if await self._is_ready(url)]
            await asyncio.sleep(0.1)

    async def _is_ready(self, url: str) -> bool:
        with contextlib.suppress(httpx.TransportError):
            return (await self.client.get(f"{url}/ready")).is_success
        return False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                body = await reader.readexactly(int(head.partition("content-length: ")[2].split()[0]))
                url = self.ready[next(self.turn) % len(self.ready)]
                try:
                    answer = await self.client.post(f"{url}/predict", content=body, headers=JSON)
                except httpx.TransportError as error:
                    answer = httpx.Response(502, text=repr(error))
                writer.write(f"HTTP/1.1 {answer.status_code} -\r\ncontent-length: {len(answer.content)}\r\n\r\n".encode())
                writer.write(answer.content)
        writer.close()
