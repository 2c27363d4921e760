"""POST /predict without the framework's handlers: the same answer in a third of the time.

Only a valid request is answered here: a valid key if one is needed, JSON by its content type, one whole body within the
limit, a valid row. Any other goes on to the framework with its body, and `api.http.routes.predict` says what is wrong.
So each error is written once, and the OpenAPI document is that of the framework's handler.
"""

from typing import Any

import msgspec
from litestar.types import ASGIApp, Receive

from api.http import auth
from api.model.loader import Serving
from api.model.micro_batcher import Predictor

PATH = "/predict"

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
            or auth.refusal(scope, settings, "predict")
        ):
            return await self.app(scope, receive, send)
        message: Any = await receive()
        body = message.get("body", b"")
        if message["type"] != "http.request" or message["more_body"] or len(body) > settings.api_max_body:
            return await self.app(scope, _again(message, receive), send)
        try:
            row = served.contract.decode(body)
            answer = await self.predictor.one(served, row, body.decode())
        except Exception:  # the framework's handler meets it again and answers with the problem
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
