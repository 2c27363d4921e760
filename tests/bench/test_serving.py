"""The benchmarks of serving: peers that answer as the model does, and what the model file costs."""

import asyncio

import httpx
import numpy as np
import pytest

from bench import model_file, peers, serving
from pipeline.contract.onnx_model import Model
from tests.conftest import Project


def test_the_usual_way_to_serve_answers_as_the_model_file(reproduced: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """FastAPI with the fitted models predicts what the model file predicts, also where that is a blend."""
    monkeypatch.chdir(reproduced.folder)
    model = Model.load(serving.MODEL)
    row = serving.rows(model.description)[0]
    _, variables = serving._commands(reproduced.folder, list(row))["FastAPI + scikit-learn"]
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    async def post() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(peers.fastapi()), base_url="http://peer") as client:
            return await client.post("/predict", json=row)

    found = asyncio.run(post()).json()["prediction"]
    assert found == pytest.approx(model.predict(np.array([list(row.values())], float))[0, 0], rel=1e-3)


def test_the_cost_of_the_model_file_has_goals(reproduced: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """One row, a batch and the size are compared with XGBoost's file, and say whether their goals are met."""
    monkeypatch.chdir(reproduced.folder)
    found = [line.split(" | ") for line in list(model_file.lines(rounds=1))[2:]]
    assert [line[0] for line in found] == ["| CPU ms for rows: 1", "| CPU ms for rows: 1000", "| size, MB"]
    assert all(line[-1].startswith("at most ") for line in found)
