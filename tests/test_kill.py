"""A run can be killed at any moment: the next one ends where an undisturbed one does, with nothing to mend by hand."""

import contextlib
import os
import random
import signal
import subprocess
import sys

import pytest
import yaml

from pipeline.tables import atomic_files
from tests.conftest import WEAK, Project

RUN = "python -m ops.repair && dvc repro --force --no-run-cache"


def test_what_a_kill_leaves_is_repaired(reproduced: Project) -> None:
    """`python -m ops.repair` says what it repairs; after it nothing needs to run."""
    lock = reproduced.path("dvc.lock")
    good = lock.read_bytes()
    lock.write_bytes(b"")
    reproduced.path("models/model.onnx.7.partial").write_bytes(b"half")
    said = reproduced.ops("repair").stdout
    assert "brought back the one of the last commit" in said
    assert "removed 1 half-written files" in said
    assert lock.read_bytes() == good
    assert "Running stage" not in reproduced.dvc("repro").stdout


@pytest.mark.slow
def test_a_second_run_names_the_first_and_ends(reproduced: Project) -> None:
    """`make repro` beside another one ends at the repair, and the first one comes to its end."""
    first = subprocess.Popen(
        [sys.executable, "-m", "dvc", "repro", "--force", "--no-run-cache"],
        cwd=reproduced.folder,
        env=reproduced.env,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert first.stdout is not None
    assert any("Running stage" in line for line in first.stdout)
    said = reproduced.ops("repair", code=1).stderr
    assert "is at work in this folder: wait until it ends" in said
    assert str(first.pid) in said
    first.communicate()
    assert first.returncode == 0


def killed(project: Project, command: str, seconds: float) -> None:
    """Run a shell line and kill it, with all that it started, after this time."""
    run = subprocess.Popen(
        ["bash", "-c", command],
        cwd=project.folder,
        env=project.env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    with contextlib.suppress(subprocess.TimeoutExpired):
        run.wait(seconds)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(run.pid, signal.SIGKILL)
    run.wait()


@pytest.mark.slow
def test_twenty_kills_change_nothing(reproduced: Project) -> None:
    """Killed at 20 random moments (SIGKILL to the whole process group) and started again, the run ends in the same
    dvc.lock, and no half-written file is left."""
    expected = reproduced.path("dvc.lock").read_bytes()
    moments = random.Random(20)  # noqa: S311 - a seed, no secret
    for _ in range(20):
        killed(reproduced, RUN, moments.uniform(0.2, 16))
    reproduced.run("bash", "-c", "python -m ops.repair && dvc repro")
    assert reproduced.path("dvc.lock").read_bytes() == expected
    assert not list(reproduced.folder.rglob("*.partial"))
    assert reproduced.run(sys.executable, "-m", "dvc", "status").stdout == "Data and pipelines are up to date.\n"


@pytest.mark.slow
def test_a_killed_retrain_is_finished_by_the_next_one(reproduced: Project) -> None:
    """Killed at 15 random moments while it makes and promotes a better model, retrain leaves a branch, a record and a
    champion that belong together; the next one ends with the better model as the one next version."""
    better = reproduced.path("params.yaml").read_bytes()
    reproduced.edit_params(lambda p: p["train"].update(families=WEAK))
    reproduced.commit("a weak model")
    reproduced.run("bash", "-c", "dvc repro && python -m ops.gate && python -m ops.registry promote")
    reproduced.path("params.yaml").write_bytes(better)
    reproduced.commit("a better one")
    moments = random.Random(15)  # noqa: S311 - a seed, no secret
    for _ in range(15):
        killed(reproduced, "python -m ops.retrain --force", moments.uniform(0.2, 25))
        assert reproduced.run("git", "symbolic-ref", "HEAD").stdout == "refs/heads/main\n"
        recorded = yaml.safe_load(reproduced.path("models/champion.onnx.dvc").read_text())["outs"][0]["md5"]
        champion = reproduced.path("models/champion.onnx")
        assert not champion.exists() or atomic_files.digest(champion, "md5") == recorded
    reproduced.ops("retrain", "--force")
    assert champion.read_bytes() == reproduced.path("models/model.onnx").read_bytes()
    tags = ["housing#prod#1", "housing#prod#2", "housing@v1.0.0", "housing@v1.1.0"]
    assert reproduced.run("git", "tag").stdout.split() == tags
    assert reproduced.run("git", "status", "--short", "--", ":!metrics/history.jsonl", ":!dvc.lock").stdout == ""
    assert not list(reproduced.folder.rglob("*.partial"))
