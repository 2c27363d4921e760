"""The body of a request: read whole, within its limit and that of all bodies together, and only as JSON."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

from litestar import Request
from litestar.datastructures import State

from api.http import errors

# Bytes of an oversized body that are read and dropped, so that its sender gets the answer and not a reset connection.
# A sender of more is cut off.
DRAINED = 2**26
# Bytes of all bodies that a process holds: many slow senders, each within its limit, would fill the memory. One alone
# may be larger, as its setting allows.
TOGETHER = 48 * 2**20
_held = 0

AnyRequest = Request[Any, Any, State]


@asynccontextmanager
async def json_body(request: AnyRequest, limit: int, setting: str) -> AsyncIterator[bytes]:
    """Yield the body of a request whose content type is JSON; never more than `limit` bytes are held.

    Raises the problem 413 for a larger body (`setting` names the variable) and 415 for another type or a compressed
    body, both after its end: an answer to a half-sent request may never be read. Raises 503 at once where other
    requests hold too much.
    """
    global _held
    parts: list[bytes] = []
    size = kept = 0
    more = True
    try:
        while more and size <= max(limit, DRAINED):
            message = await request.receive()
            if message["type"] != "http.request":
                raise errors.problem(HTTPStatus.BAD_REQUEST, "the connection ended before the body did")
            part, more = message.get("body", b""), message.get("more_body", False)
            size += len(part)
            if size > limit:
                parts.clear()
                continue
            parts.append(part)
            kept += len(part)
            _held += len(part)
            if _held > TOGETHER and _held > kept:
                raise errors.problem(
                    HTTPStatus.SERVICE_UNAVAILABLE,
                    f"the bodies of open requests have more than {TOGETHER} bytes: send it again later",
                    headers={"Retry-After": "1"},
                )
        if size > limit:
            raise errors.problem(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"expected a body of at most {limit} bytes ({setting}), found more"
            )
        _check_headers(request)
        yield b"".join(parts)
    finally:
        _held -= kept


def _check_headers(request: AnyRequest) -> None:
    """Raise the problem 415 where a body is no plain JSON, as its headers say."""
    coding = request.headers.get("content-encoding", "identity")
    if coding.strip().lower() != "identity":
        # A small compressed body could become any size.
        raise errors.problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"expected a body that is not compressed, found the header Content-Encoding: {coding[:100]!r}",
            headers={"Accept-Encoding": "identity"},
        )
    content_type = request.headers.get("content-type", "")
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise errors.problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"expected the header Content-Type: application/json, found {content_type[:100]!r}",
        )
