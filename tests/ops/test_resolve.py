"""Merges of branches that both ran the pipeline, with the real Git."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from pipeline.registry import git
from tests.conftest import ROOT, Project, tracked_files
from tests.ops.gating import EVALUATION, edit_json
from tests.test_repro import ran

DEFAULT = "dvc.lock merge\nmetrics/** merge\nmodels/model_card.md merge\n"  # as if .gitattributes named none of them


def branch(project: Project, name: str, change: Callable[[dict], object]) -> None:
    """Commit a change of params.yaml, and what `dvc repro` makes of it, on a new branch of the first commit."""
    project.run("git", "switch", "-q", "-c", name, "start")
    project.edit_params(change)
    project.dvc("repro")
    project.commit(name)


@pytest.fixture
def branches(reproduced: Project) -> Project:
    """On `leaves`, whose parameter changes no output; `fewer` trains without the feature B."""
    reproduced.run("git", "branch", "start")
    branch(reproduced, "fewer", lambda p: p["features"].update(exclude=["B"]))
    reproduced.dvc("checkout")
    branch(reproduced, "leaves", lambda p: p["train"].update(max_leaves=1_000_000))
    return reproduced


def recorded(project: Project) -> dict[str, object]:
    """Return the parameters with which dvc.lock says that ridge was trained."""
    used: dict[str, object] = yaml.safe_load(project.path("dvc.lock").read_text())["stages"]["train@ridge"]["params"]
    return used["params.yaml"]  # type: ignore[return-value]


def test_two_branches_that_ran(branches: Project) -> None:
    """Git's own merge of two locks records a training that never happened. Here the merge conflicts and leaves a lock
    that DVC reads; `make resolve` runs what must run, and commits the merge with its message."""
    info = branches.path(".git/info/attributes")
    info.parent.mkdir(exist_ok=True)
    info.write_text(DEFAULT)
    branches.run("git", "merge", "-q", "fewer")
    branches.dvc("checkout")
    assert "up to date" in branches.dvc("status").stdout
    lie = recorded(branches)
    assert (lie["features"], lie["train.max_leaves"]) == ({"exclude": ["B"]}, 1_000_000)  # together in no run
    branches.run("git", "reset", "-q", "--hard", "HEAD~1")
    info.unlink()
    assert "conflict in dvc.lock" in branches.run("git", "merge", "fewer", "-m", "Fewer leaves", code=1).stdout
    assert recorded(branches)["train.max_leaves"] == 1_000_000
    output = branches.ops("resolve").stdout
    assert {"train@ridge", "train@xgboost"} <= set(ran(output))
    assert not {"provenance", "clean"} & set(ran(output))
    assert recorded(branches) == lie
    assert "up to date" in branches.dvc("status").stdout
    assert branches.run("git", "status", "--porcelain").stdout == ""
    assert branches.run("git", "log", "-1", "--format=%B").stdout == "Fewer leaves\n\n"
    assert branches.run("git", "rev-parse", "HEAD^2").stdout == branches.run("git", "rev-parse", "fewer").stdout


def test_a_conflict_for_a_person(reproduced: Project) -> None:
    """Where params.yaml conflicts, `make resolve` names it and runs nothing. After `git add` it finishes the merge,
    also where Git left conflict markers in the lock and in metrics, as before .gitattributes names these files."""
    reproduced.path(".venv").symlink_to(ROOT / ".venv")
    reproduced.path(".git/info").mkdir(exist_ok=True)
    reproduced.path(".git/info/attributes").write_text(DEFAULT)
    before = reproduced.path("dvc.lock").read_text()
    reproduced.run("git", "branch", "other")
    for name, alpha in (("main", 20), ("other", 30)):
        reproduced.run("git", "switch", "-q", name)
        reproduced.edit_params(lambda p, alpha=alpha: p["train"]["families"]["ridge"].update(alpha=[alpha]))
        edit_json(reproduced.path(EVALUATION), lambda metrics, alpha=alpha: metrics.update(rmse=alpha))
        reproduced.path("dvc.lock").write_text(before.replace("      - 10\n", f"      - {alpha}\n"))
        reproduced.commit(name)
    reproduced.run("git", "merge", "main", code=1)
    reproduced.path(".git/info/attributes").unlink()
    said = reproduced.run("make", "resolve", code=2)
    assert "does not hold params.yaml (in conflict) yet: edit where there are conflicts" in said.stderr
    assert ran(said.stdout) == []
    for name in ("dvc.lock", EVALUATION):
        assert "<<<<<<< HEAD" in reproduced.path(name).read_text()
    reproduced.run("git", "checkout", "-q", "--theirs", "params.yaml")
    reproduced.run("git", "add", "params.yaml")
    said = reproduced.ops("resolve").stdout
    assert "dvc.lock was damaged" in said
    assert "train@ridge" in ran(said)
    assert recorded(reproduced)["train.families.ridge"] == {"alpha": [20]}
    assert json.loads(reproduced.path(EVALUATION).read_text())["rmse"] != 20
    assert reproduced.run("git", "status", "--porcelain").stdout == ""
    assert reproduced.run("git", "log", "-1", "--format=%B").stdout == "Merge branch 'main' into other\n\n"
    assert "up to date" in reproduced.dvc("status").stdout


def test_generated_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are all outputs in dvc.lock that Git holds, and those of a new family; also where the project is a subfolder
    of a repository. The history of verdicts is none."""
    project = Project(tmp_path / "houses")
    tracked = ("dvc.lock", "metrics/history.jsonl", "metrics/train/old.json", "params.yaml")
    for name in (*tracked, "metrics/train/new.json"):
        project.path(name).parent.mkdir(parents=True, exist_ok=True)
        project.path(name).write_text("")
    shutil.copy(ROOT / ".gitattributes", project.folder)
    Project(tmp_path).run("git", "init", "-q")
    project.run("git", "add", *tracked)
    monkeypatch.chdir(project.folder)
    assert git.generated() == ["dvc.lock", "metrics/train/new.json", "metrics/train/old.json"]
    monkeypatch.chdir(ROOT)
    stages = yaml.safe_load((ROOT / "dvc.lock").read_text())["stages"].values()
    outputs = {out["path"] for stage in stages for out in stage["outs"]} & set(tracked_files())
    assert set(git.generated()) == outputs | {"dvc.lock"}
