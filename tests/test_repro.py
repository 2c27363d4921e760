"""The whole pipeline as a user runs it, through the real `dvc`."""

import json
import re
import shutil
import sys
from pathlib import Path

import pandas as pd
import yaml
from litestar.testing import TestClient

from api.app import create_app
from api.settings import Settings
from pipeline.contract.onnx_model import Model
from tests.conftest import Project


def ran(output: str) -> list[str]:
    return re.findall(r"Running stage '([^']+)'", output)


def test_a_second_run_runs_nothing(reproduced: Project) -> None:
    """With nothing changed, `dvc repro` runs no stage and leaves Git clean."""
    assert ran(reproduced.dvc("repro").stdout) == []
    assert reproduced.run("git", "status", "--porcelain").stdout == ""


def test_the_same_inputs_give_the_same_bytes(reproduced: Project, tmp_path: Path) -> None:
    """A forced second run in another folder, on one core, with Python's sets in another order, writes a byte-identical
    dvc.lock, so every output has the same hash."""
    again = reproduced.copy(tmp_path / "elsewhere ü").real()
    again.env |= {"PYTHONHASHSEED": "11", "OMP_NUM_THREADS": "1", "LOKY_MAX_CPU_COUNT": "1"}
    before = again.path("dvc.lock").read_bytes()
    one_core = ["taskset", "-c", "0"] if shutil.which("taskset") else []
    output = again.run(*one_core, sys.executable, "-m", "dvc", "repro", "--force", "--no-run-cache").stdout
    assert len(ran(output)) == 7
    assert again.path("dvc.lock").read_bytes() == before


def test_one_familys_grid_reruns_that_family_only(reproduced: Project) -> None:
    """Changing ridge's grid runs train@ridge, select, evaluate and what hangs on them, and no other family."""
    reproduced.edit_params(lambda p: p["train"]["families"]["ridge"].update(alpha=[0.001]))
    stages = ran(reproduced.dvc("repro").stdout)
    assert stages[:2] == ["train@ridge", "select"]
    assert set(stages) <= {"train@ridge", "select", "evaluate", "drift"}


def test_a_family_that_goes_leaves_nothing_behind(reproduced: Project) -> None:
    """A family taken out of params.yaml is gone from the candidates and the metrics; the others do not run again."""
    reproduced.edit_params(lambda p: p["train"]["families"].pop("xgboost"))
    assert "select" in ran(reproduced.dvc("repro").stdout)
    assert not list(reproduced.path("models/candidates").glob("xgboost*"))
    assert not reproduced.path("metrics/train/xgboost.json").exists()
    assert json.loads(reproduced.path("metrics/select.json").read_text())["family"] == "ridge"
    assert ran(reproduced.dvc("repro").stdout) == []


def test_live_rows_run_drift_alone(reproduced: Project) -> None:
    """New rows in data/live run the drift stage and nothing else."""
    raw = reproduced.path("data/raw/housing.csv").read_text().splitlines()
    reproduced.path("data/live/rows.csv").write_text("\n".join(raw[:120]) + "\n")
    assert ran(reproduced.dvc("repro").stdout) == ["drift"]
    assert json.loads(reproduced.path("metrics/drift.json").read_text())["n_live"] == 119


def test_the_metrics_of_the_contract_are_there(reproduced: Project) -> None:
    """metrics/evaluate.json and metrics/select.json have the promised keys with plausible numbers."""
    metrics = json.loads(reproduced.path("metrics/evaluate.json").read_text())
    promised = (
        "family rmse mae r2 mape bias cod prd prb rmse_ci_low rmse_ci_high cv_rmse baseline_rmse coverage "
        "interval_width n_train n_test"
    )
    assert set(promised.split()) <= set(metrics)
    assert metrics["rmse_ci_low"] < metrics["rmse"] < metrics["rmse_ci_high"] < metrics["baseline_rmse"]
    assert metrics["n_train"] + metrics["n_test"] == 506
    selected = json.loads(reproduced.path("metrics/select.json").read_text())
    assert set(selected) == {"family", "cv_rmse", "cv_rmse_se", "onnx_max_abs_diff", "weights"}
    assert selected["cv_rmse"] == metrics["cv_rmse"]


def test_plots_are_shown(reproduced: Project) -> None:
    """`dvc plots show` writes one page with every plot that dvc.yaml declares, each with its title and its points."""
    stages = yaml.safe_load(reproduced.path("dvc.yaml").read_text())["stages"]
    declared = stages["evaluate"]["plots"] + stages["drift"]["plots"]
    assert len(declared) == 7
    reproduced.dvc("plots", "show", "-o", "page")
    page = reproduced.path("page/index.html").read_text(encoding="utf-8")
    specs = {spec["title"]["text"]: spec for spec in map(json.loads, re.findall(r"var spec = (.*);", page))}
    for (path, looks), spec in zip(((p, o) for d in declared for p, o in d.items()), specs.values(), strict=True):
        assert spec["title"]["text"] == looks["title"].replace("${train.interval_level}", "0.9")
        table = pd.read_csv(reproduced.path(path), dtype=str, keep_default_na=False)
        points = spec["data"]["values"]
        assert [point[looks["x"]] for point in points] == list(table[looks["x"]]), path
        assert [point[looks["y"]] for point in points] == list(table[looks["y"]]), path


def test_plots_of_two_revisions_are_compared(reproduced: Project) -> None:
    """`dvc plots diff` draws the points of both revisions, told apart by `rev`, for every plot."""
    reproduced.edit_params(lambda p: p["train"]["families"]["ridge"].update(alpha=[0.001]))
    reproduced.dvc("repro", "evaluate")
    compared = json.loads(reproduced.dvc("plots", "diff", "HEAD", "--json").stdout)["data"]
    assert len(compared) == 7
    for path, (plot,) in compared.items():
        points = plot["content"]["data"]["values"]
        assert {point["rev"] for point in points} == {"HEAD", "workspace"}, path


def test_an_excluded_feature_is_not_used(reproduced: Project) -> None:
    """`dvc exp run -S 'features.exclude=[B]'` trains without column B, on the same split; the server takes a body with
    B, whatever it is, and gives the same answer without it."""
    before = json.loads(reproduced.path("metrics/clean.json").read_text())
    output = reproduced.dvc("exp", "run", "-S", "features.exclude=[B]").stdout
    assert "clean" not in ran(output)
    assert "train@ridge" in ran(output)
    assert json.loads(reproduced.path("metrics/clean.json").read_text()) == before
    taken = [column.name for column in Model.load(reproduced.path("models/model.onnx")).description.columns]
    assert len(taken) == 12
    assert "B" not in taken
    body = {"CRIM": 0.1, "NOX": 0.538, "RM": 6.575, "DIS": 4.09, "RAD": 1, "TAX": 296, "PTRATIO": 15.3}
    log_url = f"sqlite:///{reproduced.path('log.db')}"
    with TestClient(create_app(Settings(reproduced.path("models/model.onnx"), prediction_log_url=log_url))) as client:
        answers = [client.post("/predict", json={**body, **more}) for more in ({}, {"B": 396.9}, {"B": "anything"})]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert len({answer.json()["prediction"] for answer in answers}) == 1
