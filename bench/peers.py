"""What the server is compared with: the least that uvicorn can do, the framework alone, and the usual way to serve."""

import json
import os
from typing import Any

import msgspec

from pipeline.contract import paths

ANSWER = {"prediction": 24.1, "lower": 20.2, "upper": 28.0, "id": "0" * 32, "model": "0" * 32, "imputed": []}
_BODY = json.dumps(ANSWER).encode()
_HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(_BODY)).encode())]


async def floor(scope: Any, receive: Any, send: Any) -> None:
    """A constant answer to everything."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    await send({"type": "http.response.body", "body": _BODY})


def litestar() -> Any:
    """Litestar: the body decoded into a typed structure, a constant answer, no model and no log."""
    from litestar import Litestar, post

    from api.http.responses import Prediction

    row = msgspec.defstruct("Row", [(name, float) for name in _features()])
    constant = Prediction(**ANSWER)

    async def predict(data: Any) -> Prediction:
        return constant

    predict.__annotations__["data"] = row
    return Litestar([post("/predict", status_code=200)(predict)], openapi_config=None, logging_config=None)


def fastapi() -> Any:
    """FastAPI: the body validated by pydantic, the fitted scikit-learn pipelines on a data frame, no log."""
    import joblib
    import pandas as pd
    from fastapi import FastAPI
    from pydantic import create_model

    weights: dict[str, float] = json.loads(os.environ["BENCH_WEIGHTS"])
    members = [(joblib.load(paths.CANDIDATES / f"{family}.joblib"), weight) for family, weight in weights.items()]
    row = create_model("Row", **dict.fromkeys(_features(), (float, ...)))
    app = FastAPI()

    def predict(data: Any) -> dict[str, float]:
        table = pd.DataFrame([data.model_dump()])
        return {"prediction": sum(weight * float(member.predict(table)[0]) for member, weight in members)}

    predict.__annotations__["data"] = row
    app.post("/predict")(predict)
    return app


def _features() -> list[str]:
    return os.environ["BENCH_FEATURES"].split("\n")
