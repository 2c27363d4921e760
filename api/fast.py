"""POST /predict past the framework's handlers: the same answer in a third of the time.

Only what is right in every respect is answered here: one whole body within the limit, JSON by its content type, a row.
Anything else goes on to the framework, body and all, where `api.routes.predict` says what is wrong with it. So each
rule and each error is written once, and the OpenAPI document is that of the framework's handler.
"""

import time
from collections.abc import Callable
from typing import Any

import msgspec
from litestar import Litestar
from litestar.types import Receive, Scope

from api.answers import Prediction
from api.model import Serving
from api.predictor import Predictor

_encode = msgspec.json.Encoder().encode


class Application(Litestar):
    """What middleware is for the framework's handlers, these lists are for the fast path.

    `admit`: each is asked before the body is read; where one says no, the framework answers (with 401, for example).
    `finish`: each is told the scope, the answer and the seconds that it took, and may add headers of the answer.
    """

    admit: list[Callable[[Scope], bool]]
    finish: list[Callable[[Scope, Prediction, float], list[tuple[bytes, bytes]]]]

    def __init__(self, serving: Serving, predictor: Predictor, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.serving = serving
        self.predictor = predictor
        self.admit = []
        self.finish = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"] != "/predict" or scope["method"] != "POST":
            return await super().__call__(scope, receive, send)
        begun = time.perf_counter()
        served = self.serving.served
        if (
            served is None
            or (b"content-type", b"application/json") not in scope["headers"]
            or (self.admit and not all(admits(scope) for admits in self.admit))
        ):
            return await super().__call__(scope, receive, send)
        message: Any = await receive()
        body = message.get("body", b"")
        try:
            if message["type"] != "http.request" or message["more_body"] or len(body) > self.serving.settings.max_body:
                return await super().__call__(scope, _again(message, receive), send)
            row = served.contract.decode(body)
            answer = await self.predictor.one(served, row, body.decode())
        except Exception:  # whatever it is, the framework's handler meets it again and says it
            return await super().__call__(scope, _again(message, receive), send)
        content = _encode(answer)
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))]
        for finished in self.finish:
            headers += finished(scope, answer, time.perf_counter() - begun)
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content, "more_body": False})


def _again(message: Any, receive: Receive) -> Receive:
    """`receive` with a message that was read already before all others."""
    read = [message]

    async def replay() -> Any:
        return read.pop() if read else await receive()

    return replay
