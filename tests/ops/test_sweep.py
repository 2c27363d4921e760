"""A sweep as a user runs it, in projects of their own; docs/experiments.md tests what `dvc exp` does."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.conftest import Project
from tests.test_repro import ran


def processes(project: Project) -> list[psutil.Process]:
    """Return the processes in the project's folder, each with its command line in `info`, which outlives it."""
    running = psutil.process_iter(["cwd", "cmdline"], ad_value="")
    return [p for p in running if p.info["cwd"] and Path(p.info["cwd"]).is_relative_to(project.folder)]


def until(happens: Callable[[], bool]) -> None:
    """Wait for it; five minutes are a hang."""
    end = time.monotonic() + 300
    while not happens():
        assert time.monotonic() < end, "it never happened"
        time.sleep(1)


def states(project: Project) -> dict[str, str]:
    """Return the state of each entry of DVC's queue by its name."""
    return dict(re.findall(r"(?m)^\w{7}\s+(\S+)\s.*\s(\w+)\s*$", project.dvc("queue", "status").stdout))


def all_ended(project: Project) -> bool:
    return set(states(project).values()) <= {"Success", "Failed"}


@pytest.fixture
def queueing(reproduced: Project) -> Iterator[Project]:
    """A reproduced project, in which no worker of DVC's queue and nothing that it started outlives the test."""
    yield reproduced
    reproduced.dvc("queue", "stop", "--kill")
    for process in processes(reproduced):
        with suppress(psutil.NoSuchProcess):
            process.kill()
    until(lambda: not processes(reproduced))


def touched(project: Project) -> tuple[bytes, str, str]:
    """Return what no sweep changes: a file with an edit that is not committed, Git's status, the branch."""
    status = project.run("git", "status", "--porcelain").stdout
    return project.path("params.yaml").read_bytes(), status, project.run("git", "symbolic-ref", "HEAD").stdout


def edit(project: Project) -> None:
    """Work in progress: a changed line in a style that DVC would not write, and a new file."""
    path = project.path("params.yaml")
    text = path.read_text()
    assert "      - 1\n      - 10\n" in text
    path.write_text(text.replace("alpha:\n      - 1\n      - 10\n", "alpha: [1, 10] # both\n"))
    project.path("notes.txt").write_text("mine\n")


def start(project: Project, grid: str) -> "subprocess.Popen[str]":
    """A sweep in a process group of its own."""
    command = [sys.executable, "-m", "ops.sweep", grid]
    out = subprocess.PIPE
    return subprocess.Popen(
        command, cwd=project.folder, env=project.env, stdout=out, stderr=out, text=True, start_new_session=True
    )


@pytest.mark.slow
def test_a_sweep_names_the_best(queueing: Project) -> None:
    """A sweep tells when an experiment ends, and at its end the best by cross-validation, whatever failed; what
    the user has in the workspace and in the queue is still there; the named one can be applied without a run."""
    queueing.dvc("exp", "run", "--queue", "--name", "mine", "-S", "train.families.ridge.alpha=[5]")
    edit(queueing)
    before = touched(queueing)
    # As for a user who has not activated the environment: no `dvc` on PATH.
    path, own = queueing.env["PATH"], str(Path(sys.executable).parent)
    queueing.env["PATH"] = os.pathsep.join(folder for folder in path.split(os.pathsep) if folder != own)
    sweep = start(queueing, "train.families.xgboost.max_depth=[-1],[2],[4]")
    assert sweep.stdout is not None
    first = next((line for line in sweep.stdout if "(1 of 3)" in line), "")
    assert first, sweep.communicate()[1]
    assert not all_ended(queueing), f"not said when it happened: {first}"
    said = sweep.communicate()[0]
    assert sweep.returncode == 0
    queueing.env["PATH"] = path
    assert touched(queueing) == before
    until(lambda: all_ended(queueing))
    assert states(queueing)["mine"] == "Success"
    rows = {cells[0]: cells[1:] for cells in map(str.split, said.splitlines()) if cells[0].startswith("sweep-")}
    assert re.search(r"sweep-\w+-1 failed: error: params.yaml: train.families.xgboost: .* cannot be fitted", said)
    succeeded = {name: float(cells[2]) for name, cells in rows.items() if cells[1:2] == ["xgboost"]}
    assert len(succeeded) == 2
    best = re.search(r"(sweep-\w+-\d)\S*, cv_rmse", said.splitlines()[-1])[1]  # type: ignore[index]
    assert succeeded[best] == min(succeeded.values())
    queueing.run("git", "checkout", "-q", "params.yaml")
    queueing.dvc("exp", "apply", best)
    assert ran(queueing.dvc("repro").stdout) == []


@pytest.mark.slow
def test_a_stopped_sweep_leaves_nothing_to_mend(queueing: Project) -> None:
    """After Ctrl-C in a sweep the queue has nothing of it and the workspace is as it was; so it is after SIGKILL at any
    moment of the queueing, and the next sweep runs to its end."""
    edit(queueing)
    before = touched(queueing)
    grid = "train.families.xgboost.n_estimators=[20000],[20001],[20002]"
    sweep = start(queueing, grid)
    assert sweep.stdout is not None
    assert sweep.stdout.readline().startswith("3 experiments sweep-")
    until(lambda: "Running" in states(queueing).values())
    os.killpg(sweep.pid, signal.SIGINT)
    said = sweep.communicate()[1]
    assert sweep.returncode == 1
    assert re.fullmatch(r"error: sweep-\w+ was stopped; what it had in the queue is removed\n", said)
    assert states(queueing) == {}
    assert touched(queueing) == before
    until(lambda: not processes(queueing))
    for moment in (0.5, 1.5, 2.5):
        sweep = start(queueing, grid)
        time.sleep(moment)
        os.killpg(sweep.pid, signal.SIGKILL)
        sweep.communicate()
        until(lambda: not any("--queue" in process.info["cmdline"] for process in processes(queueing)))
        assert touched(queueing) == before
    queueing.dvc("queue", "remove", "--queued")
    assert "best" in queueing.ops("sweep", "train.families.ridge.alpha=[2]").stdout


def test_a_sweep_of_what_is_not_there(reproduced: Project) -> None:
    """A setting that params.yaml does not have is refused before anything runs, with DVC's own words."""
    said = reproduced.ops("sweep", "train.families.ridge.alhpa=[1],[2]", code=1).stderr
    assert re.match(r"error: `dvc exp run --queue .*train.families.ridge.alhpa=\[1\],\[2\]` failed: ERROR: ", said)
    assert "'alhpa' is not in struct" in said
    assert "No experiment tasks in the queue" in reproduced.dvc("queue", "status").stdout
