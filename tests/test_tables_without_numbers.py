"""A table whose features are all categories or booleans runs from its raw file to an answer of the server."""

import json
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import yaml
from litestar.testing import TestClient

from api.app import create_app
from api.settings import Settings
from tests.conftest import Project
from tests.test_other_tables import metrics, replace_table

ROWS = 400


def plans() -> pd.DataFrame:
    generator = np.random.default_rng(2)
    plan = generator.choice(["free", "team", "NA"], ROWS)
    y = pd.Series(plan).map({"free": 1.0, "team": 5.0, "NA": 9.0}) + generator.normal(size=ROWS)
    return pd.DataFrame({"id": np.arange(ROWS) * 7 + 1000, "plan": plan, "y": y.round(3)})


def texts() -> pd.DataFrame:
    generator = np.random.default_rng(3)
    table = pd.DataFrame({f"t{k}": generator.choice(list("uvwxyz"), ROWS) for k in range(4)})
    table.loc[::11, "t3"] = ""
    return table.assign(y=(table["t0"].map(dict(zip("uvwxyz", range(6), strict=True))) + generator.normal(size=ROWS)))


def booleans() -> pd.DataFrame:
    generator = np.random.default_rng(4)
    table = pd.DataFrame({f"b{k}": generator.choice([0, 1], ROWS) for k in range(9)})
    return table.assign(y=3 * table["b0"] + table["b1"] + generator.normal(size=ROWS))


@pytest.mark.parametrize("make", [plans, texts, booleans])
def test_a_table_without_numbers_runs(project: Project, make: Callable[[], pd.DataFrame]) -> None:
    """`id,plan,y`, four text columns, or booleans alone: infer, all stages with a linear model, a forest and boosted
    trees, drift of rows like the training rows, and the API."""
    table = make()
    replace_table(project, table)
    families = {"linear": {}, "random_forest": {"n_estimators": [20]}, "xgboost": {"n_estimators": [20]}}
    project.edit_params(lambda p: p["train"].update(families=families))
    project.ops("schema", "infer", "data/raw", "--target", "y", "--output", "data/schema.yaml")
    table.sample(200, random_state=0).to_csv(project.path("data/live/rows.csv"), index=False)
    project.dvc("repro")
    assert metrics(project)["rmse"] < metrics(project)["baseline_rmse"]
    assert metrics(project, "drift")["verdict"] == "none"

    schema = yaml.safe_load(project.path("data/schema.yaml").read_text())["columns"]
    features = [name for name, keys in schema.items() if keys.get("role") is None]
    assert {schema[name]["dtype"] for name in features} <= {"category", "bool"}
    row = json.loads(table[features].tail(1).to_json(orient="records"))[0]
    settings = Settings(project.path("models/model.onnx"), prediction_log_url=f"sqlite:///{project.path('log.db')}")
    with TestClient(create_app(settings)) as client:
        answer = client.post("/predict", json=row)
        assert answer.status_code == 200, answer.text
        assert client.get("/").status_code == 200
