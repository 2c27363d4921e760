"""Middleware for every request: the request id, the trace id, the allowed hosts, the metrics and the access log.

It wraps the whole framework, so that it also sees requests that no route takes (404, 405) and answers of the fast path,
which sets `scope["path_template"]` itself. It sets `scope["request_id"]` and `scope["trace_id"]`, and afterwards reads
`scope["key_name"]`, the name of the caller's API key.
"""

import asyncio
import itertools
import os
import re
import time
from typing import Any

from litestar import Request
from litestar.types import ASGIApp, Message, Receive, Send

from api.http.auth import Headers
from api.http.errors import problem
from api.telemetry.access_log import RequestLines
from api.telemetry.logging_config import REQUEST_ID
from api.telemetry.metrics import Metrics

HEADER = b"x-request-id"
# A caller's own id of a request: safe in a header, a log line and a file name.
_SAFE = re.compile(rb"[A-Za-z0-9._:-]{1,64}")
# W3C Trace Context, section 3.2: version 00, trace id, parent id, flags; ids of zeros alone are invalid.
TRACEPARENT = b"traceparent"
_TRACE = re.compile(rb"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_IDS = frozenset({HEADER, TRACEPARENT})
# An orchestrator probes these at an address that nobody can know before.
PROBES = ("/health", "/ready")
# The status of a request whose client left before the answer: not in HTTP, the number is nginx's.
CLIENT_GONE = 499

_process = os.urandom(4).hex()
_numbers = itertools.count()


class Middleware:
    def __init__(self, app: ASGIApp, metrics: Metrics, lines: RequestLines, allowed_hosts: tuple[str, ...]) -> None:
        self.app = app
        self.metrics = metrics
        self.lines = lines
        self.hosts = () if "*" in allowed_hosts else tuple(host.lower() for host in allowed_hosts)

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        headers = scope["headers"]
        identity, scope["trace_id"] = ids(headers)
        scope["request_id"] = identity
        REQUEST_ID.set(identity)
        status = 500  # of Uvicorn, if an exception leaves the application

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (HEADER, identity.encode())]
            await send(message)

        try:
            if self.hosts and scope["path"] not in PROBES and not self._knows_host(headers):
                error = problem(400, "the header Host names no host of this server (ALLOWED_HOSTS)")
                request: Request[Any, Any, Any] = Request(scope)
                await error.to_response(request).to_asgi_response(None, request)(scope, receive, noting)
            else:
                await self.app(scope, receive, noting)
        finally:
            seconds = time.perf_counter() - started
            # Uvicorn drops what is sent to a client that left and tells nobody; its own object, whose method `send` is,
            # knows.
            if getattr(getattr(send, "__self__", None), "disconnected", False):
                status = CLIENT_GONE
            path, key = scope.get("path_template", "other"), scope.get("key_name")
            self.metrics.observe(scope.get("method", ""), path, status, key, seconds)
            if self.lines.wanted:
                self.lines.add(asyncio.get_running_loop(), scope, status, seconds)

    def _knows_host(self, headers: Headers) -> bool:
        """Return whether the header Host names an allowed host; *.example.com allows each host below a domain."""
        host = next((value.decode("latin-1") for name, value in headers if name == b"host"), "")
        host = re.sub(r":\d*$", "", host).lower()
        return any(host == name or (name.startswith("*.") and host[1:].endswith(name[1:])) for name in self.hosts)


def ids(headers: Headers) -> tuple[str, str | None]:
    """Return the id of a request and its trace id.

    The first is the caller's own X-Request-Id if it is safe, else a new one; the second the 32 hexadecimal digits of
    the one valid header `traceparent`, else None.
    """
    request, traces = None, []
    for name, value in headers:
        if name not in _IDS:
            continue
        if name == TRACEPARENT:
            traces.append(value)
        elif request is None and _SAFE.fullmatch(value):
            request = value.decode()
    valid = _TRACE.fullmatch(traces[0]) if len(traces) == 1 else None
    return request or f"{_process}-{next(_numbers):x}", valid[1].decode() if valid else None
