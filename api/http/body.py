"""The body of a request: read whole, within its limit, and only as JSON."""

from http import HTTPStatus
from typing import Any

from litestar import Request
from litestar.datastructures import State

from api.http import errors

# Bytes of an oversized body that are read and dropped, so that its sender gets the answer and not a reset connection.
# A sender of more is cut off.
DRAINED = 2**26

AnyRequest = Request[Any, Any, State]


async def read_json(request: AnyRequest, limit: int, setting: str) -> bytes:
    """Return the body of a request whose content type is JSON; never more than `limit` bytes are held.

    Raises the problem 413 for a larger body (`setting` names the variable) and 415 for another type or a compressed
    body, both after its end: an answer to a half-sent request may never be read.
    """
    parts: list[bytes] = []
    size = 0
    more = True
    while more and size <= max(limit, DRAINED):
        message = await request.receive()
        if message["type"] != "http.request":
            raise errors.problem(HTTPStatus.BAD_REQUEST, "the connection ended before the body did")
        size += len(message.get("body", b""))
        if size <= limit:
            parts.append(message.get("body", b""))
        else:
            parts.clear()
        more = message.get("more_body", False)
    if size > limit:
        raise errors.problem(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"expected a body of at most {limit} bytes ({setting}), found more"
        )
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
    return b"".join(parts)
