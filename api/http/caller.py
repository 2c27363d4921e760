"""The caller of a request, as the prediction log notes it."""

import re
from http import HTTPStatus
from typing import Any

from api.http.errors import problem
from api.prediction_log.schema import Caller

HEADER = b"idempotency-key"
_ALLOWED = re.compile("[!-~]{1,200}")


def of(scope: Any) -> Caller:
    """Return the caller of an ASGI scope. The middleware and the check of API keys put the other entries into it."""
    key = None
    for name, value in scope["headers"]:
        if name == HEADER:
            key = value.decode("latin-1")
    return Caller(scope.get("key_name"), scope.get("request_id"), scope.get("trace_id"), key)


def checked(scope: Any) -> Caller:
    """Return the caller.

    Raises the problem 400 for an idempotency key that cannot be one.
    """
    caller = of(scope)
    if caller.idempotency is not None and not _ALLOWED.fullmatch(caller.idempotency):
        raise problem(
            HTTPStatus.BAD_REQUEST,
            "expected 1 to 200 visible ASCII characters in the header Idempotency-Key, such as a UUID, "
            f"found {caller.idempotency[:100]!r}",
        )
    return caller
