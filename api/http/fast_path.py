"""POST /predict without the framework's handlers: the same answer in a third of the time.

Only a valid request is answered here: a valid key if one is needed, JSON by its content type, no content encoding, one
whole body within the limit, a valid row, no idempotency key. Any other goes on to the framework with its body, and
`api.http.routes.predict` answers it or says what is wrong. So each error is written once, and the OpenAPI document is
that of the framework's handler.
"""

from typing import Any

import msgspec
from litestar.types import ASGIApp, Receive

from api.http import auth, caller
from api.model.loader import Serving
from api.model.micro_batcher import Predictor
from api.requests.strict_json import compact

PATH = "/predict"
FAILURE = "failure"  # in the scope: the error of a valid request, for the framework's handler to raise

_encode = msgspec.json.Encoder().encode


class FastPath:
    def __init__(self, app: ASGIApp, serving: Serving, predictor: Predictor) -> None:
        self.app = app
        self.serving = serving
        self.predictor = predictor

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] != PATH or scope["type"] != "http" or scope["method"] != "POST":
            return await self.app(scope, receive, send)
        served, settings, headers = self.serving.served, self.serving.settings, scope["headers"]
        if (
            served is None
            or (b"content-type", b"application/json") not in headers
            or b"content-encoding" in [name for name, _ in headers]
            or auth.refusal(scope, settings, "predict")
            or (who := caller.of(scope)).idempotency is not None
        ):
            return await self.app(scope, receive, send)
        message: Any = await receive()
        body = message.get("body", b"")
        if message["type"] != "http.request" or message["more_body"] or len(body) > settings.api_max_body:
            return await self.app(scope, _again(message, receive), send)
        try:
            row = served.contract.decode(body)
            asked = row, compact(body).decode(), who
        except Exception:  # the framework's handler meets it again and answers with the problem
            return await self.app(scope, _again(message, receive), send)
        try:
            answer = await self.predictor.one(served, asked)
        except Exception as error:  # not tried again: the row may be in the log
            scope[FAILURE] = error
            return await self.app(scope, _again(message, receive), send)
        content = _encode(answer)
        scope["path_template"] = PATH
        about = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))]
        await send({"type": "http.response.start", "status": 200, "headers": about})
        await send({"type": "http.response.body", "body": content, "more_body": False})


def _again(message: Any, receive: Receive) -> Receive:
    """Return a `receive` that first gives a message that was already read."""
    read = [message]

    async def replay() -> Any:
        return read.pop() if read else await receive()

    return replay
