"""The workflow's own rules, and what CI runs beside the pipeline: delivery to a remote, the bill of materials."""

import json
import os
import re
from pathlib import Path

import pandas as pd
import pytest
import yaml

from pipeline.contract.onnx_model import Model
from pipeline.drift import encoding
from tests.conftest import ROOT, Project

JOBS = yaml.safe_load((ROOT / ".github/workflows/mlops.yml").read_text(encoding="utf-8"))["jobs"]


@pytest.fixture
def promoted(promoted: Project, tmp_path: Path) -> Project:
    """On main, with a remote that has it all but the promotion."""
    for name in ("GITHUB_ACTIONS", "GITHUB_OUTPUT", "RETRAIN_BY"):
        promoted.env.pop(name, None)
    promoted.run("git", "init", "-q", "--bare", str(tmp_path / "remote.git"))
    promoted.run("git", "remote", "add", "origin", str(tmp_path / "remote.git"))
    promoted.run("git", "push", "-q", "origin", ":/^reproduced:refs/heads/main")
    return promoted


def remote(project: Project, *arguments: str) -> str:
    return project.run("git", "-C", str(project.folder.parent / "remote.git"), *arguments).stdout.strip()


def test_a_promotion_is_delivered_with_its_tags(promoted: Project, tmp_path: Path) -> None:
    """The commits of a promotion and its tags reach the branch at once, and the job learns the commit."""
    output = tmp_path / "output"
    promoted.env["GITHUB_OUTPUT"] = os.fspath(output)
    promoted.run(".ci/deliver")
    assert remote(promoted, "rev-parse", "main") == promoted.run("git", "rev-parse", "HEAD").stdout.strip()
    assert remote(promoted, "tag").split() == ["housing#prod#1", "housing@v1.0.0"]
    assert output.read_text() == f"commit={remote(promoted, 'rev-parse', 'main')}\n"


def test_a_verdict_is_delivered_without_a_promotion(promoted: Project) -> None:
    """The line that the gate adds to the history is committed and sent, though the champion stays; a second delivery
    has nothing to add."""
    promoted.run(".ci/deliver")
    promoted.ops("gate", code=3)
    # Live rows stay here: with them, the history alone is sent.
    promoted.path("data/live/rows.csv").write_text("RM\n6\n")
    promoted.path("metrics/drift.json").write_text("{}\n")
    promoted.run(".ci/deliver")
    assert remote(promoted, "diff", "--name-only", "main~1", "main") == "metrics/history.jsonl"
    assert json.loads(remote(promoted, "show", "main:metrics/history.jsonl").splitlines()[-1])["verdict"]
    commit = remote(promoted, "rev-parse", "main")
    promoted.run(".ci/deliver")
    assert remote(promoted, "rev-parse", "main") == commit


def test_tags_follow_a_merged_pull_request(promoted: Project) -> None:
    """With RETRAIN_BY=pull-request, a promotion that is on the branch already gets its tags with the next delivery."""
    promoted.run("git", "push", "-q", "origin", "main")
    promoted.run("git", "tag", "--delete", "housing@v1.0.0", "housing#prod#1")
    promoted.env["RETRAIN_BY"] = "pull-request"
    promoted.run(".ci/deliver")
    assert remote(promoted, "tag").split() == ["housing#prod#1", "housing@v1.0.0"]


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
def test_drift_retrains_in_ci(promoted: Project, kind: str, on_shift: bool, verdict: str, said: str | None) -> None:
    """The job `drift-check` says whether `retrain` runs: for a shift with drift.retrain_on_shift, for a risk without it
    too, never for broken values. With labelled rows the gate's verdict is delivered, without them nothing is. `make
    retrain` by hand decides the same."""
    assert "(needs.drift-check.outputs.drift == 'true' || inputs.force_retrain)" in JOBS["retrain"]["if"]
    promoted.path(".venv").symlink_to(ROOT / ".venv")
    # With this limit only errors that are much larger are a risk.
    promoted.edit_params(lambda p: p["drift"].update(retrain_on_shift=on_shift, min_risk=1.0))
    promoted.commit("settings")
    promoted.run("git", "push", "-q", "origin", "main")
    live_rows(promoted, kind).to_csv(promoted.path("data/live/rows.csv"), index=False)
    before = len(remote(promoted, "show", "main:metrics/history.jsonl").splitlines())
    assert steps(promoted, "drift-check")[1] == {"drift": "true" if said else "false"}
    assert json.loads(promoted.path("metrics/drift.json").read_text())["verdict"] == verdict
    if said:
        printed, outputs = steps(promoted, "retrain")
        assert said in printed
        assert outputs["commit"] == remote(promoted, "rev-parse", "main")
    else:
        assert promoted.run("make", "retrain").stdout.endswith("; the champion stays\n")
    added = remote(promoted, "show", "main:metrics/history.jsonl").splitlines()[before:]
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
