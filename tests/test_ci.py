"""The workflow's own rules, and what CI runs beside the pipeline: drift that retrains, the bill of materials."""

import json
import os
import re

import pandas as pd
import pytest
import yaml

from pipeline.contract.onnx_model import Model
from pipeline.drift import encoding
from tests.conftest import ROOT, Project, remote

JOBS = yaml.safe_load((ROOT / ".github/workflows/mlops.yml").read_text(encoding="utf-8"))["jobs"]


def test_the_workflow_keeps_its_rules() -> None:
    """Every action of others is pinned by commit, every step of our own is one command, and those of the job `windows`
    are the README's; no job has a right that it does not name, and nothing runs with rights on a fork's code."""
    workflow = yaml.safe_load((ROOT / ".github/workflows/mlops.yml").read_text(encoding="utf-8"))
    environment = yaml.safe_load((ROOT / ".github/actions/environment/action.yml").read_text(encoding="utf-8"))
    targets = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8")))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert workflow["permissions"] == {}
    assert not {"pull_request_target", "workflow_run"} & set(workflow[True])  # YAML 1.1 reads `on` so
    assert all(job["permissions"] for job in workflow["jobs"].values())
    jobs = {name: job["steps"] for name, job in workflow["jobs"].items()}
    for name, job_steps in {**jobs, "environment": environment["runs"]["steps"]}.items():
        for step in job_steps:
            if "uses" in step:
                assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40}|\./\.github/actions/environment", step["uses"])
                continue
            lines = step["run"].splitlines()
            if name == "windows":
                assert [line for line in lines if line not in readme] == []
                continue
            program, *arguments = step["run"].split()
            assert len(lines) == 1
            assert program in {"make", "gh", "brew", "sudo", ".ci/comment", ".venv/bin/python"}
            assert program != "make" or set(arguments) <= targets


def steps(project: Project, job: str) -> tuple[str, dict[str, str]]:
    """Run the commands of a job, with every expression in their settings empty; return what they print, and the outputs
    that they write."""
    output = project.folder.parent / "output"
    output.write_text("")
    said = ""
    for step in JOBS[job]["steps"]:
        if "run" in step:
            settings = {name: "" if "${{" in value else value for name, value in step.get("env", {}).items()}
            project.env.update(settings, GITHUB_OUTPUT=os.fspath(output))
            said += project.run("bash", "-c", step["run"]).stdout
    return said, dict(line.split("=") for line in output.read_text().splitlines())


def live_rows(project: Project, kind: str) -> pd.DataFrame:
    """Return rows of the training split, poorer and with fewer rooms: `unlabelled`, with the prices that the model
    predicts (`as predicted`), or with others (`wrong`), and half of them without LSTAT (`broken`)."""
    table = pd.read_parquet(project.path("data/clean/train.parquet")).drop(columns=["row", "fold"]).head(150)
    table = table.assign(LSTAT=table["LSTAT"] + 5, RM=0.9 * table["RM"], MEDV=50 - table["MEDV"])
    if kind == "unlabelled":
        return table.drop(columns="MEDV")
    if kind == "as predicted":
        model = Model.load(project.path("models/model.onnx"))
        return table.assign(MEDV=model.predict(encoding.to_matrix(table, model.description.columns))[:, 0].clip(0, 50))
    return table.assign(LSTAT=table["LSTAT"].where(table.index % 2 > 0)) if kind == "broken" else table


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "on_shift", "verdict", "said"),
    [
        ("unlabelled", True, "shifted", "retrain: nothing new to learn from: 0 labelled live rows (drift: shifted); "),
        ("as predicted", True, "shifted", "RMSE new: "),
        ("as predicted", False, "shifted", None),
        ("wrong", False, "risk", "RMSE new: "),
        ("broken", True, "risk", None),
    ],
)
def test_drift_retrains_in_ci(hosted: Project, kind: str, on_shift: bool, verdict: str, said: str | None) -> None:
    """The job `drift-check` says whether `retrain` runs: for a shift with drift.retrain_on_shift, for a risk without it
    too, never for broken values. With labelled rows the gate's verdict is delivered, without them nothing is. `make
    retrain` by hand decides the same."""
    assert "(needs.drift-check.outputs.drift == 'true' || inputs.force_retrain)" in JOBS["retrain"]["if"]
    hosted.path(".venv").symlink_to(ROOT / ".venv")
    # With this limit only errors that are much larger are a risk.
    hosted.edit_params(lambda p: p["drift"].update(retrain_on_shift=on_shift, min_risk=1.0))
    hosted.commit("settings")
    hosted.run("git", "push", "-q", "origin", "main")
    live_rows(hosted, kind).to_csv(hosted.path("data/live/rows.csv"), index=False)
    before = len(remote(hosted, "show", "main:metrics/history.jsonl").splitlines())
    assert steps(hosted, "drift-check")[1] == {"drift": "true" if said else "false"}
    assert json.loads(hosted.path("metrics/drift.json").read_text())["verdict"] == verdict
    if said:
        printed, outputs = steps(hosted, "retrain")
        assert said in printed
        assert outputs["commit"] == remote(hosted, "rev-parse", "main")
    else:
        assert hosted.run("make", "retrain").stdout.endswith("; the champion stays\n")
    added = remote(hosted, "show", "main:metrics/history.jsonl").splitlines()[before:]
    assert ["verdict" in json.loads(line) for line in added][:1] == ([True] if said == "RMSE new: " else [])


def test_what_watches_the_server_reads_its_metrics() -> None:
    """Alerts and dashboard name only metrics that the server has."""
    page = (ROOT / "docs/serving.md").read_text(encoding="utf-8")
    for name in ("alerts.yml", "grafana/dashboards/api.json"):
        used = set(
            re.findall(
                r"\b(?:api|http|prediction_log|process|python)_[a-z_]+",
                (ROOT / "deploy" / name).read_text(encoding="utf-8"),
            )
        )
        assert used
        assert {metric for metric in used if f"`{re.sub('_(bucket|sum|count)$', '', metric)}`" not in page} == set()


def test_uv_is_the_one_of_the_lock() -> None:
    """requirements/uv.txt has the lock's pin of uv with its hashes, and nothing else."""
    pin = (ROOT / "requirements/uv.txt").read_text(encoding="utf-8")
    assert re.match(r"uv==\S+ \\\n", pin)
    assert f"\n{pin}" in (ROOT / "requirements/dev.txt").read_text(encoding="utf-8")
    assert pin.count("==") == 1


@pytest.mark.slow
def test_the_bill_of_materials(project: Project) -> None:
    """`make sbom` writes a CycloneDX document, which its tool checks against the schema, of what the image installs."""
    project.path(".venv").symlink_to(ROOT / ".venv")
    project.run("make", "sbom")
    made = json.loads(project.path("sbom.json").read_text(encoding="utf-8"))
    names = {component["name"] for component in made["components"]}
    assert made["bomFormat"] == "CycloneDX"
    assert {"litestar", "onnxruntime"} <= names
    assert not {"pandas", "dvc", "xgboost"} & names
