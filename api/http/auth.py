"""API keys: those of API_KEYS, sent as `Authorization: Bearer KEY` or `X-API-Key: KEY`."""

import hmac
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler
from litestar.plugins.problem_details import ProblemDetailsException

from api import settings
from api.http.errors import problem

# As ASGI has them: names are lower-case.
Headers = Iterable[tuple[bytes, bytes]]


def refusal(headers: Headers, allowed: tuple[bytes, ...]) -> ProblemDetailsException | None:
    """Return the problem 401 for a request without one of the allowed keys (their digests), None if it may pass.

    Each allowed key is compared, and in constant time, so that the response time reveals nothing.
    """
    if not allowed:
        return None
    sent = settings.digest(_sent(headers))
    if sum([hmac.compare_digest(sent, one) for one in allowed]):
        return None
    return problem(
        HTTPStatus.UNAUTHORIZED,
        "expected a valid key in the header Authorization: Bearer KEY, or in X-API-Key",
        headers={"WWW-Authenticate": "Bearer"},
    )


def required(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Raise the problem 401 for a request without a key: a Litestar guard."""
    refused = refusal(connection.scope["headers"], connection.app.state.serving.settings.api_keys)
    if refused:
        raise refused


def _sent(headers: Headers) -> bytes:
    for name, value in headers:
        if name == b"x-api-key":
            return value.strip()
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            return value[7:].strip()
    return b""
