"""Who may use a route: the keys of API_KEYS, sent as `Authorization: Bearer KEY` or `X-API-Key: KEY`.

A handler that needs a key says so by `opt={"scope": ...}`, one of `api.keys.Scope`.
"""

import hmac
import ipaddress
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler
from litestar.plugins.problem_details import ProblemDetailsException

from api import keys
from api.http.errors import problem
from api.keys import Scope
from api.settings import Settings

# As ASGI has them: names are lower-case.
Headers = Iterable[tuple[bytes, bytes]]


def refusal(scope: Any, settings: Settings, needed: Scope) -> ProblemDetailsException | None:
    """Return the problem of a request that may not use a route of the `needed` scope, None if it may pass.

    The name of its key, if it has one, is put into the ASGI scope as `key_name`. Each key is compared, and in constant
    time, so that the response time reveals nothing.
    """
    if not settings.api_keys:
        return None if needed != "feedback" or _takes_anonymous_feedback(settings) else _no_anonymous_feedback()
    sent = keys.digest(_sent(scope["headers"]))
    found = [key for key in settings.api_keys if hmac.compare_digest(sent, key.digest)]
    if not found:
        return problem(
            HTTPStatus.UNAUTHORIZED,
            "expected a valid key in the header Authorization: Bearer KEY, or in X-API-Key",
            headers={"WWW-Authenticate": "Bearer"},
        )
    scope["key_name"] = found[0].name
    if needed in found[0].scopes:
        return None
    return problem(HTTPStatus.FORBIDDEN, f"expected a key with the scope {needed}; this key lacks it (API_KEYS)")


async def required(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Raise the problem of a request that may not use this route: a Litestar guard of the whole application.

    Asynchronous, for Litestar would call another one in a thread, and /health waited until one was free.
    """
    needed = handler.opt.get("scope")
    if needed and (refused := refusal(connection.scope, connection.app.state.serving.settings, needed)):
        raise refused


def _takes_anonymous_feedback(settings: Settings) -> bool:
    """Return whether everybody may send labels: only where this machine alone reaches the server, or by setting.

    The caller's address says nothing: behind a proxy all callers have the proxy's.
    """
    if settings.allow_anonymous_feedback or settings.bind_address == "localhost":
        return True
    try:
        return ipaddress.ip_address(settings.bind_address or "").is_loopback
    except ValueError:
        return False


def _no_anonymous_feedback() -> ProblemDetailsException:
    return problem(
        HTTPStatus.FORBIDDEN,
        "expected a server with keys, since models learn from feedback and this server may be reached from other "
        "machines: set API_KEYS there, or ALLOW_ANONYMOUS_FEEDBACK=true to take feedback from everybody",
    )


def _sent(headers: Headers) -> bytes:
    for name, value in headers:
        if name == b"x-api-key":
            return value.strip()
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            return value[7:].strip()
    return b""
