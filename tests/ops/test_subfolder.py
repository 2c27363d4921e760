"""A project that is a subfolder of a Git repository."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from tests.conftest import WEAK, Project
from tests.ops.gating import CHAMPION, EVALUATION, MODEL, edit_json, gate


@pytest.mark.slow
def test_a_project_in_a_subfolder_of_a_repository(project: Project, tmp_path: Path) -> None:
    """Everything works there as at the top: the pipeline, the gate with its check of the champion's own record,
    promote, keep, rollback, and a champion that comes from the cache or is rebuilt, to the byte; commits hold files of
    the project alone."""
    shutil.rmtree(project.path(".git"))
    inner = Project(shutil.move(project.folder, tmp_path / "repository" / "houses"))
    outer = Project(tmp_path / "repository")
    outer.run("git", "init", "-q", "-b", "main")
    outer.path("other.txt").write_text("of another project\n")
    inner.dvc("repro")
    outer.commit("the project, as it ran")
    outer.path("other.txt").write_text("changed\n")
    inner.ops("gate")
    inner.ops("registry", "promote")
    first = inner.path(CHAMPION).read_bytes()
    shown = outer.run("git", "show", "--format=", "--name-only", "HEAD").stdout.split()
    assert shown == ["houses/metrics/history.jsonl", f"houses/{CHAMPION}.dvc"]
    inner.edit_params(lambda p: p["train"].update(families=WEAK))
    inner.dvc("repro")
    assert [*gate(inner, code=3)["evidence"]] == ["test rows", "out of fold", "all rows"]
    assert "kept: " in inner.ops("registry", "keep").stdout
    inner.ops("registry", "promote", "--force")
    assert inner.path(CHAMPION).read_bytes() == inner.path(MODEL).read_bytes() != first
    assert "housing@v1.0.0 again" in inner.ops("registry", "rollback").stdout
    assert inner.path(CHAMPION).read_bytes() == first
    assert outer.run("git", "status", "--short").stdout == " M other.txt\n"
    for cached in (True, False):
        inner.path(CHAMPION).unlink()
        if not cached:
            shutil.rmtree(inner.path(".dvc/cache"))
        assert "is restored" in inner.ops("registry", "restore").stdout
        assert inner.path(CHAMPION).read_bytes() == first
        assert "is there" in inner.ops("registry", "restore").stdout
    assert outer.run("git", "status", "--short").stdout == " M other.txt\n"
    # The commit that made the champion records a number that its own model does not score.
    record = inner.path(f"{CHAMPION}.dvc")
    content = yaml.safe_load(record.read_text())
    inner.run("git", "checkout", "-q", content["meta"]["revision"], "--", "dvc.lock", EVALUATION)
    edit_json(inner.path(EVALUATION), lambda metrics: metrics.update(rmse=metrics["rmse"] * 1.1))
    outer.commit("spoilt")
    content["meta"]["revision"] = outer.run("git", "rev-parse", "HEAD").stdout.strip()
    record.write_text(yaml.safe_dump(content))
    inner.run("git", "checkout", "-q", "HEAD~1", "--", "dvc.lock", EVALUATION)
    outer.commit("a record that names it")
    assert "records rmse" in inner.ops("gate", code=1).stderr
    assert json.loads(inner.path("metrics/history.jsonl").read_text().splitlines()[-1])["rolled_back"]
