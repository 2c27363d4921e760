"""A blend on its way: trained, selected, judged, promoted, compared with live rows."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from pipeline.contract.onnx_model import Model
from tests.conftest import Project
from tests.test_other_tables import replace_table
from tests.test_repro import ran

SCHEMA = {
    "version": 1,
    "source": {"origin": "made up", "licence": "none"},
    "columns": {
        **{name: {"dtype": "float", "nullable": name == "c"} for name in "abcd"},
        "y": {"dtype": "float", "role": "target"},
    },
}


def lines_and_steps(n: int = 500) -> pd.DataFrame:
    """A table of which ridge regression knows one half and boosted trees the other."""
    generator = np.random.default_rng(1)
    table = pd.DataFrame(generator.normal(size=(n, 4)).round(4), columns=list("abcd"))
    table["y"] = 3 * table["a"] + 2 * table["b"] + 5 * ((table["c"] > 0) & (table["d"] > 0)) + generator.normal(size=n)
    table.loc[generator.random(n) < 0.05, "c"] = None
    return table


@pytest.fixture
def blended(project: Project) -> Project:
    replace_table(project, lines_and_steps(), SCHEMA)
    project.dvc("repro")
    project.commit("a blend")
    return project


def test_a_blend_is_a_model_like_any_other(blended: Project) -> None:
    """The blend is selected with its members and weights in metrics and card; the gate promotes it, the server's check
    takes it, drift compares live rows with it. A change of one family's grid trains that family alone: the other
    member of the blend keeps its file."""
    selected = json.loads(blended.path("metrics/select.json").read_text())
    alone = [json.loads(blended.path(f"metrics/train/{name}.json").read_text()) for name in ("ridge", "xgboost")]
    assert selected["family"] == "blend"
    assert set(selected["weights"]) == {"ridge", "xgboost"}
    assert selected["cv_rmse"] < min(each["cv_rmse"] for each in alone)
    assert json.loads(blended.path("metrics/evaluate.json").read_text())["family"] == "blend"
    card = blended.path("models/model_card.md").read_text(encoding="utf-8")
    assert all(f"| {name} | {weight} | " in card for name, weight in selected["weights"].items())
    families = pd.read_csv(blended.path("metrics/plots/families.csv"))["family"]
    assert families.tolist()[0] == "blend"

    blended.ops("gate")
    blended.ops("registry", "promote")
    assert Model.load(blended.path("models/champion.onnx")).description.family == "blend"
    shutil.copy(blended.path("data/clean/test.parquet"), blended.path("data/live/rows.parquet"))
    assert "none" in blended.stage("drift").stdout

    other = blended.path("models/candidates/xgboost.onnx").read_bytes()
    blended.edit_params(lambda p: p["train"]["families"]["ridge"].update(alpha=[20]))
    stages = ran(blended.dvc("repro").stdout)
    assert stages[:2] == ["train@ridge", "select"]
    assert "train@xgboost" not in stages
    assert blended.path("models/candidates/xgboost.onnx").read_bytes() == other
    members = {each.family: each for each in Model.load(blended.path("models/model.onnx")).description.members}
    assert members["ridge"].settings == {"alpha": 20}
