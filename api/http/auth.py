"""Who may ask: the keys of API_KEYS, sent as `Authorization: Bearer KEY` or `X-API-Key: KEY`."""

import hashlib
import hmac
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler
from litestar.plugins.problem_details import ProblemDetailsException

from api.http.errors import problem

# As ASGI has them: names are lower-case.
Headers = Iterable[tuple[bytes, bytes]]


def digest(key: str) -> bytes:
    """The SHA-256 of a key: the server keeps nothing that a log or a traceback could give away."""
    return hashlib.sha256(key.encode()).digest()


def refusal(headers: Headers, allowed: tuple[bytes, ...]) -> ProblemDetailsException | None:
    """The problem 401 for a request without one of the allowed keys (their digests); None where it may pass.

    All allowed keys are compared, each in constant time, so that the time of an answer tells nothing.
    """
    if not allowed:
        return None
    sent = hashlib.sha256(_sent(headers)).digest()
    if sum([hmac.compare_digest(sent, one) for one in allowed]):
        return None
    return problem(
        HTTPStatus.UNAUTHORIZED,
        "expected a valid key in the header Authorization: Bearer KEY, or in X-API-Key",
        headers={"WWW-Authenticate": "Bearer"},
    )


def required(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """A Litestar guard: raises the problem 401."""
    problem = refusal(connection.scope["headers"], connection.app.state.serving.settings.api_keys)
    if problem:
        raise problem


def _sent(headers: Headers) -> bytes:
    for name, value in headers:
        if name == b"x-api-key":
            return value.strip()
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            return value[7:].strip()
    return b""
